"""Large bodies in an object store: there before the commit that names them; an outage promises nothing, loses none."""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import AsyncIterator, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from gateway.doctor import _tables
from gateway.errors import ConfigurationError, StoreUnavailable
from gateway.production import LOOPBACK, _faults
from gateway.register.entry import NO_END, NewEntry, Purpose
from gateway.settings import BodySettings, ObjectStoreSettings, load_settings
from gateway.store import bodies as module
from gateway.store.blobs import ORPHANED_SECONDS
from gateway.store.bodies import Bodies
from gateway.store.bucket import BucketBlobs, open_bucket
from gateway.store.opening import open_store
from gateway.store.register import Adoption
from gateway.store.sealing import BodyKeys
from gateway.store.store import Store
from gateway.upkeep import bodies_of, try_bodies
from tests.bucket import ACCESS, SECRET, ObjectStore
from tests.docs.papers import ROOT
from tests.gateway.builders import AT, prepared

LARGE = os.urandom(5_000)


@pytest.fixture
def server() -> Iterator[ObjectStore]:
    with ObjectStore.running() as running:
        yield running


@pytest.fixture
def settings(server: ObjectStore, tmp_path: Path) -> ObjectStoreSettings:
    access, secret = tmp_path / "access", tmp_path / "secret"
    access.write_text(f"{ACCESS}\n")
    secret.write_text(f"{SECRET}\n")
    return ObjectStoreSettings(
        bucket="bodies",
        endpoint=server.url,
        prefix="efile/2026/",
        access_key_file=access,
        secret_key_file=secret,
        seconds=5.0,
    )


@pytest.fixture
def bucket(settings: ObjectStoreSettings) -> BucketBlobs:
    return open_bucket(settings, over_bytes=1_000)


@pytest.fixture
async def store(place: str, bucket: BucketBlobs) -> AsyncIterator[Store]:
    opened = await open_store(place, lambda: AT, bodies=Bodies(bucket))
    yield opened
    await opened.close()


async def test_large_bodies_lie_in_the_bucket_and_small_ones_in_the_database(
    store: Store, server: ObjectStore
) -> None:
    large, small = await store.add(prepared(LARGE)), await store.add(prepared(b"<small/>"))
    (name,) = server.names()
    digest = hashlib.sha256(LARGE).hexdigest()
    assert re.fullmatch(rf"efile/2026/{digest}-[0-9a-f]{{16}}", name)
    assert await store.document(large.filing.number) == await store.body(large.filing.number) == LARGE
    assert await store.document(small.filing.number) == b"<small/>"
    rows = await store._driver.read("SELECT octets, blob FROM body WHERE blob IS NOT NULL")
    assert [(bytes(octets), f"efile/2026/{blob}") for octets, blob in rows] == [(b"", name)]


async def test_what_lies_there_is_sealed_where_there_is_a_key(
    place: str, bucket: BucketBlobs, server: ObjectStore
) -> None:
    store = await open_store(place, lambda: AT, bodies=Bodies(bucket, BodyKeys({"k": bytes(32)}, "k")))
    number = (await store.add(store.prepare(prepared(LARGE).new))).filing.number
    stored = server.client.get_object(Bucket="bodies", Key=server.names()[0])["Body"].read()
    assert stored.startswith(b"EFS1")
    assert await store.document(number) == LARGE
    await store.close()


async def test_what_is_sealed_anew_is_an_object_of_its_own(
    place: str, bucket: BucketBlobs, server: ObjectStore
) -> None:
    keys = BodyKeys({"old": bytes(32), "new": os.urandom(32)}, "old")
    store = await open_store(place, lambda: AT, bodies=Bodies(bucket, keys))
    number = (await store.add(store.prepare(prepared(LARGE).new))).filing.number
    (old,) = server.names()
    keys.renew({}, "new")
    await in_register(store, "new")
    server.stop()
    with pytest.raises(StoreUnavailable):
        await store.reseal("old")
    assert await store.sealed_counts() == {"old": 1}
    server.start()
    assert (await store.reseal("old")).resealed == 1
    (new,) = set(server.names()) - {old}
    assert server.client.get_object(Bucket="bodies", Key=new)["Body"].read().startswith(b"EFS1\x03new")
    server.client.delete_object(Bucket="bodies", Key=old)
    assert await store.document(number) == LARGE
    await store.close()


async def in_register(store: Store, name: str) -> None:
    """As the key in use."""
    new = NewEntry(Purpose.BODIES, name, "", "", "0" * 64, AT, NO_END, b"")
    await store.adopt(Adoption((new,), "settings file", AT))


async def test_an_outage_promises_nothing_and_is_told_until_it_is_over(
    store: Store, server: ObjectStore
) -> None:
    first = (await store.add(prepared(LARGE))).filing.number
    server.stop()
    with pytest.raises(StoreUnavailable):
        await store.add(prepared(LARGE + b"2", key="k"))
    with pytest.raises(StoreUnavailable):
        await store.body(first)
    assert await store.no_room_over() is not None
    assert await store.fault() is None
    assert (await store.add(prepared(b"<small/>"))).filing.number, "what is small goes on"
    server.start()
    while await store.no_room_over() is not None:
        pass
    again = await store.add(prepared(LARGE + b"2", key="k"))
    assert not again.repeat
    assert await store.body(again.filing.number) == LARGE + b"2"
    assert await store.body(first) == LARGE


async def test_a_bucket_that_is_gone_and_a_body_that_is_gone_or_changed_are_said(
    store: Store, server: ObjectStore
) -> None:
    number = (await store.add(prepared(LARGE))).filing.number
    (name,) = server.names()
    stored = server.client.get_object(Bucket="bodies", Key=name)["Body"].read()
    server.client.put_object(Bucket="bodies", Key=name, Body=prepared(b"<other/>").octets)
    with pytest.raises(ValueError, match="not what was filed"):
        await store.body(number)
    server.client.delete_object(Bucket="bodies", Key=name)
    with pytest.raises(StoreUnavailable, match="NoSuchKey"):
        await store.body(number)
    server.client.delete_bucket(Bucket="bodies")
    with pytest.raises(StoreUnavailable, match="NoSuchBucket"):
        await store.add(prepared(LARGE + b"2"))
    server.client.create_bucket(Bucket="bodies")
    server.client.put_object(Bucket="bodies", Key=name, Body=stored)
    assert await store.body(number) == LARGE


class TestSweep:
    @pytest.fixture
    def later(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, float]]:
        """The day and the hour by which the sweeper's clocks are ahead."""
        ahead = {"wall": 0.0, "monotonic": 0.0}
        now = time.monotonic
        monkeypatch.setattr(module.time, "monotonic", lambda: now() + ahead["monotonic"])

        class Ahead(datetime):
            @classmethod
            def now(cls, tz=None):  # type: ignore[no-untyped-def,override]
                return datetime.now(tz) + timedelta(seconds=ahead["wall"])

        monkeypatch.setattr("gateway.store.bucket.datetime", Ahead)
        return ahead

    async def test_only_what_nobody_names_goes_and_only_after_a_day(
        self, store: Store, bucket: BucketBlobs, server: ObjectStore, later: dict[str, float]
    ) -> None:
        number = (await store.add(prepared(LARGE))).filing.number
        bucket.put("ab" * 32, b"its process was killed before the commit")
        server.client.put_object(Bucket="bodies", Key="efile/2026/readme", Body=b"somebody else's")
        server.client.put_object(Bucket="bodies", Key="another/" + "ab" * 32 + "-" + "0" * 16, Body=b"")
        assert await store.sweep() == 0
        later["monotonic"] = 3_600
        assert await store.sweep() == 0, "not a day old"
        later["wall"] = ORPHANED_SECONDS + 60
        assert await store.sweep() == 0, "an hour's second look: a clock may have jumped"
        later["monotonic"] += 3_600
        assert await store.sweep() == 1
        assert len(server.names()) == 3
        assert await store.body(number) == LARGE

    async def test_the_same_bytes_are_put_beside_and_the_one_that_is_named_stays(
        self, store: Store, bucket: BucketBlobs, server: ObjectStore, later: dict[str, float]
    ) -> None:
        bucket.put(hashlib.sha256(LARGE).hexdigest(), b"of a filing that was never recorded")
        number = (await store.add(prepared(LARGE))).filing.number
        later["wall"] = ORPHANED_SECONDS + 60
        assert await store.sweep() == 0
        later["monotonic"] = 3_600
        assert await store.sweep() == 1
        assert len(server.names()) == 1
        assert await store.body(number) == LARGE

    async def test_an_outage_while_sweeping_removes_nothing(
        self, store: Store, bucket: BucketBlobs, server: ObjectStore, later: dict[str, float]
    ) -> None:
        bucket.put("ab" * 32, b"orphan")
        server.stop()
        later["wall"] = ORPHANED_SECONDS + 60
        with pytest.raises(OSError, match="object store"):
            await store.sweep()
        server.start()
        assert len(server.names()) == 1


class TestSettings:
    def test_credentials_come_from_files_or_the_environment_and_are_never_told(
        self, settings: ObjectStoreSettings, server: ObjectStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        bare = replace(settings, access_key_file=None, secret_key_file=None)
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.delenv(name, raising=False)
        with pytest.raises(ConfigurationError, match="neither a file nor AWS_ACCESS_KEY_ID") as refused:
            open_bucket(bare, 1)
        assert len(refused.value.faults) == 2
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
        blobs = open_bucket(bare, 1)
        assert blobs.get(blobs.put("ab" * 32, b"x")) == b"x"
        server.client.delete_object(Bucket="bodies", Key=server.names()[0])
        server.client.delete_bucket(Bucket="bodies")
        with pytest.raises(OSError, match="NoSuchBucket") as told:
            blobs.put("ab" * 32, b"x")
        for secret in (SECRET, ACCESS, "Authorization", "Signature"):
            assert secret not in str(told.value) + repr(told.value) + repr(blobs)
        assert told.value.__cause__ is None

    def test_all_faults_at_once(self, settings: ObjectStoreSettings, tmp_path: Path) -> None:
        nowhere = tmp_path / "nowhere"
        unfit = replace(settings, access_key_file=nowhere, secret_key_file=nowhere, ca_file=nowhere)
        with pytest.raises(ConfigurationError) as refused:
            open_bucket(unfit, 1)
        assert len(refused.value.faults) == 3

    def test_a_folder_and_a_bucket_are_one_too_many(
        self, settings: ObjectStoreSettings, tmp_path: Path
    ) -> None:
        with pytest.raises(ConfigurationError, match="only one"):
            bodies_of(BodySettings(folder=tmp_path / "bodies", s3=settings))
        assert isinstance(bodies_of(BodySettings(s3=settings))._blobs, BucketBlobs)

    def test_the_doctor_says_what_is_wrong_with_a_bucket(
        self, settings: ObjectStoreSettings, server: ObjectStore
    ) -> None:
        try_bodies(BodySettings(s3=settings))
        assert server.names() == [], "what it tries with is gone again"
        with pytest.raises(OSError, match="NoSuchBucket"):
            try_bodies(BodySettings(s3=replace(settings, bucket="nowhere")))
        sample = load_settings(ROOT / "deploy" / "efile.toml")
        sample = replace(sample, bodies=BodySettings(s3=replace(settings, bucket="nowhere")))
        (found,) = [one for one in _tables(sample) if one.about == "bodies"]
        assert "NoSuchBucket" in found.text.vi
        assert "NoSuchBucket" in found.text.en

    def test_production_takes_no_bucket_in_the_clear(self, tmp_path: Path) -> None:
        sample = load_settings(ROOT / "deploy" / "efile.toml")
        for endpoint, fit in (("http://store.example:9000", False), ("https://store.example", True)):
            s3 = ObjectStoreSettings(bucket="bodies", endpoint=endpoint)
            faults = list(_faults(replace(sample, bodies=BodySettings(s3=s3))))
            assert any("[bodies.s3]" in fault for fault in faults) is not fit
        assert "localhost" in LOOPBACK

    def test_no_name_but_our_own_is_asked_for(self, bucket: BucketBlobs) -> None:
        for name in ("../x", "ab" * 32, "", "x" * 81):
            with pytest.raises(ValueError, match="no object of ours"):
                bucket.get(name)
