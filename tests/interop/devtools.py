"""A real Chromium with a person's client certificate, worked through the DevTools protocol.

Its home is thrown away: an NSS database with the certificate, and a policy that says where it is to be shown, laid over
the system's in a mount namespace of its own.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest

_POLICIES = Path("/etc/chromium")
_START_SECONDS = 60
"""Against a browser that never starts, not a measure."""
KEYS = {"Tab": 9, "Enter": 13, " ": 32}


def require(*tools: str) -> None:
    """Skips, loudly, where one of them is missing."""
    for tool in tools:
        if shutil.which(tool) is None:
            pytest.skip(f"MISSING: {tool}")
    if not _POLICIES.is_dir():
        pytest.skip(f"MISSING: {_POLICIES}, in which Debian's chromium looks for policies")


def make_home(home: Path, bundle: Path, password: str, authority: Path, origin: str) -> None:
    """The certificate and key in `bundle` (PKCS#12) are shown to `origin`; servers of `authority` (PEM) are trusted."""
    require("chromium", "certutil", "pk12util", "unshare")
    store = home / ".pki" / "nssdb"
    store.mkdir(parents=True)
    for command in (
        ["certutil", "-N", "-d", f"sql:{store}", "--empty-password"],
        ["pk12util", "-i", bundle, "-d", f"sql:{store}", "-W", password, "-K", ""],
        ["certutil", "-A", "-d", f"sql:{store}", "-n", "authority", "-t", "C,,", "-i", authority],
    ):
        subprocess.run(list(map(str, command)), check=True, capture_output=True)
    managed = home / "etc" / "policies" / "managed"
    managed.mkdir(parents=True)
    shown = json.dumps({"pattern": origin, "filter": {}})
    (managed / "certificate.json").write_text(json.dumps({"AutoSelectCertificateForUrls": [shown]}))


class Tab:
    """One page of the browser."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._number = 0
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._loaded = asyncio.Event()
        self.complaints: list[str] = []
        """What the browser had to say: violated policies, scripts that failed, resources that did not come."""
        self.requested: list[str] = []

    async def listen(self) -> None:
        """Until the browser is gone."""
        async for message in self._socket:
            told = json.loads(message.data)
            if "id" in told:
                self._waiting.pop(told["id"]).set_result(told)
            elif told["method"] == "Page.loadEventFired":
                self._loaded.set()
            elif told["method"] == "Log.entryAdded":
                self.complaints.append(told["params"]["entry"]["text"])
            elif told["method"] == "Network.requestWillBeSent":
                self.requested.append(told["params"]["request"]["url"])

    async def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One command and its answer."""
        self._number += 1
        answer = self._waiting[self._number] = asyncio.get_running_loop().create_future()
        await self._socket.send_json({"id": self._number, "method": method, "params": parameters})
        told = await asyncio.wait_for(answer, 60)
        assert "error" not in told, told
        result: dict[str, Any] = told["result"]
        return result

    async def open(self, address: str) -> None:
        """Go there; returns once it is loaded."""
        self._loaded.clear()
        gone = await self.ask("Page.navigate", url=address)
        assert "errorText" not in gone, gone["errorText"]
        await asyncio.wait_for(self._loaded.wait(), 60)

    async def loaded(self) -> None:
        """Wait for the next page."""
        await asyncio.wait_for(self._loaded.wait(), 60)

    def expect(self) -> None:
        """The next page is to be waited for from now on."""
        self._loaded.clear()

    async def value(self, expression: str) -> Any:
        """Of JavaScript that the test, not the page, runs; promises are awaited."""
        told = await self.ask(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in told, told["exceptionDetails"]
        return told["result"].get("value")

    async def press(self, key: str) -> None:
        """As on a keyboard."""
        text = {"text": "\r"} if key == "Enter" else {"text": key} if key == " " else {}
        about = {"key": key, "code": "Space" if key == " " else key, "windowsVirtualKeyCode": KEYS[key]}
        await self.ask("Input.dispatchKeyEvent", type="keyDown" if text else "rawKeyDown", **about, **text)
        await self.ask("Input.dispatchKeyEvent", type="keyUp", **about)

    async def type(self, text: str) -> None:
        """Into what has the focus."""
        await self.ask("Input.insertText", text=text)

    async def picture(self, file: Path) -> None:
        """The whole page as a PNG."""
        shot = await self.ask("Page.captureScreenshot", captureBeyondViewport=True)
        file.write_bytes(base64.b64decode(shot["data"]))


@asynccontextmanager
async def browser(home: Path) -> AsyncIterator[Tab]:
    """Started with the home that `make_home` made; ended, with all its processes, whatever happens."""
    profile = home / "profile"
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    command = ["chromium", "--headless", "--disable-gpu", "--no-first-run", f"--user-data-dir={profile}"]
    command += ["--remote-debugging-port=0", "--window-size=1366,900", *sandbox, "about:blank"]
    laid = f'mount --bind "{home / "etc"}" {_POLICIES} && exec "$@"'
    process = subprocess.Popen(
        ["unshare", "-rm", "sh", "-c", laid, "sh", *command],
        env={**os.environ, "HOME": str(home)},
        stdout=subprocess.DEVNULL,
        stderr=(home / "chromium.log").open("wb"),
        start_new_session=True,
    )
    try:
        port = await _port(profile / "DevToolsActivePort", process)
        async with aiohttp.ClientSession() as session:
            async with session.get(f"http://127.0.0.1:{port}/json") as answer:
                (page,) = [one for one in await answer.json() if one["type"] == "page"]
            async with session.ws_connect(page["webSocketDebuggerUrl"], max_msg_size=0) as socket:
                tab = Tab(socket)
                listening = asyncio.create_task(tab.listen())
                for domain in ("Page", "Log", "Network", "Runtime"):
                    await tab.ask(f"{domain}.enable")
                yield tab
                listening.cancel()
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


async def _port(file: Path, process: subprocess.Popen[bytes]) -> int:
    async with asyncio.timeout(_START_SECONDS):
        while True:
            with suppress(FileNotFoundError, IndexError, ValueError):
                return int(file.read_text().splitlines()[0])
            if process.poll() is not None:
                pytest.skip("MISSING: a mount namespace of one's own, or chromium does not start")
            await asyncio.sleep(0.05)
