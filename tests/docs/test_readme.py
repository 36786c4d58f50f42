"""The README's tables say what the code says, and its commands do what it promises."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from gateway.cli.main import COMMANDS
from gateway.filing.stages import DELIVERY, INTAKE, Stage
from gateway.filing.status import FINAL, WORDS, Status
from gateway.journey import STEPS
from tests.docs.papers import README, ROOT, blocks, links, table, without_fences
from tests.house import free_port

TEXT = README.read_text(encoding="utf-8")
MAKE, *BY_HAND = blocks(TEXT, "sh")
VENV = Path(sys.prefix)
STANDARD_PORTS = ("8443", "8480", "8543", "8490")


def whose_move(status: Status) -> str:
    if status in FINAL:
        return "nobody's: final"
    if status is Status.STUCK:
        return "the operator's"
    return "the agency's" if status is Status.DELIVERED else "ours"


def test_the_first_screen_is_a_screen() -> None:
    assert TEXT.count("\n") <= 160
    assert "It does not decide a filing; agencies do." in TEXT


def test_the_steps_are_those_of_the_code_in_order() -> None:
    rows = table(TEXT, "step")
    assert [row[0] for row in rows] == [stage.value for stage in (*INTAKE, *DELIVERY)]
    assert {row[0] for row in rows} == {stage.value for stage in Stage}
    for row in rows:
        corridor = "intake" if Stage(row[0]) in INTAKE else "delivery"
        assert links(row[1]) == [f"gateway/{corridor}/{row[0]}.py"]
        assert all(row[2:])


def test_the_status_words_are_those_of_the_code() -> None:
    rows = table(TEXT, "status")
    assert rows == [[status.value, whose_move(status), *WORDS[status]] for status in Status]


def test_what_the_readme_calls_our_move_is_done_by_a_step() -> None:
    """Where the journey has a step, and only there, something happens by itself."""
    assert set(STEPS) == {status for status in Status if whose_move(status) in ("ours", "the agency's")}


def test_every_make_target_that_is_named_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    named = set(
        re.findall(r"\bmake ([a-z-]+)", " ".join([MAKE, *re.findall(r"`([^`]+)`", without_fences(TEXT))]))
    )
    assert named >= {"demo", "test", "lint"}
    for target in named:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), f"make {target}"


def test_every_command_is_walked_through_or_shown_by_the_demo() -> None:
    walked = set(re.findall(r"\befile ([a-z-]+)", "".join(BY_HAND)))
    assert walked == set(COMMANDS) - {"demo"}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory that looks like the repository's root as far as the commands need it."""
    (tmp_path / ".venv").symlink_to(VENV)
    (tmp_path / "var").mkdir()
    return tmp_path


def test_make_demo_does_what_it_says(place: Path) -> None:
    recipe = re.search(
        r"^demo:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert recipe is not None
    done = run(recipe[1].replace("\t@", "").replace("$(BIN)", ".venv/bin"), place)
    assert done.returncode == 0, done.stdout
    assert "\x1b" not in done.stdout, "colours only on a terminal"
    assert {"receipt.xml", "verdict.xml"} <= {file.name for file in (place / "var/demo/documents").iterdir()}


@pytest.mark.skipif(shutil.which("curl") is None, reason="MISSING: curl, which the README's walk uses")
@pytest.mark.timeout(330)
def test_the_walk_by_hand_works_as_printed(place: Path) -> None:
    """As printed but for the ports, which are free ones; `set -e` makes every command count."""
    ports: set[int] = set()
    while len(ports) < len(STANDARD_PORTS):
        ports.add(free_port())
    free = dict(zip(STANDARD_PORTS, map(str, ports), strict=True))
    assert all(port in "".join(BY_HAND) for port in free)
    script = re.sub(r"\b(8443|8480|8543|8490)\b", lambda found: free[found[1]], "".join(BY_HAND))
    done = run(script, place)
    logs = "".join(file.read_text(encoding="utf-8") for file in sorted((place / "var").rglob("*.log")))
    assert done.returncode == 0, done.stdout + logs
    assert "var/dev/signed.xml: acknowledged" in done.stdout
    assert "status    accepted" in done.stdout
    assert "var/dev/receipt.xml: proven" in done.stdout
    assert "var/dev/verdict.xml: proven" in done.stdout
    assert '"event": "stopping"' in logs, "the gateway was told to stop and did"


def run(script: str, place: Path) -> subprocess.CompletedProcess[str]:
    """Run a script by sh. It, and all it started, ends with this call; after 60 s it has failed, by SIGKILL."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("EFILE_")}
    # A file, not a pipe: a script that fails leaves servers behind that would hold a pipe open.
    with (place / "output.txt").open("w+", encoding="utf-8") as output:
        process = subprocess.Popen(
            ["sh", "-euc", script + "\nwait\n"],
            cwd=place,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=300)  # against a walk that never ends, not a measure
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        output.seek(0)
        return subprocess.CompletedProcess(script, process.returncode, output.read())
