"""All that is wrong with an installation, in one go, each with its mend. Looks only; nothing is changed.

What is wrong keeps the gateway from starting, or from keeping a promise; what is only going to be wrong is a warning.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import adapters
import schemas
import signing
from gateway.calendar import CalendarError, load_deadlines
from gateway.directory import DirectoryError, load_directory
from gateway.errors import ConfigurationError, StoreUnavailable
from gateway.filing.findings import Text
from gateway.ports import Clock
from gateway.production import key_files, readable_by_others, require_fit_for_production
from gateway.register.entry import IN_FORCE, OUR_KEYS, SINGLE, Doubt, Entry, Purpose
from gateway.register.entry import State as Stands
from gateway.register.in_words import unusable
from gateway.register.plan import list_level, plan, warning_level
from gateway.register.policy import policy_at
from gateway.register.reading import additions
from gateway.register.rehearsal import Stage, rehearse
from gateway.reloaded import client_cas, doors
from gateway.seeding import people_of
from gateway.settings import Settings
from gateway.store.opening import is_url, missing_migrations, open_store
from gateway.store.store import Store
from gateway.upkeep import try_bodies
from gateway.warning.channels import open_channels, require_usable
from signing.holdings import State, holdings

_CLOCK_SECONDS = 5.0
_ROOM_BYTES = 1 << 30
_UNUSABLE = (
    CalendarError,
    ConfigurationError,
    DirectoryError,
    adapters.ConfigError,
    schemas.CatalogueError,
    signing.CrlRefused,
    signing.KeyRefused,
    signing.PolicyRefused,
    signing.TrustRefused,
    OSError,
    ValueError,
)


@dataclass(frozen=True, slots=True)
class Finding:
    """What is the matter, what mends it, and whether it is wrong already. `about`: settings, store, trust …"""

    about: str
    text: Text
    mend: Text
    wrong: bool = True


_START = Text("Sửa rồi khởi động lại.", "Mend it, then start again.")
_RENEW = Text(
    "`efile certs csr`, `add`, `rehearse`, `activate`.",
    "`efile certs csr`, then `add`, `rehearse`, `activate`.",
)
_RESEAL = Text(
    "`efile certs reseal`, rồi `efile certs retire`.", "`efile certs reseal`, then `efile certs retire`."
)
_BODY_KEY = Text(
    "Đặt tệp khóa đúng chỗ, chmod 600; hoặc `efile certs renew bodies`.",
    "Have the key's file at its place, chmod 600; or `efile certs renew bodies`.",
)
_STAMPS = Text(
    "Trong lúc đó thông báo không có dấu thời gian; `efile certs add tsa`, `rehearse`, `activate`.",
    "Notices bear no time stamp meanwhile; `efile certs add tsa`, then `rehearse`, `activate`.",
)
_MENDS = {Purpose.BODIES: _BODY_KEY, Purpose.TSA: _STAMPS}
_THEIRS = Text(
    "Xin chủ sở hữu chứng thư mới: `efile certs provider renew`, `trust add`.",
    "Ask its owner for the next one: `efile certs provider renew`, `trust add`.",
)
_TRUST = Text("Thay tệp, hoặc `efile certs trust`.", "Replace the file, or `efile certs trust`.")


async def examine(settings: Settings, now: Clock) -> list[Finding]:
    """Every finding, what is wrong first."""
    found = [*_files(settings), *_tables(settings)]
    found += [finding async for finding in _store(settings, now)]
    return sorted(found, key=lambda finding: not finding.wrong)


def _files(settings: Settings) -> Iterator[Finding]:
    try:
        require_fit_for_production(settings)
    except ConfigurationError as error:
        for fault in error.faults:
            yield Finding(
                "settings",
                Text(f"Chưa dùng chính thức được: {fault}", f"Not fit for production: {fault}"),
                _START,
            )
    for file in key_files(settings):
        try:
            others = readable_by_others(file)
            with open(file, "rb"):
                pass
        except OSError as error:
            yield Finding(
                "keys",
                unusable(error),
                _START,
            )
            continue
        if settings.mode != "production" and others:
            mend = Text(f"chmod 600 {file}", f"chmod 600 {file}")
            yield Finding(
                "keys",
                Text(f"Người khác đọc được {file}.", f"{file} is readable by others."),
                mend,
                wrong=False,
            )
    for folder in {Path(settings.store).parent, settings.bodies.folder} - {None}:
        if folder is not None and not is_url(settings.store) and folder.exists():
            free = shutil.disk_usage(folder).free
            if free < _ROOM_BYTES:
                mend = Text("Giải phóng dung lượng đĩa.", "Make room on the disk.")
                size = f"{free / 1e6:.0f} MB"
                yield Finding(
                    "disk", Text(f"{folder}: chỉ còn {size}.", f"{folder}: only {size} are left."), mend
                )


def _tables(settings: Settings) -> Iterator[Finding]:
    """What is read at each start from folders, and how agencies are spoken to."""
    loads: list[tuple[str, Callable[[], Any]]] = [
        ("catalogue", lambda: schemas.load_catalogue(settings.catalogue.directory)),
        ("directory", lambda: load_directory(settings.directory.folder)),
        ("calendar", lambda: load_deadlines(settings.calendar.folder)),
        ("policy", lambda: signing.load_policy(settings.trust.policy)),
        ("bodies", lambda: try_bodies(settings.bodies)),
        ("people", lambda: people_of(settings)),
        ("warnings", lambda: require_usable(open_channels(settings.warnings))),
        *((f"agency {one.id}", _opening(one.adapter, one.config)) for one in settings.agency),
    ]
    for name, load in loads:
        try:
            load()
        except _UNUSABLE as error:
            yield Finding(name, unusable(error), _START)


def _opening(adapter: str, config: dict[str, Any]) -> Callable[[], Any]:
    return lambda: adapters.open_adapter(adapter, config)


async def _store(settings: Settings, now: Clock) -> AsyncIterator[Finding]:
    again = Text(
        "Xem kho dữ liệu có chạy không, rồi thử lại.", "Look whether the store runs, then try again."
    )
    try:
        missing = await missing_migrations(settings.store)
        if missing:
            listed = ", ".join(missing)
            text = Text(f"Kho dữ liệu thiếu {listed}.", f"The store's schema lacks {listed}.")
            yield Finding(
                "store",
                text,
                Text("`efile migrate`, hoặc khởi động cổng.", "`efile migrate`, or start the gateway."),
            )
            return
        store = await open_store(settings.store, now)
    except (StoreUnavailable, ConfigurationError) as error:
        yield Finding(
            "store", Text(f"Không mở được (nguyên văn: {error}).", f"It cannot be opened: {error}"), again
        )
        return
    try:
        for check in (_database, _register, _sealed):
            async for finding in check(settings, store, now()):
                yield finding
    except StoreUnavailable as error:
        yield Finding(
            "store", Text(f"Không đọc được (nguyên văn: {error}).", f"It cannot be read: {error}"), again
        )
    finally:
        await store.close()


async def _database(_: Settings, store: Store, at: datetime) -> AsyncIterator[Finding]:
    apart = await store.database_time() - at.timestamp()
    if abs(apart) > _CLOCK_SECONDS:
        mend = Text("Bật NTP ở mọi máy.", "Let NTP set the clock of every machine.")
        text = Text(
            f"Đồng hồ máy này và cơ sở dữ liệu lệch {apart:.0f} giây.",
            f"This machine's clock and the database's are {apart:.0f} s apart.",
        )
        yield Finding("clock", text, mend)
    broken = (await store.broken_audit())[1]
    if broken:
        listed = ", ".join(str(seq) for seq in broken[:10])
        mend = Text(
            "Khôi phục từ bản sao lưu; báo kiểm toán viên.", "Compare with a backup; tell the auditor."
        )
        yield Finding(
            "audit",
            Text(f"Sổ kiểm toán bị sửa tại {listed}.", f"The audit record is broken at {listed}."),
            mend,
        )
    for process in await store.taken_over():
        for fault in process.faults:
            text = Text(
                f"{process.process} chưa theo sổ: {fault}", f"{process.process} could not take over: {fault}"
            )
            yield Finding(
                "processes",
                text,
                Text("Đặt khóa ở cùng chỗ trên mọi máy.", "Have the key at the same place on every node."),
            )


async def _register(settings: Settings, store: Store, at: datetime) -> AsyncIterator[Finding]:
    entries = await store.entries()
    try:
        policy = policy_at(settings.register.policy, at)
        trust = await asyncio.to_thread(_trust, settings, additions(entries), at)
        callers = [one for door in doors(settings).values() for one in client_cas(door, entries)]
    except _UNUSABLE as error:
        yield Finding("trust", unusable(error), _TRUST)
        return
    for finding in _held((*holdings(trust), *signing.held_authorities(callers)), entries, at):
        yield finding
    stage = Stage(settings, entries, policy, at, await store.agencies())
    for entry in entries:
        if entry.purpose in SINGLE and entry.state in IN_FORCE and entry.ends_at is None:
            for fault in await asyncio.to_thread(rehearse, entry, stage):
                wrong = entry.purpose in OUR_KEYS and not isinstance(fault, Doubt)
                yield Finding(entry.id, fault, _MENDS.get(entry.purpose, _RENEW), wrong)
        level = warning_level(entry, policy, at)
        if level is not None:
            yield _ending(entry, at, wrong=level == 0 and entry.purpose in OUR_KEYS)
        listed = entry.purpose is Purpose.CRL and entry.state in IN_FORCE
        if listed and list_level(entry.valid_from, entry.valid_to, policy, at) is not None:
            yield _ending(entry, at, wrong=False)
    for step in plan(entries, policy, at):
        if step.ours and step.late:
            yield Finding(
                step.entry, Text(f"Chậm: {step.text.vi}.", f"Late: {step.text.en}."), _RENEW, wrong=False
            )


async def _sealed(_: Settings, store: Store, __: datetime) -> AsyncIterator[Finding]:
    """What is under keys that are out or on their way out, or under keys that nobody knows."""
    counts = await store.sealed_counts()
    keys = {one.subject: one for one in await store.entries() if one.purpose is Purpose.BODIES}
    for name, count in counts.items():
        entry = keys.get(name or "")
        if entry is not None and entry.state in (Stands.ACTIVE, Stands.NEXT):
            continue
        if entry is not None:
            text = Text(
                f"Còn {count} nội dung mã hóa bằng khóa này.",
                f"{count} bodies and papers are still sealed with it.",
            )
            yield Finding(entry.id, text, _RESEAL, wrong=entry.state is not Stands.RETIRING)
        elif name:
            text = Text(
                f"{count} nội dung mã hóa bằng khóa {name!r} không có trong sổ.",
                f"{count} bodies and papers are sealed with the key {name!r}, which the register does not have.",
            )
            yield Finding("bodies", text, _BODY_KEY)
        elif keys:
            text = Text(
                f"{count} nội dung chưa mã hóa, hoặc chưa xem.",
                f"{count} bodies and papers are not sealed, or have not been looked at.",
            )
            yield Finding("bodies", text, _RESEAL, wrong=False)


def _ending(entry: Entry, at: datetime, *, wrong: bool) -> Finding:
    days = entry.days_left(at)
    text = (
        Text(f"Còn {days} ngày.", f"{days} days are left.")
        if days is None or days >= 0
        else Text("Đã hết hạn.", "It has ended.")
    )
    whose = f" ({entry.party})" if entry.party else ""
    return Finding(entry.id + whose, text, _RENEW if entry.purpose in OUR_KEYS else _THEIRS, wrong)


def _trust(settings: Settings, more: signing.Additions, at: datetime) -> signing.TrustStore:
    return signing.TrustStore.load(settings.trust.directory, at, more=more)


def _held(held: Iterable[signing.Holding], entries: Sequence[Entry], at: datetime) -> Iterator[Finding]:
    """What an entry of the register tells already is not told again."""
    told = {(entry.subject, entry.valid_to) for entry in entries}
    for one in dict.fromkeys(held):
        state = one.state(at)
        if state in (State.ENDED, State.SOON) and (one.name, one.until) not in told:
            until = f"{one.until:%Y-%m-%d %H:%M} UTC"
            ended = state is State.ENDED
            vi, en = ("đã hết hạn", "ended") if ended else ("sắp hết hạn", "ends")
            yield Finding(
                "trust",
                Text(f"{one.name} {vi} lúc {until}.", f"{one.name} {en} at {until}."),
                _TRUST,
                wrong=False,
            )
