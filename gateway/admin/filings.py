"""A filing's whole story, as administrators see it."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any

import msgspec

from gateway.admin.times import local
from gateway.api.answers import attempt_json, filing_json
from gateway.filing.filing import Filing, NoticeKind
from gateway.store.queue import QueueFilter
from gateway.store.store import Store


async def story(store: Store, number: str) -> dict[str, Any] | None:
    """All that is known of a filing, by its number or dossier code: where it stands, its place in the queue, events,
    attempts with the nodes that made them, notices given, judgements of its signatures, verdict. None: no such filing.
    """
    filing = await _find(store, number)
    if filing is None:
        return None
    waiting = await store.waiting(QueueFilter(numbers=(filing.number,)))
    notices = [
        {"kind": notice.kind.value, "issuedAt": local(notice.issued_at)}
        for kind in NoticeKind
        if (notice := await store.notice(filing.number, [kind])) is not None
    ]
    verdict = await store.verdict(filing.number)
    attempts = await store.attempts(filing.number)
    events = await store.events(filing.number)
    found: dict[str, Any] = msgspec.to_builtins(
        {
            **filing_json(filing, (), await store.handovers(filing.number), events),
            "provider": filing.provider,
            "queue": asdict(waiting[0]) if waiting else None,
            "events": [
                {"at": event.at.isoformat(), "event": event.name, "detail": event.detail} for event in events
            ],
            "attempts": [attempt_json(one) | {"node": one.node} for one in attempts],
            "notices": notices,
            "judgements": [_judgement(one) for one in await store.evidence(filing.number)],
            "verdict": verdict,
        }
    )
    del found["links"]  # they are the provider's
    return found


async def search(store: Store, text: str, limit: int = 200) -> list[dict[str, Any]]:
    """The filings that a filing number, a dossier code or a tax code names, the newest first."""
    wanted = text.strip()
    one = await _find(store, wanted)
    found = [one] if one is not None else await store.filings_of(wanted, limit) if is_plain(wanted) else []
    return [
        {
            "number": filing.number,
            "dossierCode": filing.dossier_code,
            "status": filing.status.value,
            "receivedAt": local(filing.received_at),
            "form": filing.summary.form_label if filing.summary else None,
            "formCode": filing.summary.form_code if filing.summary else None,
            "period": filing.summary.period if filing.summary else None,
            "taxpayerCode": filing.summary.taxpayer_code if filing.summary else None,
            "taxpayerName": filing.summary.taxpayer_name if filing.summary else None,
            "agency": filing.agency,
            "provider": filing.provider,
        }
        for filing in found
    ]


def is_plain(text: str) -> bool:
    """Whether it can be a number or a code at all; what no engine takes as a text is none."""
    return 0 < len(text) <= 100 and text.isprintable()


async def _find(store: Store, number: str) -> Filing | None:
    if not is_plain(number):
        return None
    return await store.filing(number) or await store.dossier(number)


def _judgement(evidence: dict[str, Any]) -> dict[str, Any]:
    """Of the evidence: when, by which policy, and to what end for each signer."""
    return {
        "at": local(datetime.fromisoformat(evidence["at"])),
        "policy": evidence["policy"],
        "signatures": [
            {name: one[name] for name in ("signer", "indication", "subIndication")}
            for one in evidence["signatures"]
        ],
    }
