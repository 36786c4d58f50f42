"""`efile certs` and `efile audit`, typed beside a gateway that serves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding

from tests.documents import signed
from tests.house import house_at
from tests.register.changing import SOON, issued
from tests.register.typist import typist


async def test_a_year_of_an_administrator(tmp_path: Path, pki_home: Path) -> None:
    async with (
        house_at(tmp_path / "h", pki_home, **SOON) as house,
        house.client() as of,
    ):
        typed = typist(house.installation.settings)
        why = ("--why", "renewal")
        listed = await typed("certs", "list")
        assert {"tls", "notices", "agency-tls", "client"} == {entry["purpose"] for entry in listed}
        assert all(isinstance(entry["daysLeft"], int) for entry in listed)
        assert any(step["toDo"] and step["act"] == "renew" for step in await typed("certs", "plan"))

        key = issued(house.pki, tmp_path / "n", "gateway-ca", "signer")
        files = ("--key", key.key, "--cert", key.chain)
        added = await typed("certs", "add", "notices", *files, *why)
        id = added["id"]
        told = await typed("certs", "activate", id, *why, code=1)
        assert "chưa có lần diễn tập đạt" in told
        assert "no green rehearsal" in told
        assert (await typed("certs", "rehearse", id))["rehearsal"]["green"]
        later = await typed("certs", "activate", id, "--at", "2099-01-01T08:00", *why)
        assert (later["state"], later["startsAt"]) == ("next", "2099-01-01T08:00:00+07:00")
        done = await typed("certs", "activate", id[:12], *why)
        assert (done["state"], done["inEffect"], len(done["processes"])) == ("active", True, 1)

        second = issued(house.pki, tmp_path / "c", "client-ca", "client")
        taken = await typed(
            "certs", "provider", "renew", "beta", second.certificate, "--at", "2099-01-01", *why
        )
        assert taken["party"] == "provider beta"
        retiring = [e for e in await typed("certs", "list") if e["party"] == "provider beta" and e["endsAt"]]
        assert [entry["endsAt"] for entry in retiring] == ["2099-01-01T00:00:00+07:00"]

        root = tmp_path / "root.pem"
        root.write_bytes(house.pki.authority("stranger-root").certificate.public_bytes(Encoding.PEM))
        anchor = await typed("certs", "trust", "add", "anchor", root, *why)
        assert (await typed("certs", "trust", "retire", anchor["id"], *why))["state"] == "retired"
        told = await typed("certs", "trust", "retire", house.pki.client_ca, *why, code=1)
        assert "No authority of client certificates is left" in told

        assert (await of.submit(signed(house.pki))).status == 201
        await typed("certs", "provider", "suspend", "beta", *why)
        assert (await of.submit(signed(house.pki))).body["reason"] == "suspended"
        await typed("certs", "provider", "resume", "beta", *why)
        assert [p["suspended"] for p in await typed("certs", "provider", "list")] == [None, None]
        revoked = await typed("certs", "revoke", taken["id"], "--emergency", *why)
        assert revoked["state"] == "revoked"

        acts = [entry["act"] for entry in await typed("audit", "list", "--act", "provider.*")]
        assert acts[:2] == ["provider.resume", "provider.suspend"]
        record = await typed("audit", "verify")
        assert record["broken"] == []
        await house.gateway.store._driver.write(_forge, None)
        assert len((await typed("audit", "verify", code=1))["broken"]) == 1


def _forge(batch: Any) -> Any:
    from gateway.store.statements import Statement

    yield Statement("UPDATE audit SET actor = 'nobody' WHERE act = 'provider.suspend'", [()])
    return [None] * len(batch)


async def test_four_eyes(tmp_path: Path, pki_home: Path) -> None:
    """The policy is the operator's own; who proposes does not approve."""
    from gateway.register.policy import OWN_POLICY

    policy = tmp_path / "policy.toml"
    policy.write_text(
        OWN_POLICY.read_text("utf-8").replace("four_eyes = []", 'four_eyes = ["notices"]'), "utf-8"
    )
    async with house_at(tmp_path / "h", pki_home, register={"policy": policy, "poll_seconds": 0.05}) as house:
        settings = house.installation.settings
        settings.write_text(settings.read_text("utf-8") + f'\n[register]\npolicy = "{policy}"\n', "utf-8")
        key = issued(house.pki, tmp_path / "n", "gateway-ca", "signer")
        files = ("--key", key.key, "--cert", key.chain)
        typed = typist(settings)
        id = (await typed("certs", "add", "notices", *files, "--why", "x"))["id"]
        await typed("certs", "rehearse", id)
        proposed = await typed("certs", "activate", id, "--why", "x")
        assert (proposed["state"], proposed["proposal"]["to"]) == ("next", "active")
        told = await typed("certs", "approve", id, code=1)
        assert "who proposed it" in told
