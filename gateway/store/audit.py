"""The audit record: append-only, each entry chained to the one before by SHA-256; and what can stand in it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime

from gateway.filing.findings import Text
from gateway.store.rows import Row, json_text, time_text
from gateway.store.statements import FOR_UPDATE, Part, Statement

HOLD_AUDIT = f"SELECT value FROM epoch {FOR_UPDATE}"
"""One seeding, and one audit record, at a time: each reads what the one before wrote."""

_SEEDED = {
    "provider": ("nhà cung cấp T-VAN", "a T-VAN provider"),
    "agency": ("cơ quan giải quyết", "an agency's back-end"),
    "client_certificate": ("chứng thư máy khách", "a client certificate"),
    "limits": ("giới hạn", "a limit"),
}

EVENTS: Mapping[str, Text] = {
    **{f"{table}.add": Text(f"thêm {vi}", f"{en} is new") for table, (vi, en) in _SEEDED.items()},
    **{f"{table}.change": Text(f"thay đổi {vi}", f"{en} is changed") for table, (vi, en) in _SEEDED.items()},
    "signing_key.add": Text("thêm khóa ký thông báo", "a key of notices is new (before the register)"),
    "signing_key.change": Text(
        "thay đổi khóa ký thông báo", "a key of notices is changed (before the register)"
    ),
    "client_certificate.retire": Text(
        "ngừng dùng chứng thư máy khách", "a client certificate is switched off"
    ),
    "client_certificate.restore": Text(
        "dùng lại chứng thư máy khách", "a client certificate is switched on again"
    ),
    "client_certificate.revoke": Text("thu hồi chứng thư máy khách", "a client certificate is out for good"),
    "provider.suspend": Text("tạm ngừng nhà cung cấp T-VAN", "a T-VAN provider is suspended"),
    "provider.resume": Text("cho nhà cung cấp T-VAN hoạt động lại", "a T-VAN provider is served again"),
    "person.add": Text("thêm người quản trị", "an administrator is new"),
    "person.change": Text(
        "thay đổi người quản trị", "an administrator's roles, account or certificates change"
    ),
    "person.suspend": Text("tạm ngừng người quản trị", "an administrator is suspended"),
    "person.resume": Text("cho người quản trị hoạt động lại", "an administrator is let in again"),
    "person.propose": Text(
        "đề nghị thay đổi người quản trị", "a change of an administrator waits for a second person"
    ),
    "person.approve": Text(
        "phê duyệt thay đổi người quản trị", "a second person has approved the change of an administrator"
    ),
    "filing.replay": Text("gửi lại hồ sơ", "a stuck filing goes on its way again"),
    "filing.hold": Text("giữ hồ sơ", "a filing is held"),
    "filing.release": Text("thả hồ sơ", "a held filing goes on"),
    "handover.replay": Text("chuyển lại hồ sơ cho cơ quan phối hợp", "a handover goes on its way again"),
    "filing.keep": Text("giữ lại quá thời hạn lưu trữ", "a filing is kept beyond its term"),
    "filing.unkeep": Text("thôi giữ lại", "a filing's terms count again"),
    "retention.body": Text("xóa nội dung hết thời hạn lưu trữ", "bodies past their term were removed"),
    "retention.papers": Text("xóa tài liệu hết thời hạn lưu trữ", "papers past their term were removed"),
    "retention.record": Text("xóa hồ sơ hết thời hạn lưu trữ", "filings past their term were removed"),
    "notices.reissue": Text(
        "ký lại thông báo của khóa đã thu hồi", "notices of a revoked key were signed anew"
    ),
    "bodies.reseal": Text(
        "bắt đầu mã hóa lại nội dung bằng khóa đang dùng", "bodies are being sealed anew with the key in use"
    ),
    "bodies.resealed": Text("đã mã hóa lại nội dung", "bodies were sealed anew: how many, what is left"),
    "agency.hold": Text("ngừng gọi cơ quan", "a back-end is called no more"),
    "agency.release": Text("gọi lại cơ quan", "a back-end is called again"),
    "incident.declare": Text("khai báo sự cố", "an incident is declared"),
    "incident.end": Text("kết thúc sự cố", "an incident has ended"),
    "certificate.add": Text("thêm chứng thư vào sổ", "a certificate, key or list enters the register"),
    "certificate.rehearse": Text("diễn tập", "a coming change was rehearsed"),
    "certificate.propose": Text("đề nghị thay đổi", "a change waits for a second person"),
    "certificate.approve": Text("phê duyệt thay đổi", "a second person has approved the change"),
    "certificate.schedule": Text("hẹn ngày dùng", "when it takes over, or is retired, is set"),
    "certificate.next": Text("đưa vào sổ lại", "a retired one may come next again"),
    "certificate.activate": Text("bắt đầu dùng", "it is in use from now on"),
    "certificate.retiring": Text("sắp ngừng dùng", "another has taken over; it is valid for a while yet"),
    "certificate.retire": Text("ngừng dùng", "it is used no more"),
    "certificate.revoke": Text("thu hồi", "it is revoked"),
}
"""Every act, with its meaning. `docs/audit-events.md` is this table; other acts are not written."""

READ_AUDIT = "SELECT seq, previous, at, actor, act, subject, detail, hash FROM audit ORDER BY seq"


def append_audit(at: datetime, actor: str, act: str, subject: str, detail: str) -> Part:
    """Append one record, chained to the last by SHA-256 over the previous hash and its own fields."""
    if act not in EVENTS:
        raise ValueError(f"{act} is no event of the audit record")
    yield Statement(HOLD_AUDIT, [()], fetch=True)
    (last,) = yield Statement("SELECT hash FROM audit ORDER BY seq DESC LIMIT 1", [()], fetch=True)
    previous = last[0][0] if last else ""
    fields = [previous, time_text(at), actor, act, subject, detail]
    yield Statement(
        "INSERT INTO audit (previous, at, actor, act, subject, detail, hash) VALUES (?, ?, ?, ?, ?, ?, ?)",
        [(*fields, _hash(fields))],
    )


def broken_links(rows: Iterable[Row]) -> list[int]:
    """The numbers of the entries, of all in order, that were changed, or whose one before is not the one it was."""
    broken, before = [], ""
    for seq, previous, *said, digest in rows:
        if digest != _hash([previous, *said]) or previous != before:
            broken.append(seq)
        before = digest
    return broken


def _hash(fields: list[str]) -> str:
    return hashlib.sha256(json_text(fields).encode()).hexdigest()
