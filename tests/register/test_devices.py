"""From a key in a file to one in a token, or at a remote signing service, and what happens while that is away."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from structlog.testing import capture_logs

import certs_dev
from gateway.clock import clock
from gateway.register.entry import Purpose, RegisterRefused, active
from tests.gateway.test_notice_keys import Signer, remote, signer, token
from tests.register.changing import LAN, changing_house, issued, taken_over
from tests.register.test_hot_change import filed, proven

__all__ = ["remote", "signer", "token"]


async def test_a_device_takes_over_once_it_can_be_had(
    tmp_path: Path, pki_home: Path, pki: certs_dev.DevPki, signer: Signer
) -> None:
    first = issued(pki, tmp_path / "first", "gateway-ca", "signer", days=(-1, 300))
    notices = {"key": first.key, "certificate": first.chain}
    said = {name: value for name, value in signer.notices.items() if value is not None}
    location = {name: msgspec.to_builtins(value, enc_hook=str) for name, value in said.items()}
    second = pki["notice"].certificate
    async with (
        changing_house(tmp_path / "h", pki_home, notices=notices) as (house, register),
        house.client() as of,
    ):
        entry = await register.add_key(Purpose.NOTICES, location, LAN)
        async with signer.away():
            tried = await register.rehearse(entry.id, LAN)
            assert tried.rehearsal is not None
            assert tried.rehearsal.faults
            with pytest.raises(RegisterRefused, match="no green rehearsal"):
                await register.activate(entry.id, LAN)
        assert (await register.rehearse(entry.id, LAN)).rehearsed
        async with signer.away():
            await register.activate(entry.id, LAN)
            done, (process,) = await register.effect(30)
            assert done
            assert entry.id in process.faults[0]
            assert proven(await filed(of, house), house.pki, first.certificate), "the old key goes on"
        async with asyncio.timeout(30):
            while (await house.gateway.store.taken_over())[0].faults:
                await asyncio.sleep(0.1)
        await taken_over(register)
        receipt = await filed(of, house)
        assert proven(receipt, house.pki, second)
        assert not proven(receipt, house.pki, first.certificate)


async def test_what_ends_is_told_at_each_level_and_nothing_stops(tmp_path: Path, pki_home: Path) -> None:
    offset = timedelta(0)
    expected = [("certificate-ends", left) for left in (59, 29, 13, 6, 0)] + [("certificate-ended", -1)]
    async with changing_house(tmp_path, pki_home, now=lambda: clock() + offset) as (_, register):
        current = active(await register.entries(), Purpose.TLS)
        assert current is not None
        with capture_logs() as logs:
            for count, (_, days) in enumerate(expected, 1):
                offset = current.valid_to - clock() - timedelta(days=days, hours=1)
                async with asyncio.timeout(20):
                    while len(told := [log for log in logs if log.get("certificate") == current.id]) < count:
                        await asyncio.sleep(0.02)
        assert [(log["event"], log["days_left"]) for log in told] == expected
