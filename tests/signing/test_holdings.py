"""What a trust store holds and until when, as `efile trust` and the gateway's log tell it."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from signing import TrustStore, holdings
from signing.holdings import Kind, State
from signing.trust import Window
from tests.signing.pki import AT, Hierarchy, signer
from tests.signing.trusted_lists import Entry, signed_list, unsigned_list

DAY = timedelta(days=1)
TICK = timedelta(seconds=1)


def states(store: TrustStore, kind: Kind, at: datetime = AT) -> list[State]:
    return [one.state(at) for one in holdings(store) if one.kind is kind]


@pytest.mark.parametrize(
    ("lives", "left", "state"),
    [
        (30, timedelta(days=7), State.IN_FORCE),
        (30, timedelta(days=7) - TICK, State.SOON),
        (30, timedelta(), State.SOON),
        (30, -TICK, State.ENDED),
        (2, timedelta(days=1), State.IN_FORCE),  # a daily list is not told every day
        (2, timedelta(days=1) - TICK, State.SOON),
        (2, timedelta(days=2) + TICK, State.NOT_YET),
    ],
)
def test_when_a_revocation_list_ends(pki: Hierarchy, lives: int, left: timedelta, state: State) -> None:
    end = AT + left
    crl = pki.root.crl(end - lives * DAY, end)
    assert states(TrustStore.of([pki.root.certificate], crls=[crl]), Kind.CRL) == [state]


def test_only_the_newest_list_counts(pki: Hierarchy) -> None:
    old, new = pki.root.crl(AT - 90 * DAY, AT - DAY), pki.root.crl(AT - DAY, AT + 90 * DAY)
    assert states(TrustStore.of([pki.root.certificate], crls=[new, old]), Kind.CRL) == [State.IN_FORCE]


def test_an_anchor_ends_with_its_certificate_or_the_trust_in_it(pki: Hierarchy) -> None:
    root = pki.root.certificate
    assert states(TrustStore.of([root]), Kind.ANCHOR, root.not_valid_after_utc) == [State.SOON]
    assert states(TrustStore.of([root]), Kind.ANCHOR, root.not_valid_after_utc + DAY) == [State.ENDED]
    dated = TrustStore.of([root], windows={root: (Window(end=AT - DAY), Window(AT + DAY, AT + 90 * DAY))})
    assert states(dated, Kind.ANCHOR) == [State.NOT_YET]
    assert states(dated, Kind.ANCHOR, AT + 85 * DAY) == [State.SOON]


def test_a_trusted_list_that_has_ended_is_told_and_its_anchors_are_gone(
    pki: Hierarchy, tmp_path: Path
) -> None:
    operator = signer(pki.ca, number=90)
    (tmp_path / "lists/scheme").mkdir(parents=True)
    (tmp_path / "lists/scheme/operator.cer").write_bytes(operator.certificate.public_bytes(Encoding.DER))
    (tmp_path / "anchors").mkdir()
    (tmp_path / "anchors/own.cer").write_bytes(pki.root.certificate.public_bytes(Encoding.DER))
    listed = unsigned_list(Entry(pki.ca.certificate), next_update=AT + 20 * DAY)
    (tmp_path / "lists/vn.xml").write_bytes(signed_list(listed, operator))
    now, later, after = (AT, AT + 15 * DAY, AT + 21 * DAY)
    for at, state, anchors in (
        (now, State.IN_FORCE, 2),
        (later, State.SOON, 2),
        (after, State.ENDED, 1),
    ):
        store = TrustStore.load(tmp_path, at)
        assert states(store, Kind.LIST, at) == [state]
        assert states(store, Kind.ANCHOR, at) == [State.IN_FORCE] * anchors, "told by the list alone"
