"""A gateway that warns: beside intake, which nothing of it stops; and the command that tries the channels."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import aiohttp
import pytest
from msgspec.structs import replace

from gateway.clock import clock
from gateway.doctor import examine
from gateway.errors import ConfigurationError
from gateway.settings import MailSettings, WebhookSettings
from gateway.store.taken_over import TakenOver
from tests.docs.papers import ROOT
from tests.documents import signed
from tests.house import free_port, house_at
from tests.warning.servers import Hook, hook_server, mail_server, written
from tests.warning.test_webhook import SECRET


def hook_settings(hook: Hook, folder: Path, **more: object) -> WebhookSettings:
    folder.mkdir(exist_ok=True)
    secret = written(folder / "secret", f"whsec_{SECRET}")
    return WebhookSettings(name="duty", url=hook.url, secret_file=secret, **more)  # type: ignore[arg-type]


async def told(hook: Hook, kinds: set[str]) -> list[dict[str, str]]:
    """All that was told, once these kinds are among it."""
    async with asyncio.timeout(20):
        while True:
            found = [one for body in hook.bodies for one in json.loads(body)["warnings"]]
            if kinds <= {one["kind"] for one in found}:
                return found
            await asyncio.sleep(0.05)


async def test_a_house_tells_what_ends_and_what_failed(tmp_path: Path, pki_home: Path) -> None:
    health = free_port()
    async with hook_server() as hook, mail_server() as post:
        mail = MailSettings(
            name="mail", host="localhost", port=post.port, security="none", sender="a@b.vn", to=("c@d.vn",)
        )
        said = {"seconds": 0.1, "webhook": (hook_settings(hook, tmp_path / "w"),), "mail": (mail,)}
        async with house_at(
            tmp_path / "h",
            pki_home,
            warnings=said,
            door={"health_port": health},
            register={"poll_seconds": 0.05},
        ) as house:
            ended = await told(hook, {"certificate-ended"})
            assert "provider" in json.dumps(ended)
            await house.gateway.store.report_taken_over(TakenOver("node-2:17", 1, ("no such file: key.pem",)))
            failed = await told(hook, {"not-taken-over"})
            assert any("key.pem" in one["text"]["en"] for one in failed)  # type: ignore[index]
            async with asyncio.timeout(20):
                while await house.gateway.store.warnings_waiting():
                    await asyncio.sleep(0.05)
            async with (
                aiohttp.ClientSession() as session,
                session.get(f"http://127.0.0.1:{health}/metrics") as answer,
            ):
                text = await answer.text()
            assert 'efile_warnings_total{channel="duty",result="sent"}' in text
        assert post.mails
        ids = [one["id"] for one in failed]
        assert len(ids) == len(set(ids)), "each once"


async def test_intake_goes_on_while_nobody_can_be_warned(tmp_path: Path, pki_home: Path) -> None:
    async with hook_server() as hook:
        hook.answers = ["hang"]
        dead = MailSettings(
            name="mail", host="localhost", port=free_port(), security="none", sender="a@b.vn", to=("c@d.vn",)
        )
        said = {
            "seconds": 0.05,
            "webhook": (hook_settings(hook, tmp_path / "w", seconds=600.0),),
            "mail": (dead,),
        }
        async with house_at(tmp_path / "h", pki_home, warnings=said) as house, house.client() as client:
            async with asyncio.timeout(20):
                while not hook.bodies:
                    await asyncio.sleep(0.02)
            assert (await client.submit(signed(house.pki, "taxpayer-ec"))).status == 201
            assert house.gateway.store._driver.fault() is None


async def test_settings_that_would_tell_strangers_do_not_start(tmp_path: Path, pki_home: Path) -> None:
    said = {"webhook": (WebhookSettings(name="a", url="http://duty.example.vn/"),)}
    with pytest.raises(ConfigurationError, match="in the clear"):
        async with house_at(tmp_path / "h", pki_home, warnings=said):
            pass


async def test_the_doctor_looks_at_what_channels_keep_in_files(tmp_path: Path, pki_home: Path) -> None:
    async with hook_server() as hook, house_at(tmp_path / "h", pki_home) as house:
        hook_said = replace(
            hook_settings(hook, tmp_path / "w"), secret_file=written(tmp_path / "w/s", "nonsense")
        )
        settings = replace(house.settings, warnings=replace(house.settings.warnings, webhook=(hook_said,)))
        (tmp_path / "w/s").chmod(0o644)
        found = await examine(settings, lambda: clock() + timedelta(days=0))
    texts = [f"{one.about}: {one.text.en}" for one in found]
    assert any(text.startswith("warnings: It cannot be used") and "nonsense" not in text for text in texts)
    assert any("w/s" in text and "readable by others" in text for text in texts)


async def efile(config: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "gateway.cli", "certs", "warn", "--config", str(config), *arguments]
    return await asyncio.to_thread(
        subprocess.run,
        command,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


async def test_the_command_tries_every_channel_and_lists_what_was_told(
    tmp_path: Path, pki_home: Path
) -> None:
    async with hook_server() as hook, house_at(tmp_path, pki_home) as house:
        config = house.installation.settings
        none = await efile(config, "--test")
        assert (none.returncode, "names nobody" in none.stderr) == (2, True)
        written(tmp_path / "secret", f"whsec_{SECRET}")
        dead = free_port()
        config.write_text(
            config.read_text(encoding="utf-8")
            + f'\n[[warnings.webhook]]\nname = "duty"\nurl = "{hook.url}"\nsecret_file = "secret"\n'
            + f'[[warnings.mail]]\nname = "mail"\nhost = "localhost"\nport = {dead}\nsecurity = "none"\n'
            + 'sender = "gateway@example.vn"\nto = ["duty@example.vn"]\n',
            encoding="utf-8",
        )
        tried = await efile(config, "--test", "--json")
        assert tried.returncode == 1, tried.stderr
        duty, mail = json.loads(tried.stdout)
        assert duty == {"channel": "duty", "sent": True, "fault": None}
        assert (mail["sent"], bool(mail["fault"])) == (False, True)
        assert json.loads(hook.bodies[0])["type"] == "test"
        listed = await efile(config, "--json")
        assert (listed.returncode, json.loads(listed.stdout)) == (0, [])
