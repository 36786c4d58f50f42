"""Declarations put together anew by a stranger with a certificate of his own: what is taken in is what was signed."""

from __future__ import annotations

import hashlib
from collections import Counter
from datetime import UTC, datetime

import pytest
from lxml import etree

import certs_dev
import schemas
import signing
from gateway.errors import Unreadable
from gateway.intake.identify import Identified
from gateway.intake.receive import Received
from gateway.intake.validate import Refusal
from gateway.intake.verify import SignatureRules
from gateway.journey import Checks, examine
from gateway.ports import Provider
from tests.documents import sign, signed
from tests.signing.adversary import DS, Attacker

EVIL = "666000666"
VARIANTS = 600
BODY = f"{schemas.TAX.tag('HSoKhaiThue')}"


@pytest.mark.parametrize("signers", [("taxpayer",), ("taxpayer", "tvan")])
def test_only_what_the_taxpayer_signed_is_taken_in(signers: tuple[str, ...], pki: certs_dev.DevPki) -> None:
    rules = SignatureRules(signing.load_policy("tt15-2025"), signing.TrustStore.load(pki.trust))
    checks = Checks(signing.ParseLimits(), rules, schemas.load_catalogue())
    provider = Provider("offline", "T-VAN", "0100000003", active=True, signs_filings=False)
    genuine = signed(pki, *signers)
    own = tuple(sign(pki, _evil(genuine), "other-company", profile=p) for p in ("xmldsig", "xades-b"))
    attacker, table, body = Attacker(len(signers), EVIL, own), Counter[str](), _body(genuine)
    names = {_local(e) for e in etree.fromstring(genuine).find(BODY).iter("*")}  # type: ignore[union-attr]
    for variant in (genuine, *(attacker.variant(genuine) for _ in range(VARIANTS))):
        received = Received(variant, hashlib.sha256(variant).digest(), datetime.now(UTC), provider, None)
        try:
            examined = examine(Identified(received), checks)
        except Unreadable:
            table["unreadable"] += 1
            continue
        if isinstance(examined, Refusal):
            assert variant is not genuine, examined.findings
            table["refused"] += 1
            continue
        table["taken in"] += 1
        assert _body(variant) == body, variant
        beside = [e for e in etree.fromstring(variant).iter("*") if _local(e) in names and not _in_body(e)]
        assert [e.tag for e in beside if not e.tag.startswith(f"{{{DS}}}")] == [], variant
    assert table["taken in"] > 0
    assert table["refused"] > VARIANTS // 2
    assert table["unreadable"] > 0


def _evil(document: bytes) -> bytes:
    """The attacker's own declaration, unsigned: other figures, nobody's signature."""
    root = etree.fromstring(document)
    root.remove(root[1])
    for leaf in [e for e in root.iter("*") if not len(e) and _local(e).startswith("ct")]:
        leaf.text = EVIL
    return etree.tostring(root)


def _body(document: bytes) -> bytes:
    found = etree.fromstring(document).findall(BODY)
    assert len(found) == 1, document
    found[0].tail = None
    return bytes(etree.tostring(found[0], method="c14n", exclusive=True, with_comments=False))


def _in_body(element: etree._Element) -> bool:
    return element.tag == BODY or any(a.tag == BODY for a in element.iterancestors())


def _local(element: etree._Element) -> str:
    return str(etree.QName(element).localname)
