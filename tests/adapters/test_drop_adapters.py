"""Folders and SFTP: what exactly lies there, files that are none, and servers that are not the agency's."""

from __future__ import annotations

import asyncio
import json
import logging
import os
from contextlib import asynccontextmanager

import asyncssh
import pytest

from adapters import ConfigError, MalformedCallback, Pending, Rejected, Submitted, Unavailable, open_adapter
from adapters.simulator.sftp import SftpServer
from tests.adapters.families.folder import folder_settings
from tests.adapters.families.sftp import PASSWORD, USER, sftp_settings
from tests.adapters.test_posted_contract import Heard, listening
from tests.adapters.waiting import until

KINDS = ["folder", "sftp"]


@pytest.fixture
async def opened(request, pki, tmp_path):
    """The kind in question with `more` settings, over folders that the test itself fills."""
    (tmp_path / "out").mkdir()
    (tmp_path / "answers").mkdir()
    adapters = []
    async with SftpServer(tmp_path, USER, PASSWORD) as server:

        def make(**more):
            home = tmp_path / "home"
            home.mkdir(exist_ok=True)
            settings = (
                folder_settings(pki, tmp_path, **more)
                if request.param == "folder"
                else sftp_settings(pki, home, server, **more)
            )
            adapters.append(open_adapter(request.param, settings))
            return adapters[-1]

        yield make
        for adapter in adapters:
            await adapter.close()


both = pytest.mark.parametrize("opened", KINDS, indirect=True)


def answer(key="f-1", **changes):
    verdict = {"outcome": "accepted", "decidedAt": "2026-07-15T10:00:00+07:00", "reference": "R"}
    told = {
        "key": key,
        "digest": "0" * 64,
        "state": "decided",
        "reference": "R",
        "verdict": verdict,
        **changes,
    }
    return json.dumps({name: value for name, value in told.items() if value is not None}).encode()


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@both
async def test_what_lies_there_is_as_the_readme_shows(opened, parcel, tmp_path):
    adapter = opened()
    assert await adapter.submit(parcel()) == Submitted(None, duplicate=False)
    assert await adapter.submit(parcel()) == Submitted(None, duplicate=True)
    assert names(tmp_path / "out") == ["f-1.json", "f-1.xml"]
    assert (tmp_path / "out/f-1.xml").read_bytes() == parcel().document
    assert json.loads((tmp_path / "out/f-1.json").read_bytes()) == {
        "key": "f-1",
        "number": "EF-260715-000001-4",
        "agency": "tax",
        "family": "tax-declaration",
        "form": "842",
        "formVersion": "2.8.3",
        "kind": "C",
        "period": "Q2/2026",
        "taxpayer": "5500123457",
        "taxOffice": "10100",
        "receivedAt": "2026-07-15T03:04:05Z",
        "mediaType": "application/xml",
        "digest": parcel().digest_hex,
        "file": "f-1.xml",
    }
    assert await adapter.fetch("f-1") == Pending()
    with pytest.raises(Rejected):
        await adapter.submit(parcel(document=b"<another/>"))
    (tmp_path / "out/f-1.json").write_bytes(b"somebody's")
    assert not (await adapter.submit(parcel())).duplicate
    assert json.loads((tmp_path / "out/f-1.json").read_bytes())["digest"] == parcel().digest_hex


@both
async def test_an_answer_about_another_document_rejects(opened, parcel, tmp_path):
    (tmp_path / "answers/f-1.json").write_bytes(answer())
    with pytest.raises(Rejected, match="another document"):
        await opened().submit(parcel())
    assert names(tmp_path / "out") == []


@both
async def test_a_filing_that_the_agency_refuses(opened, tmp_path):
    told = answer(state="refused", verdict=None, error="Sai\x1b[31m mẫu")
    (tmp_path / "answers/f-1.json").write_bytes(told)
    with pytest.raises(Rejected, match=r"Sai .31m mẫu"):
        await opened().fetch("f-1")


@both
async def test_an_answer_that_is_being_written_is_left_alone_until_it_is_whole(opened, tmp_path):
    adapter, heard = opened(), Heard()
    whole = answer()
    (tmp_path / "answers/f-1.json").write_bytes(whole[:40])
    (tmp_path / "answers/f-2.json").write_bytes(answer("f-2"))
    async with listening(adapter, heard):
        await until(lambda: heard.verdicts)
        assert (tmp_path / "answers/f-1.json").exists()
        (tmp_path / "answers/f-1.json").write_bytes(whole)
        await until(lambda: len(heard.verdicts) == 2)
        await until(lambda: names(tmp_path / "answers") == ["done"])
    assert heard.outcomes == [("f-2", "accepted"), ("f-1", "accepted")]
    assert names(tmp_path / "answers/done") == ["f-1.json", "f-2.json"]


@both
async def test_a_pending_answer_is_read_once_and_again_when_it_is_replaced(opened, tmp_path, monkeypatch):
    adapter, heard = opened(), Heard()
    pending = answer(state="pending", verdict=None)
    (tmp_path / "answers/f-1.json").write_bytes(pending)
    reads = []
    real = type(adapter._place).read

    async def counted(place, folder, name, limit):
        reads.append(name)
        return await real(place, folder, name, limit)

    monkeypatch.setattr(type(adapter._place), "read", counted)
    async with listening(adapter, heard):
        await until(lambda: reads)
        await asyncio.sleep(0.5)
        assert len(reads) == 1
        (tmp_path / "answers/f-1.json").write_bytes(answer())
        await until(lambda: heard.verdicts)
    assert heard.outcomes == [("f-1", "accepted")]


@both
async def test_an_answer_that_never_becomes_whole_is_put_aside(opened, tmp_path):
    adapter = opened(settle_s=0.2)
    (tmp_path / "answers/f-1.json").write_bytes(answer()[:40])
    async with listening(adapter, Heard()):
        await until((tmp_path / "answers/refused/f-1.json").exists)
    assert "agreed form" in (tmp_path / "answers/refused/f-1.json.reason").read_text()


NO_ANSWERS = {
    "another key": answer("f-2"),
    "list": b"[]",
    "no verdict": answer(verdict=None),
    "not UTF-8": b'{"key": "\xff"}',
    "naive time": answer(verdict={"outcome": "accepted", "decidedAt": "2026-07-15T10:00:00"}),
    "deep": b"[" * 300_000 + b"]" * 300_000,
    "XML": b"<DATA/>",
}


@both
@pytest.mark.parametrize("case", NO_ANSWERS)
async def test_what_is_no_answer_is_put_aside_with_the_reason(opened, tmp_path, case):
    adapter, heard = opened(), Heard()
    (tmp_path / "answers/f-1.json").write_bytes(NO_ANSWERS[case])
    with pytest.raises(Unavailable, match="agreed form") as caught:
        await adapter.fetch("f-1")
    assert caught.value.reason.isprintable()
    (tmp_path / "answers/f-3.json").write_bytes(answer("f-3"))
    async with listening(adapter, heard):
        await until(lambda: heard.verdicts)
        await until((tmp_path / "answers/refused/f-1.json").exists)
    reason = (tmp_path / "answers/refused/f-1.json.reason").read_text()
    assert "agreed form" in reason
    assert reason.isprintable()
    assert heard.outcomes == [("f-3", "accepted")]


HOSTILE_NAMES = [
    ".f-1.json",
    ".json",
    "f-1.json.tmp",
    "f-1.JSON",
    "f 1.json",
    "f-1\n.json",
    "-rf.json",
    "hồ-sơ.json",
    "$(reboot).json",
    "a" * 129 + ".json",
    "..json",
]


@both
async def test_files_of_other_names_are_not_touched(opened, tmp_path):
    for name in HOSTILE_NAMES:
        (tmp_path / "answers" / name).write_bytes(answer())
    (tmp_path / "answers/f-9.json").write_bytes(answer("f-9"))
    adapter, heard = opened(), Heard()
    async with listening(adapter, heard):
        await until((tmp_path / "answers/done/f-9.json").exists)
        await asyncio.sleep(0.2)
    assert heard.outcomes == [("f-9", "accepted")]
    assert set(names(tmp_path / "answers")) == {*HOSTILE_NAMES, "done"}


@both
@pytest.mark.parametrize("what", ["link", "link to nothing", "folder", "pipe"])
async def test_what_is_no_file_is_never_read(opened, parcel, tmp_path, what):
    secret = tmp_path / "secret"
    secret.write_bytes(answer(reference="of somebody else"))
    place = tmp_path / "answers/f-1.json"
    if what == "folder":
        place.mkdir()
    elif what == "pipe":
        os.mkfifo(place)
    else:
        place.symlink_to(secret if what == "link" else tmp_path / "nowhere")
    adapter, heard = opened(), Heard()
    with pytest.raises(Unavailable):
        await adapter.fetch("f-1")
    async with listening(adapter, heard):
        await until((tmp_path / "answers/refused/f-1.json.reason").exists)
        await until(lambda: not os.path.lexists(place))
    assert heard.verdicts == []
    assert secret.exists()


@pytest.mark.parametrize("opened", ["folder"], indirect=True)
async def test_a_link_where_the_filing_is_to_lie_is_replaced_and_not_followed(opened, parcel, tmp_path):
    victim = tmp_path / "victim"
    victim.write_bytes(b"untouched")
    (tmp_path / "out/f-1.xml").symlink_to(victim)
    await opened().submit(parcel())
    assert victim.read_bytes() == b"untouched"
    assert not (tmp_path / "out/f-1.xml").is_symlink()
    (tmp_path / "out/f-2.json").symlink_to(victim)
    with pytest.raises(Unavailable, match="a link"):
        await opened().submit(parcel(key="f-2"))


@pytest.mark.parametrize("opened", ["folder"], indirect=True)
async def test_a_link_in_place_of_our_own_folder_leads_nowhere(opened, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / "answers/done").symlink_to(elsewhere)
    (tmp_path / "answers/f-1.json").write_bytes(answer())
    with pytest.raises(Unavailable):
        await opened().listen(Heard())
    assert names(elsewhere) == []


@pytest.mark.parametrize("opened", ["folder"], indirect=True)
async def test_a_disk_that_cannot_sync_has_nothing_under_its_name(opened, parcel, tmp_path, monkeypatch):
    def broken(_):
        raise OSError(5, "Input/output error")

    adapter = opened()
    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", broken)
        with pytest.raises(Unavailable, match="Input/output"):
            await adapter.submit(parcel())
    assert names(tmp_path / "out") == []
    assert not (await adapter.submit(parcel())).duplicate


async def test_folders_that_are_gone_are_unavailable(pki, parcel, tmp_path):
    adapter = open_adapter("folder", folder_settings(pki, tmp_path))
    (tmp_path / "out").rmdir()
    (tmp_path / "answers").rmdir()
    for call in (adapter.submit(parcel()), adapter.fetch("f-1"), adapter.listen(Heard())):
        with pytest.raises(Unavailable, match="no connection"):
            await call


@asynccontextmanager
async def server_at(tmp_path, **more):
    for folder in ("out", "answers"):
        (tmp_path / folder).mkdir(exist_ok=True)
    async with SftpServer(tmp_path, USER, PASSWORD, **more) as server:
        yield server


async def test_a_server_with_another_host_key_gets_nothing(pki, parcel, tmp_path):
    async with server_at(tmp_path) as server, SftpServer(tmp_path, USER, PASSWORD) as other:
        settings = sftp_settings(pki, tmp_path, server)
        pinned = server.known_hosts.replace(str(server.port), str(other.port))
        (tmp_path / "known_hosts").write_text(pinned)
        adapter = open_adapter("sftp", {**settings, "port": other.port})
        with pytest.raises(Unavailable, match=r"[Hh]ost key"):
            await adapter.submit(parcel())
        (tmp_path / "known_hosts").write_text("")
        unknown = open_adapter("sftp", settings)
        with pytest.raises(Unavailable, match=r"[Hh]ost key"):
            await unknown.submit(parcel())
    assert names(tmp_path / "out") == []


async def test_a_wrong_password_is_unavailable_and_untold(pki, parcel, tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    async with server_at(tmp_path) as server:
        settings = sftp_settings(pki, tmp_path, server)
        (tmp_path / "sftp-password").write_text("khong-phai-mat-khau")
        adapter = open_adapter("sftp", settings)
        with pytest.raises(Unavailable) as caught:
            await adapter.submit(parcel())
    assert "khong-phai" not in caplog.text + caught.value.reason


async def test_a_key_with_a_password_opens_the_server(pki, parcel, tmp_path):
    key = asyncssh.generate_private_key("ssh-ed25519")
    (tmp_path / "id").write_bytes(key.export_private_key(passphrase="cua-khoa"))
    async with server_at(tmp_path, client_keys=key.export_public_key().decode()) as server:
        settings = sftp_settings(pki, tmp_path, server, client_key=str(tmp_path / "id"))
        del settings["password_file"]
        (tmp_path / "key-password").write_text("cua-khoa")
        with pytest.raises(ConfigError, match=r"client_key: .* cannot be read"):
            open_adapter("sftp", settings)
        adapter = open_adapter(
            "sftp", {**settings, "client_key_password_file": str(tmp_path / "key-password")}
        )
        await adapter.submit(parcel())
        await adapter.close()
    assert names(tmp_path / "out") == ["f-1.json", "f-1.xml"]


async def test_a_server_that_was_away_is_reached_again(pki, parcel, tmp_path):
    async with server_at(tmp_path) as server:
        adapter = open_adapter("sftp", sftp_settings(pki, tmp_path, server))
        await adapter.submit(parcel())
        await server.stop()
        with pytest.raises(Unavailable, match="no connection"):
            await adapter.submit(parcel(key="f-2"))
        await server.start()
        assert not (await adapter.submit(parcel(key="f-2"))).duplicate
        await adapter.close()


class OldServer(asyncssh.SFTPServer):
    """One that renames over nothing, as SFTP 3 says, and syncs nothing; and lists names from elsewhere."""

    def posix_rename(self, oldpath, newpath):
        raise asyncssh.SFTPOpUnsupported("not here")

    def fsync(self, file_obj):
        raise asyncssh.SFTPOpUnsupported("not here")

    def rename(self, oldpath, newpath):
        if os.path.lexists(self.map_path(newpath)):
            raise asyncssh.SFTPFailure("it is there")
        return super().rename(oldpath, newpath)

    async def scandir(self, path):
        for name in (b"../../etc/passwd.json", b"/etc/passwd", b"a/f-8.json", b"f-1.json"):
            yield asyncssh.SFTPName(name, attrs=asyncssh.SFTPAttrs())


async def test_an_old_server_that_lists_names_from_elsewhere(pki, parcel, tmp_path):
    async with server_at(tmp_path, factory=OldServer) as server:
        adapter, heard = open_adapter("sftp", sftp_settings(pki, tmp_path, server)), Heard()
        await adapter.submit(parcel())
        (tmp_path / "answers/done").mkdir()
        (tmp_path / "answers/done/f-1.json").write_bytes(b"an earlier answer")
        (tmp_path / "answers/f-1.json").write_bytes(answer())
        done = tmp_path / "answers/done/f-1.json"

        def moved() -> bool:
            try:  # such a server renames onto nothing that is there: for a moment there is neither
                return done.read_bytes() == answer()
            except FileNotFoundError:
                return False

        async with listening(adapter, heard):
            await until(moved)
        await adapter.close()
    assert heard.outcomes == [("f-1", "accepted")]
    assert names(tmp_path / "out") == ["f-1.json", "f-1.xml"]


BAD_SETTINGS = {
    "no such folder": ("folder", {"out_folder": "/nowhere"}, "out_folder: no folder"),
    "unknown setting": ("folder", {"in_folder": "/tmp"}, "in_folder"),
    "no host": ("sftp", {"host": None}, "host"),
    "no known_hosts": ("sftp", {"known_hosts_file": "/nowhere"}, "known_hosts_file: no file"),
    "no credential": ("sftp", {"password_file": None}, "client_key is missing"),
    "two passwords": ("sftp", {"password_env": "HOME"}, "exclude each other"),
    "no user": ("sftp", {"username": ""}, "username"),
}


@pytest.mark.parametrize("case", BAD_SETTINGS)
def test_settings_that_cannot_work(pki, tmp_path, case):
    kind, changes, words = BAD_SETTINGS[case]
    made = folder_settings if kind == "folder" else sftp_settings
    with pytest.raises(ConfigError, match=words) as caught:
        open_adapter(kind, {**made(pki, tmp_path), **changes})
    assert PASSWORD not in str(caught.value)


def test_verdicts_do_not_come_through_the_callback_door(pki, tmp_path):
    adapter = open_adapter("folder", folder_settings(pki, tmp_path))
    with pytest.raises(MalformedCallback):
        adapter.read_callback(answer(), {"Content-Type": "application/json"})
