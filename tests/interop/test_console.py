"""The console in a real browser with a client certificate: by keyboard, by axe-core, by hostile pages, in print."""

from __future__ import annotations

import base64
import shutil
import subprocess
import threading
import zipfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from certs_dev.pki import PKCS12_PASSWORD
from gateway.store.looking import AuditFilter
from tests.admin.people import admin_house
from tests.admin.scenes import fill
from tests.house import House
from tests.interop.devtools import Tab, browser, make_home

pytestmark = pytest.mark.interop
FETCHED = Path(__file__).parents[2] / ".venv-public"
PAGES = ("", "/queue", "/queue?status=stuck", "/deadlines", "/agencies", "/incidents", "/filings?q=5500123457",
         "/certificates?all=true", "/providers", "/people", "/audit", "/audit?x=1")  # fmt: skip


class Scene:
    """A house with something on every page, and a browser in front of it."""

    def __init__(self, house: House, tab: Tab, numbers: dict[str, str]) -> None:
        self.house, self.tab, self.numbers = house, tab, numbers
        self.origin = f"https://localhost:{house.gateway.admin_port}"

    async def pages(self) -> list[str]:
        entries = await self.house.gateway.store.entries()
        more = [f"/filings/{number}" for number in self.numbers.values()] + [f"/certificates/{entries[0].id}"]
        return [f"{self.origin}/console{path}" for path in (*PAGES, *more)]

    async def acts(self) -> list[tuple[str, str, str]]:
        found = await self.house.gateway.store.audit(AuditFilter(actor="admin:admin"))
        return [(one.act, one.subject, one.detail) for one in found]


@pytest.fixture
async def scene(tmp_path: Path, pki_home: Path) -> AsyncIterator[Scene]:
    numbers = await fill(tmp_path / "store" / "efile.sqlite")
    async with admin_house(tmp_path, pki_home) as house:
        bundle, home = house.pki["admin"].pkcs12, tmp_path / "home"
        assert bundle is not None
        origin = f"https://localhost:{house.gateway.admin_port}"
        make_home(home, bundle, PKCS12_PASSWORD.decode(), house.pki.tls_ca, origin)
        async with browser(home) as tab:
            yield Scene(house, tab, numbers)


async def test_every_page_shows_and_nothing_runs_is_fetched_or_complained_of(scene: Scene) -> None:
    tab = scene.tab
    for address in await scene.pages():
        await tab.open(address)
        assert "RUN" not in await tab.value("document.title")
        assert await tab.value("document.querySelectorAll('script, img, style').length") == 0
        assert await tab.value("getComputedStyle(document.querySelector('nav')).position") == "sticky", (
            "it has its style"
        )
        assert await tab.value("document.documentElement.scrollWidth <= innerWidth"), (
            f"{address}: wider than the window"
        )
    assert {url.split("?")[0].rpartition("/")[2][:5] for url in tab.requested if "/static/" in url} <= {
        "style",
        "icon.",
    }
    own = (f"{scene.origin}/console", "data:")  # the browser draws its own controls so
    assert [url for url in tab.requested if not url.startswith(own)] == []
    assert [one for one in tab.complaints if "400" not in one] == []


async def test_were_an_escape_forgotten_nothing_would_run(scene: Scene) -> None:
    """The policy alone, with the markup in the page as if no escape had stood before it."""
    tab = scene.tab
    await tab.open(f"{scene.origin}/console")
    before = len(tab.requested)
    hostile = (
        "<img src=/console/fetched onerror='document.title=\"RUN\"'>"
        "<a id=go href='javascript:document.title=\"RUN\"'>x</a>"
        "<iframe srcdoc='<script>parent.document.title=\"RUN\"</script>'></iframe><p id=red style='color: red'>x</p>"
        "<form id=away action='http://127.0.0.1:9/'><button>x</button></form>"
    )
    await tab.value(f"document.querySelector('main').insertAdjacentHTML('beforeend', {hostile!r})")
    inline = "const s = document.createElement('script'); s.textContent = 'document.title = \"RUN\"'"
    await tab.value(inline + "; document.body.append(s)")
    await tab.value("document.querySelector('#go').click(); document.querySelector('#away button').click()")
    await tab.value("new Promise(done => setTimeout(done, 300))")
    assert "RUN" not in await tab.value("document.title")
    assert await tab.value("getComputedStyle(document.querySelector('#red')).color") != "rgb(255, 0, 0)"
    assert await tab.value("location.origin") == scene.origin
    assert not [url for url in tab.requested[before:] if "9/" in url[-3:]]
    assert len([one for one in tab.complaints if "Content Security Policy" in one]) >= 4, tab.complaints


async def test_a_stuck_filing_is_replayed_by_keyboard_alone(scene: Scene) -> None:
    tab = scene.tab
    await tab.open(f"{scene.origin}/console/queue?status=stuck")
    await tab.press("Tab")
    assert await tab.value("document.activeElement.className") == "skip"
    assert await tab.value("document.activeElement.getBoundingClientRect().top >= 0"), (
        "it is seen once it has the focus"
    )
    await tab.press("Enter")
    assert await tab.value("location.hash") == "#content"
    for _ in range(60):
        await tab.press("Tab")
        if await tab.value("document.activeElement.value") == scene.numbers["stuck"]:
            break
        outline = await tab.value("getComputedStyle(document.activeElement).outlineStyle")
        assert outline == "solid", "what has the focus is seen to have it"
    await tab.press(" ")
    assert await tab.value("document.activeElement.checked") is True
    for _ in range(30):
        await tab.press("Tab")
        if await tab.value("document.activeElement.name") == "why":
            break
    await tab.type("Cơ quan thuế đã sửa mã")
    await tab.press("Tab")
    assert "replay" in await tab.value("document.activeElement.formAction")
    tab.expect()
    await tab.press("Enter")
    await tab.loaded()
    assert "1 / 1" in await tab.value("document.querySelector('[role=status]').textContent")
    assert await scene.acts() == [("filing.replay", scene.numbers["stuck"], "Cơ quan thuế đã sửa mã")]


async def test_no_act_without_a_reason_is_sent_at_all(scene: Scene) -> None:
    tab = scene.tab
    await tab.open(f"{scene.origin}/console/agencies")
    await tab.value("document.querySelector('main button').click()")
    assert await tab.value("document.activeElement.name") == "why", "the browser asks for it"
    assert not [url for url in tab.requested if url.endswith("/hold")]


async def test_a_page_elsewhere_can_make_the_browser_ask_and_nothing_is_done(scene: Scene) -> None:
    """The browser shows the administrator's certificate to whoever asks it to; the session's cookie stays behind."""
    tab = scene.tab
    await tab.open(f"{scene.origin}/console")
    form = (
        f"<form method=post action='{scene.origin}/console/agencies/tax/hold'><input name=token value={'0' * 64}>"
        "<input name=why value=x><button>x</button></form>"
        f"<form method=post enctype=text/plain action='{scene.origin}/admin/v1/agencies/tax/hold'>"
        '<input name=\'{"why":"x","more":"\' value=\'"}\'><button>x</button></form>'
    )
    with elsewhere(form) as address:
        for number in range(2):
            await tab.open(address)
            tab.expect()
            await tab.value(f"document.querySelectorAll('button')[{number}].click()")
            await tab.loaded()
            assert await tab.value("location.origin") == scene.origin, "the request was made"
        await tab.open(address)
        asked = f"fetch('{scene.origin}/admin/v1/queue', {{credentials: 'include'}})"
        assert await tab.value(asked + ".then(() => 'read', () => 'kept out')") == "kept out"
    assert await scene.acts() == []


@contextmanager
def elsewhere(body: str) -> Iterator[str]:
    """A page of another origin."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Page)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="module")
def axe() -> str:
    for wheel in FETCHED.glob("axe_playwright_python-*.whl"):
        with zipfile.ZipFile(wheel) as opened:
            return opened.read("axe_playwright_python/axe.min.js").decode()
    pytest.skip(f"MISSING: axe-core in {FETCHED}")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("language", ["vi", "en"])
async def test_axe_finds_nothing(scene: Scene, axe: str, language: str, scheme: str) -> None:
    """WCAG 2.2 AA and axe's best practices, contrast among them, on every page."""
    tab = scene.tab
    await tab.ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    await tab.open(f"{scene.origin}/console?lang={language}")
    found: list[tuple[str, str, Any]] = []
    for address in await scene.pages():
        await tab.open(address)
        await tab.value(axe + ";0")
        told = await tab.value(
            "axe.run().then(r => r.violations.map(v => [v.id, v.nodes.map(n => n.html.slice(0, 150))]))"
        )
        found += [(address, *one) for one in told]
        assert await tab.value("axe.run().then(r => r.passes.length)") > 15, "it looked"
    assert found == []


@pytest.mark.parametrize("width", [360, 768])
async def test_on_a_narrow_screen_only_tables_scroll(scene: Scene, width: int) -> None:
    tab = scene.tab
    await tab.ask(
        "Emulation.setDeviceMetricsOverride", width=width, height=800, deviceScaleFactor=1, mobile=False
    )
    for address in await scene.pages():
        await tab.open(address)
        wide = "[...document.querySelectorAll('body *')].filter(e => e.getBoundingClientRect().right > innerWidth + 1"
        wide += " && !e.closest('.scroll')).map(e => e.outerHTML.slice(0, 100))"
        assert await tab.value("document.documentElement.scrollWidth <= innerWidth"), (
            address,
            await tab.value(wide),
        )


async def test_the_queue_prints_across_with_its_rows_and_without_its_buttons(
    scene: Scene, tmp_path: Path
) -> None:
    if shutil.which("pdftotext") is None:
        pytest.skip("MISSING: pdftotext")
    await scene.tab.open(f"{scene.origin}/console/queue?lang=vi")
    printed = await scene.tab.ask("Page.printToPDF", preferCSSPageSize=True)
    (tmp_path / "queue.pdf").write_bytes(base64.b64decode(printed["data"]))
    told = ["pdftotext", "-raw", "queue.pdf", "-"]
    text = subprocess.run(told, cwd=tmp_path, check=True, capture_output=True, text=True).stdout
    assert scene.numbers["held"] in text
    assert "Người nộp đề nghị" in " ".join(text.split())
    for left_out in ("Gửi lại", "Lọc", "Biểu mẫu"):
        assert left_out not in text
