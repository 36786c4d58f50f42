"""What a signer signed about the signature for people to read: policy, commitments, roles, place.

EN 319 132-1 and EN 319 122-1, clauses 5.2.3, 5.2.5, 5.2.6, 5.2.9. They are told; only which signature policies are
taken is a rule (`Policy.signature_policies`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from lxml import etree

from signing.algorithms import XADES
from signing.asn1 import SEQUENCE, Asn1Refused, Element
from signing.elements import printable, refuse_structure
from signing.policy import IMPLIED_POLICY, NO_POLICY, Policy
from signing.report import Check, Statements, failed, passed

MAX_STATEMENTS = 32
_X = f"{{{XADES}}}"
_ROLES = (f"{_X}SignerRole", f"{_X}SignerRoleV2")
_PLACES = (f"{_X}SignatureProductionPlace", f"{_X}SignatureProductionPlaceV2")
_CERTIFIED = ("CertifiedRole", "CertifiedRolesV2", "SignedAssertions")
COMMITMENT = "1.2.840.113549.1.9.16.2.16"
LOCATION = "1.2.840.113549.1.9.16.2.17"


def check_signature_policy(statements: Statements, policy: Policy) -> list[Check]:
    """Against those that the policy takes; one that is taken is told, for nobody judges by its text."""
    named, taken = statements.signature_policy, policy.signature_policies
    if taken is not None and named not in taken:
        return [failed("signature.policy", named=named or "(none)")]
    if taken is None and named not in (NO_POLICY, IMPLIED_POLICY):
        return [failed("signature.policy-told", named=named)]
    return [passed("signature.policy")]


def xades_statements(root: etree._Element) -> Statements:
    """Out of SignedProperties, as they were signed. Raises CheckFailed (format.structure) for what stands twice."""
    signature, data = (root.find(f"{_X}Signed{name}Properties") for name in ("Signature", "DataObject"))
    held = [] if signature is None else list(signature)
    roles = _only([each for each in held if each.tag in _ROLES], "SignerRole")
    place = _only([each for each in held if each.tag in _PLACES], "SignatureProductionPlace")
    policy = _only(
        [e for e in held if e.tag == f"{_X}SignaturePolicyIdentifier"], "SignaturePolicyIdentifier"
    )
    commitments = [] if data is None else data.findall(f"{_X}CommitmentTypeIndication")
    return Statements(
        _xades_policy(policy),
        _texts(each.find(f"{_X}CommitmentTypeId/{_X}Identifier") for each in _few(commitments)),
        () if roles is None else _texts(_few(roles.findall(f"{_X}ClaimedRoles/{_X}ClaimedRole"))),
        0 if roles is None else sum(1 for name in _CERTIFIED for _ in roles.iter(f"{_X}{name}")),
        () if place is None else _texts(_few(list(place))),
    )


def _xades_policy(element: etree._Element | None) -> str:
    if element is None:
        return NO_POLICY
    if element.find(f"{_X}SignaturePolicyImplied") is not None:
        return IMPLIED_POLICY
    found = _texts([element.find(f"{_X}SignaturePolicyId/{_X}SigPolicyId/{_X}Identifier")])
    return found[0] if found else refuse_structure("SignaturePolicyIdentifier without an identifier")


def _only(found: list[etree._Element], name: str) -> etree._Element | None:
    if len(found) > 1:
        refuse_structure(f"several {name}")
    return found[0] if found else None


def _few(found: list[etree._Element]) -> list[etree._Element]:
    if len(found) > MAX_STATEMENTS:
        refuse_structure(f"more than {MAX_STATEMENTS} statements of one kind")
    return found


def _texts(elements: Iterable[etree._Element | None]) -> tuple[str, ...]:
    texts = (" ".join("".join(map(str, e.itertext())).split()) for e in elements if e is not None)
    return tuple(printable(text) for text in texts if text)


def cms_statements(policy: str, attributes: Mapping[str, tuple[Element, ...]]) -> Statements:
    """Out of signed attributes by identifier; `policy` as in Statements. Raises Asn1Refused."""
    commitments = attributes.get(COMMITMENT, ())
    if len(commitments) > MAX_STATEMENTS:
        raise Asn1Refused(f"more than {MAX_STATEMENTS} commitments")
    place = [part for value in attributes.get(LOCATION, ()) for part in _strings(value)]
    return Statements(
        policy,
        tuple(value.list(SEQUENCE, least=1, limit=2)[0].oid() for value in commitments),
        place=tuple(place),
    )


def _strings(value: Element) -> list[str]:
    """SignerLocation: country [0], locality [1], postal address [2], each a DirectoryString."""
    texts = []
    for part in value.list(SEQUENCE, limit=3):
        for inner in part.list(limit=8):
            leaves = inner.list(limit=8) if inner.constructed else [inner]
            texts += [printable(leaf.content[:400].decode("utf-8", "replace")) for leaf in leaves]
    return [text for text in texts if text]
