"""A real browser shows and prints the pages: A4, everything on it, nothing run, nothing fetched."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from lxml import etree

import schemas
from schemas.faults import Words
from schemas.view import CSP, About, Signature, view_page

pytestmark = pytest.mark.interop
HOSTILE = (
    '<script>document.title="RUN"</script><img src="/fetched" onerror="document.title=\'RUN\'">'
    '<style>@import "/fetched";</style><iframe src="/fetched"></iframe>'
)
A4 = (595, 842)  # points


def tool(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"MISSING: {name}")
    return found


def browser(home: Path, *arguments: str) -> str:
    """A browser of its own; where we are root its sandbox cannot be had."""
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    command = [tool("chromium"), "--headless", "--disable-gpu", "--no-first-run", f"--user-data-dir={home}"]
    done = subprocess.run(
        [*command, *sandbox, *arguments], check=False, capture_output=True, text=True, timeout=100
    )
    return done.stdout


def printed(html: bytes, place: Path) -> tuple[str, list[tuple[int, int]]]:
    """The text of the PDF that the browser prints, and the size of each page."""
    (place / "page.html").write_bytes(html)
    address = (place / "page.html").as_uri()
    browser(place / "home", "--no-pdf-header-footer", f"--print-to-pdf={place / 'page.pdf'}", address)
    told = [tool("pdftotext"), "-layout", "page.pdf", "-"]
    text = subprocess.run(told, cwd=place, check=True, capture_output=True, text=True).stdout
    info = [tool("pdfinfo"), "-f", "1", "-l", "999", "page.pdf"]
    about = subprocess.run(info, cwd=place, check=True, capture_output=True, text=True).stdout
    sizes = re.findall(r"size: +([0-9.]+) x ([0-9.]+) pts", about)
    return text, [(round(float(width)), round(float(height))) for width, height in sizes]


def page(document: bytes, about: About | None = None) -> bytes:
    return view_page(etree.fromstring(document), schemas.load_catalogue(), about or About(), "vi").html


def test_a_declaration_with_its_annexes_prints_on_a4(tmp_path: Path) -> None:
    folder = schemas.OWN_CATALOGUE / "tax/842-2.8.3/examples"
    signature = Signature("CÔNG TY A", ("5500123457",), "CN=CA", None, None, "sound", "TOTAL-PASSED", True)
    about = About(signatures=(signature,), number="SLA-20260720-ABCDEFGHJKLM-7")
    text, sizes = printed(page((folder / "passes-supplement.xml").read_bytes(), about), tmp_path)
    assert sizes
    assert set(sizes) == {A4}
    for expected in (
        "Tờ khai thuế giá trị gia tăng", "01/GTGT", "SLA-20260720-ABCDEFGHJKLM-7", "✓ Chữ ký hợp lệ",
        "[40b]", "2.415.680.000", "☐", "Tờ khai bổ sung hồ sơ khai thuế (01/KHBS)", "328.045.000",
    ):  # fmt: skip
        assert expected in text, expected
    [line] = re.findall(r"^.*\[36\].*$", text, re.MULTILINE)
    assert line.rstrip().endswith("107.926.500"), "numbers stand at the right"


def test_a_wide_table_prints_across_and_loses_nothing(tmp_path: Path) -> None:
    cells = "".join(f"<cot{i}>{1000 + i}</cot{i}>" for i in range(16))
    rows = f'<HSoKhaiThue xmlns="{schemas.TAX.namespace}">' + f"<dong>{cells}</dong>" * 60 + "</HSoKhaiThue>"
    text, sizes = printed(page(rows.encode()), tmp_path)
    assert A4 in sizes
    assert A4[::-1] in sizes
    assert len(re.findall(r"\b1015\b", text)) == 60


class _Door(BaseHTTPRequestHandler):
    """Serves the page as our door does, and notes whatever else is asked for."""

    html = b""
    policy = CSP
    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        if self.policy:
            self.send_header("Content-Security-Policy", self.policy)
        self.end_headers()
        if self.path == "/":
            self.wfile.write(self.html)

    def log_message(self, format: str, *arguments: object) -> None:
        pass


@contextmanager
def served(html: bytes, policy: str) -> Iterator[tuple[str, list[str]]]:
    asked: list[str] = []
    handler = type("Door", (_Door,), {"html": html, "policy": policy, "asked": asked})
    server = HTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def fetched(asked: list[str]) -> set[str]:
    return set(asked) - {"/", "/favicon.ico"}


def hostile_page() -> bytes:
    words = Words(HOSTILE, HOSTILE)
    signature = Signature(HOSTILE, (HOSTILE,), HOSTILE, None, None, "broken", HOSTILE, True, (words,))
    document = schemas.example_declaration("842", overrides={"tenNNT": HOSTILE, "ct37": HOSTILE})
    return page(document, About((signature,), number=HOSTILE, policy=HOSTILE, caveats=(words,)))


def test_nothing_runs_and_nothing_is_fetched(tmp_path: Path) -> None:
    with served(hostile_page(), CSP) as (address, asked):
        tree = browser(tmp_path, "--dump-dom", address)
    assert "&lt;script&gt;" in tree
    assert "<title>Tờ khai thuế giá trị gia tăng</title>" in tree
    assert "<script" not in tree
    assert "/" in asked
    assert fetched(asked) == set()


@pytest.mark.parametrize("policy", [CSP, ""], ids=["by the header", "by the page alone"])
def test_the_policy_holds_even_where_escaping_did_not(tmp_path: Path, policy: str) -> None:
    html = hostile_page().replace(b"</main>", HOSTILE.encode() + b"</main>")
    with served(html, policy) as (address, asked):
        tree = browser(tmp_path, "--dump-dom", address)
    assert "<script>" in tree, "it is there"
    assert "<title>Tờ khai thuế giá trị gia tăng</title>" in tree, "and did not run"
    assert fetched(asked) == set()


def test_without_a_policy_it_would_run(tmp_path: Path) -> None:
    """The two tests above see what they look for."""
    html = re.sub(rb"<meta http-equiv[^>]*>", b"", hostile_page())
    html = html.replace(b"</main>", HOSTILE.encode() + b"</main>")
    with served(html, "") as (address, asked):
        tree = browser(tmp_path, "--dump-dom", address)
    assert "<title>RUN</title>" in tree
    assert fetched(asked) == {"/fetched"}


def test_the_style_is_the_one_that_the_policy_allows(tmp_path: Path) -> None:
    """Sizes come from the style sheet: where its hash were wrong, the sheet would not be A4."""
    document = schemas.example_declaration("842")
    _, sizes = printed(page(document), tmp_path)
    assert set(sizes) == {A4}
    changed = page(document).replace(b"@page { size: A4;", b"@page { size: A5;")
    assert changed != page(document)
    other = tmp_path / "other"
    other.mkdir()
    _, sizes = printed(changed, other)
    assert (420, 595) not in sizes, "a style that is not ours counts for nothing"
