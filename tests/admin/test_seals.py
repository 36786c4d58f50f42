"""How much is under each key of stored bodies: at the API, and on the console's pages of certificates."""

from __future__ import annotations

import os
from pathlib import Path

from gateway.register.entry import Purpose
from tests.admin.people import Caller, admin_house, tree_of
from tests.documents import signed
from tests.pages import text_of


async def test_a_key_tells_what_is_under_it_and_other_entries_do_not(tmp_path: Path, pki_home: Path) -> None:
    key = tmp_path / "one"
    key.write_bytes(os.urandom(32))
    key.chmod(0o600)
    bodies = {"keys": {"one": key}, "seal_with": "one"}
    async with admin_house(tmp_path / "h", pki_home, bodies=bodies) as house:
        async with house.client() as of:
            assert (await of.submit(signed(house.pki, "taxpayer-ec"))).status == 201
        (entry,) = [e for e in await house.gateway.store.entries() if e.purpose is Purpose.BODIES]
        async with Caller(house, "admin-certificates") as caller:
            listed = (await caller.get("/admin/v1/certificates")).json
            counted = {one["id"]: (one["seals"], one["notLookedAt"]) for one in listed if "seals" in one}
            assert counted == {entry.id: (1, 0)}
            for path in ("/console/certificates", f"/console/certificates/{entry.id}"):
                assert "1 nội dung" in text_of(tree_of(await caller.get(path))), path
            english = await caller.get(f"/console/certificates/{entry.id}?lang=en")
            assert "1 bodies and papers" in text_of(tree_of(english))
            (other,) = [one for one in listed if one["purpose"] == "tls"]
            assert "bodies and papers" not in text_of(
                tree_of(await caller.get(f"/console/certificates/{other['id']}"))
            )
