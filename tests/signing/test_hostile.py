"""What hostile documents cost through verify_xml: under one second of CPU and 200 MB, each in a process of its own."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from signing import CANONICALISATIONS
from tests.cost import slowness
from tests.signing.conftest import SHARED
from tests.signing.documents import signed
from tests.signing.pki import Hierarchy

MAX_CPU_SECONDS = 1.0
MAX_MEGABYTES = 200
DS = "http://www.w3.org/2000/09/xmldsig#"
EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"

JUDGE = """
import json, os, sys
from datetime import UTC, datetime
import signing
trust = signing.TrustStore.of([])
at = datetime(2026, 3, 20, 9, tzinfo=UTC)
policies = [signing.load_policy(name) for name in ("tt15-2025", "conformance")]
signing.verify_xml(b"<a/>", policy=policies[0], trust=trust, at=at)
for path in sys.stdin.read().split("\\n"):
    for policy in policies:
        child = os.fork()
        if child == 0:
            data = open(path, "rb").read()
            report = signing.verify_xml(data, policy=policy, trust=trust, at=at, key="embedded")
            os._exit(1 if report.indication is signing.Indication.PASSED else 0)
        _, status, used = os.wait4(child, 0)
        cpu, megabytes = used.ru_utime + used.ru_stime, used.ru_maxrss / 1024
        print(json.dumps([path, policy.name, os.waitstatus_to_exitcode(status), cpu, megabytes]), flush=True)
"""


def document(reference: str, *, count: int = 1, body: str = "<b Id='b'>x</b>", key: str = "") -> bytes:
    """A document with a signature whose references all are `reference`; nothing in it verifies."""
    return (
        f'<a>{body}<Signature xmlns="{DS}"><SignedInfo><CanonicalizationMethod Algorithm="{EXCLUSIVE}"/>'
        '<SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"/>'
        f"{reference * count}</SignedInfo><SignatureValue>AAAA</SignatureValue><KeyInfo>{key}</KeyInfo></Signature></a>"
    ).encode()


def reference(uri: str, transforms: str = "") -> str:
    return (
        f'<Reference URI="{uri}"><Transforms>{transforms}</Transforms>'
        '<DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/><DigestValue>AAAA</DigestValue></Reference>'
    )


def transform(uri: str, inside: str = "") -> str:
    return f'<Transform Algorithm="{uri}">{inside}</Transform>'


def rsa_key(modulus: str, exponent: str) -> str:
    numbers = f"<Modulus>{modulus}</Modulus><Exponent>{exponent}</Exponent>"
    return f"<KeyValue><RSAKeyValue>{numbers}</RSAKeyValue></KeyValue>"


def subject(text: str) -> str:
    return f"<X509Data><X509SubjectName>{text}</X509SubjectName></X509Data>"


def properties(content: str) -> bytes:
    """The end of a signature whose signed properties hold that."""
    return (
        "<Object><x:QualifyingProperties xmlns:x='http://uri.etsi.org/01903/v1.3.2#' Target='#s'><x:SignedProperties "
        f"Id='p'>{content}</x:SignedProperties></x:QualifyingProperties></Object></Signature>"
    ).encode()


def inclusive(prefixes: str) -> str:
    return f'<e:InclusiveNamespaces xmlns:e="{EXCLUSIVE}" PrefixList="{prefixes}"/>'


PROPERTIES = "http://uri.etsi.org/01903#SignedProperties"
SHA256 = b"http://www.w3.org/2001/04/xmlenc#sha256"
SHA3 = b"http://www.w3.org/2007/05/xmldsig-more#sha3-512"
XPATH = "http://www.w3.org/TR/1999/REC-xpath-19991116"
DEFAULT = transform(EXCLUSIVE, inclusive("#default " + "p " * 30))
ENVELOPED = transform(DS + "enveloped-signature")
EVERY = "".join(transform(uri) for uri in list(CANONICALISATIONS)[:3])
SCOPES = " ".join(f'xmlns:n{i}="u:{i}"' for i in range(60))
WIDE = "".join(f"<e a='{i}'>{i}</e>" for i in range(40_000))
NUMBER = "/" * 2732


BOMBS: dict[str, Callable[[], bytes]] = {
    "attributes": lambda: b"<a " + b" ".join(b"a%d=''" % i for i in range(100_000)) + b"/>",
    "namespaces": lambda: b"<a " + b" ".join(b"xmlns:n%d='u:%d'" % (i, i) for i in range(20_000)) + b"/>",
    "namespaces in scope": lambda: (
        b"<a " + b" ".join(b"xmlns:n%d='u:%d'" % (i, i) for i in range(2000)) + b">" + b"<b/>" * 2000 + b"</a>"
    ),
    "namespaces as allowed": lambda: document(
        reference("", ENVELOPED + EVERY), count=16, body=f"<b {SCOPES}>{'<c/>' * 3000}</b>"
    ),
    "elements": lambda: document(reference("", ENVELOPED), body="<b/>" * 499_000),
    "depth": lambda: b"<a>" * 200_000,
    "laughs": lambda: b'<!DOCTYPE a [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><a>&b;</a>',
    "comments": lambda: document(reference("#xpointer(/)", ENVELOPED), body="x<!---->" * 300_000),
    "comments in a part": lambda: document(
        reference("#xpointer(id('b'))"), body=f"<b Id='b'>{'x<!---->' * 440_000}</b>"
    ),
    "comments, exclusive": lambda: document(
        reference("#xpointer(id('b'))", transform(EXCLUSIVE + "WithComments")),
        body=f"<b Id='b'>{'x<!---->' * 440_000}</b>",
    ),
    "comments in SignedInfo": lambda: document(reference("#b", transform(EXCLUSIVE, "<!---->x" * 440_000))),
    "elements in SignedInfo": lambda: document(reference("#b", transform(DS, "<b/>x" * 440_000))),
    "attributes of many": lambda: document(reference("", ENVELOPED), body="<b a='1'/>" * 290_000),
    "ids that are none": lambda: document(reference("", ENVELOPED), body="<b Id2='1'/>" * 290_000),
    "elements and texts": lambda: document(reference("", ENVELOPED), body="<b>1</b>x" * 290_000),
    "greater than": lambda: document(reference("", ENVELOPED), body="<b/>>" * 440_000),
    "elements of one name": lambda: document(
        reference("#b", ENVELOPED) + reference("#c", ENVELOPED),
        body=f"<b Id='b'>{'<b/>' * 240_000}</b><b Id='c'>{'<b/>' * 240_000}</b>",
    ),
    "parts of one name": lambda: document(
        "".join(reference(f"#b{i}") for i in range(16)),
        body="".join(f"<b Id='b{i}'/>" for i in range(16)) + "<b/>" * 440_000,
    ),
    "prefixes in parts": lambda: document(
        "".join(reference(f"#b{i}", transform(EXCLUSIVE, inclusive("p"))) for i in range(16)),
        body="<p xmlns:p='u:p'>" + "".join(f"<b Id='b{i}'>{'<c/>' * 27_000}</b>" for i in range(16)) + "</p>",
    ),
    "signed properties": lambda: document(
        reference("#p").replace("<Reference ", f"<Reference Type='{PROPERTIES}' ")
    )
    .replace(b"<Signature ", b"<Signature Id='s' ")
    .replace(b"</Signature>", properties("<b/>x" * 440_000)),
    "instructions": lambda: document(reference("", ENVELOPED), body="<?a?>x" * 300_000),
    "ids": lambda: document(reference("#b1"), body="".join(f"<b Id='b{i}'/>" for i in range(60_000))),
    "references": lambda: document(reference("", ENVELOPED + EVERY), count=64, body=WIDE),
    "references without end": lambda: document(reference("#b"), count=50_000),
    "default namespace": lambda: document(reference("", ENVELOPED + DEFAULT), count=16, body=WIDE),
    "default namespace, deep": lambda: document(
        reference("", ENVELOPED + DEFAULT),
        body="<b xmlns='u:1'><b xmlns='u:2'>" * 45 + WIDE + "</b></b>" * 45,
    ),
    "prefixes": lambda: document(
        reference("", transform(EXCLUSIVE, inclusive(" ".join(f"p{i}" for i in range(50_000)))))
    ),
    "signatures": lambda: (
        b"<a>" + document(reference("", ENVELOPED), body=WIDE[:80_000].rpartition("<e")[0]) * 16 + b"</a>"
    ),
    "references with SHA3-512": lambda: (
        b"<a><b Id='b'>%b</b>%b</a>"
        % (b"x" * 980_000, document(reference("#b"), count=16, body="").replace(SHA256, SHA3) * 16)
    ),
    "too many signatures": lambda: b"<a>" + document(reference("#b")) * 2000 + b"</a>",
    "large key": lambda: document(reference("#b"), key=rsa_key(NUMBER[:2728] + "////", NUMBER[:2732])),
    "larger key": lambda: document(reference("#b"), key=rsa_key(NUMBER * 20, "AQAB")),
    "exponent": lambda: document(reference("#b"), key=rsa_key(NUMBER[:508] + "////", NUMBER[:508])),
    "base64": lambda: document(reference("#b"), key=rsa_key("A" * 5_000_000, "AQAB")),
    "expression": lambda: document(reference("", transform(XPATH, f"<XPath>{'(' * 500_000}</XPath>"))),
    "spaces": lambda: document(reference("", transform(XPATH, f"<XPath>not{' ' * 1_000_000}</XPath>"))),
    "names": lambda: document(reference("#b"), key=subject('CN="' * 50_000)),
    "names in parts": lambda: document(reference("#b"), key=subject("A=\\," * 100_000)),
    "other encoding": lambda: (
        b'<?xml version="1.0" encoding="ISO-8859-1"?>' + document(reference("")) + b"\xe9" * 3_000_000
    ),
    "wide characters": lambda: document(reference("", ENVELOPED), body=WIDE).decode().encode("utf-16"),
    "noise": lambda: random.Random(1).randbytes(2_000_000),
}  # fmt: skip


Row = tuple[str, str, int, float, float]
"""A file's path, the policy, 0 where it is not accepted, CPU seconds, megabytes."""


def judge(files: list[Path]) -> list[Row]:
    """Every file under both policies."""
    told = subprocess.run(
        [sys.executable, "-c", JUDGE],
        input="\n".join(map(str, files)),
        capture_output=True,
        text=True,
        check=True,
    )
    return [json.loads(line) for line in told.stdout.splitlines()]


def too_dear(rows: list[Row]) -> list[Row]:
    limit = MAX_CPU_SECONDS * slowness()
    return [row for row in rows if row[3] > limit]


def test_hostile_documents_are_cheap(
    tmp_path: Path, pki: Hierarchy, capsys: pytest.CaptureFixture[str]
) -> None:
    files = []
    for number, (name, make) in enumerate(BOMBS.items()):
        files.append(tmp_path / f"{number:02}-{name.replace(' ', '-')}")
        files[-1].write_bytes(make())
    large = signed(pki.taxpayer, b"<a><b id='ID_1'>" + b"<c>1</c>" * 120_000 + b"</b><d/></a>", place="d")
    (tmp_path / "large").write_bytes(large.replace(b"<c>1</c>", b"<c>2</c>", 1))
    files.append(tmp_path / "large")
    vectors = SHARED / "vectors" / "cases.json"
    if vectors.exists():
        cases = json.loads(vectors.read_text("utf-8"))
        files += [vectors.parent / case["path"] for case in cases if case["family"].startswith("hostile")]
    rows = judge(files)
    worst = [*sorted(rows, key=lambda row: -row[3])[:3], *sorted(rows, key=lambda row: -row[4])[:3]]
    with capsys.disabled():
        print(f"\n{len(files)} hostile documents, dearest and largest: " + "; ".join(
            f"{Path(path).name} {cpu:.2f} s {megabytes:.0f} MB" for path, _, _, cpu, megabytes in worst
        ))  # fmt: skip
    assert len(rows) == 2 * len(files)
    assert [row for row in rows if row[2] != 0] == [], "accepted, crashed or killed"
    assert [row for row in rows if row[4] > MAX_MEGABYTES] == []
    for _ in range(2):
        dear = too_dear(rows)
        rows = judge(sorted({Path(row[0]) for row in dear})) if dear else []
    assert too_dear(rows) == []
