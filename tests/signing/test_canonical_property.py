"""Canonicalisation against libxml2's own node-set algorithm, through xmlsec1, over generated documents.

We digest and sign; xmlsec1 digests the same references by itself and verifies. Every document has up to twelve
references: root and part, three methods, with and without comments.
"""

from __future__ import annotations

import base64
import os
import random
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from lxml import etree

from signing import CANONICALISATIONS, CanonicalisationRefused, canonicalise, parse_xml
from signing.algorithms import DS, digest
from signing.canonical import INCLUSIVE, _inherit, _inherited_xml_attributes, form_of
from signing.elements import element_children
from signing.references import reader_of
from signing.transforms import EXCLUSIVE, read_transform
from signing.xmldsig import Reference

FEW, MANY = 500, int(os.environ.get("C14N_DOCUMENTS", "5000"))
"""With every run, and with `make interop`."""
BATCH = 250
SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"
URIS = ("u:1", "u:2", "urn:x", "http://kekhaithue.gdt.gov.vn/TKhaiThue")
TEXTS = (
    "",
    "",
    " \n\t",
    "chữ &amp; &#13;",
    "]]&gt;",
    "<!-- ghi - chú -->",
    "<![CDATA[<&>]]>",
    "<?pi  x y ?>",
    "𠀀&#xA0;",
)
VALUES = ("", "v", " a  b ", "&#9;&#10;&#13;", "&lt;&quot;'&gt;&amp;", "chữ")


class Generated:
    """One document from a seed: namespaces declared, repeated, taken back and shadowed, xml:* attributes, odd text."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.base_above = seed % 8 == 0  # then C14N 1.1 of the part is refused, and asked for by nobody

    def document(self, signature: str) -> str:
        rng = self.rng
        scope = {"": "u:0", "w": "u:w"}
        middle = ' xmlns:x="u:1"' + rng.choice(["", ' xmlns=""', ' xmlns="u:0"', ' xmlns:w="u:2"'])
        inner = {**scope, "x": "u:1"} | ({"": ""} if 'xmlns=""' in middle else {})
        inner |= {"w": "u:2"} if "xmlns:w" in middle else {}
        above = "".join(f' xml:{n}="{rng.choice("ab")}"' for n in ("lang", "id") if rng.random() < 0.4)
        above += ' xml:base="http://h/"' if self.base_above else ""
        around = [rng.choice(["", "<!-- c -->", "\n<?p q?>\n"]) for _ in range(3)]
        return (
            f'<?xml version="1.0" encoding="UTF-8"?>{around[0]}<root xmlns="u:0" xmlns:w="u:w"{above}>{around[1]}'
            f"<mid{middle}{self.attributes(inner, base=False)}>{rng.choice(TEXTS)}{self.element(0, inner, part=True)}"
            f"{rng.choice(TEXTS)}</mid>{signature}{rng.choice(TEXTS)}</root>{around[2]}"
        )

    def attributes(self, scope: dict[str, str], *, part: bool = False, base: bool = True) -> str:
        rng = self.rng
        names = [prefix for prefix, uri in scope.items() if prefix and list(scope.values()).count(uri) == 1]
        found = [f'{p}:{n}="{rng.choice(VALUES)}"' for p in names for n in ("b", "a") if rng.random() < 0.2]
        found += [f'{n}="{rng.choice(VALUES)}"' for n in ("z", "a", "B") if rng.random() < 0.2]
        found += [f'xml:lang="{rng.choice(["vi", "en", ""])}"'] if rng.random() < 0.2 else []
        found += ['xml:space="preserve"'] if rng.random() < 0.15 else []
        found += [f'xml:base="{rng.choice(["x/", "http://h/y"])}"'] if base and rng.random() < 0.05 else []
        found += ['xml:id="part"'] if part else []
        rng.shuffle(found)
        return "".join(f" {attribute}" for attribute in found)

    def element(self, depth: int, scope: dict[str, str], *, part: bool = False) -> str:
        rng, scope, declared = self.rng, dict(scope), ""
        for prefix in ("", "x", "y", "z", "w"):
            if rng.random() < 0.25:
                repeated = scope.get(prefix, "u:1") if rng.random() < 0.3 else rng.choice(URIS)
                uri = rng.choice([repeated, ""]) if prefix == "" else repeated
                scope[prefix] = uri
                declared += f' xmlns{":" if prefix else ""}{prefix}="{uri}"'
        prefix = rng.choice([*scope, "", "", "xml"] if depth > 2 else [*scope, "", ""])
        tag = f"{prefix}:e" if prefix else "e"
        attributes = self.attributes(scope, part=part)
        inner = "".join(
            rng.choice(TEXTS) + (self.element(depth + 1, scope) if depth < 4 else "")
            for _ in range(rng.randint(0, 3))
        )
        return f"<{tag}{declared}{attributes}>{inner}</{tag}>"


def references(rng: random.Random, base_above: bool) -> list[tuple[str, str]]:
    """URI and transforms: twelve of them, ten where xml:base stands above the part."""
    enveloped = f'<Transform Algorithm="{DS}enveloped-signature"/>'
    found = []
    for uri, method in CANONICALISATIONS.items():
        names = " ".join(n for n in ("#default", "x", "w", "none") if rng.random() < 0.3)
        listed = f'<e:InclusiveNamespaces xmlns:e="{EXCLUSIVE}" PrefixList="{names}"/>'
        c14n = f'<Transform Algorithm="{uri}">{listed if method.family == "exclusive" and names else ""}</Transform>'
        found.append(("#xpointer(/)" if method.comments else "", enveloped + c14n))
        if base_above and method.family == "1.1":
            continue
        found.append(("#xpointer(id('part'))" if method.comments else "#part", c14n))
    return found


def signed(seed: int, key: ec.EllipticCurvePrivateKey) -> bytes:
    """A generated document, digested and signed by our canonicalisation."""
    wanted = references(random.Random(-seed), Generated(seed).base_above)
    body = "".join(
        f'<Reference URI="{uri}"><Transforms>{transforms}</Transforms><DigestMethod Algorithm="{SHA256}"/>'
        f"<DigestValue>@{number}@</DigestValue></Reference>"
        for number, (uri, transforms) in enumerate(wanted)
    )
    text = Generated(seed).document(
        f'<Signature xmlns="{DS}"><SignedInfo><CanonicalizationMethod Algorithm="{INCLUSIVE.uri}"/>'
        f'<SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"/>{body}</SignedInfo>'
        "<SignatureValue>@value@</SignatureValue></Signature>"
    )
    document = parse_xml(text.encode())
    signature = next(document.root.iter(f"{{{DS}}}Signature"))
    reader = reader_of(document)
    for number, element in enumerate(signature.iter(f"{{{DS}}}Reference")):
        transforms = tuple(read_transform(each, {}) for each in element_children(element[0]))
        reader.budget = 10**9
        octets = reader.read(Reference(element.get("URI"), "", transforms, SHA256, b""), signature).octets
        value = base64.b64encode(digest("sha256", octets)).decode()
        text = text.replace(f"@{number}@", value)
    info = next(parse_xml(text.encode()).root.iter(f"{{{DS}}}SignedInfo"))
    pair = decode_dss_signature(key.sign(canonicalise(info, INCLUSIVE), ec.ECDSA(hashes.SHA256())))
    raw = b"".join(number.to_bytes(32, "big") for number in pair)
    return text.replace("@value@", base64.b64encode(raw).decode()).encode()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("documents", [FEW, pytest.param(MANY, marks=pytest.mark.interop)])
def test_libxml2_canonicalises_generated_documents_alike(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], documents: int
) -> None:
    program = shutil.which("xmlsec1")
    if program is None:
        pytest.skip("missing: xmlsec1 (Debian package xmlsec1)")
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (tmp_path / "key.pem").write_bytes(pem)
    command = [program, "--verify", "--pubkey-pem", str(tmp_path / "key.pem")]

    def refused(seeds: range) -> list[int]:
        files = [tmp_path / f"{seed}.xml" for seed in seeds]
        for seed, file in zip(seeds, files, strict=True):
            file.write_bytes(signed(seed, key))
        wrong = []
        while files:  # it stops at the first file that it refuses
            told = subprocess.run([*command, *map(str, files)], capture_output=True, text=True, check=False)
            verdicts = re.findall(r"^(?:OK|FAIL)$", told.stdout + told.stderr, re.MULTILINE)
            assert verdicts, told.stderr[-2000:]
            wrong += [int(file.stem) for file, said in zip(files, verdicts, strict=False) if said != "OK"]
            files = files[len(verdicts) :]
        return wrong

    wrong = []
    for first in range(0, documents, BATCH):
        wrong += refused(range(first, min(first + BATCH, documents)))
    with capsys.disabled():
        print(f"\n{documents} documents, up to 12 references each, digested by xmlsec1: {len(wrong)} differ")
    assert wrong == []
    changed = (tmp_path / "0.xml").read_bytes().replace(b"<mid", b"<mid n='1'")
    (tmp_path / "changed.xml").write_bytes(changed)
    told = subprocess.run([*command, str(tmp_path / "changed.xml")], capture_output=True, check=False)
    assert told.returncode != 0, "the oracle accepts anything"


def test_every_element_cut_out_is_as_canonicalised_alone() -> None:
    """Cut out of a canonical form, against the same element serialised and parsed as a document of its own."""
    for seed in range(150):
        root = parse_xml(Generated(seed).document("").encode()).root
        for method in CANONICALISATIONS.values():
            form = form_of(root.getroottree(), method)
            for element in root.iter("*"):
                alone = etree.fromstring(etree.tostring(element, encoding="UTF-8", with_tail=False))
                try:
                    _inherit(alone, _inherited_xml_attributes(element, method))
                except CanonicalisationRefused:  # xml:base above a part
                    with pytest.raises(CanonicalisationRefused):
                        form.part(element, method)
                    continue
                cut = canonicalise(element, method) if method.in_place else form.part(element, method)
                assert cut == etree.tostring(
                    alone, method="c14n", exclusive=method.in_place, with_comments=method.comments
                ), (seed, method.uri, element.tag)


def test_generated_documents_are_well_formed_and_varied() -> None:
    documents = [Generated(seed).document("") for seed in range(200)]
    roots = [etree.fromstring(text.encode()) for text in documents]
    assert len(set(documents)) == 200
    assert sum(1 for root in roots for _ in root.iter(etree.Comment)) > 50
    assert sum(1 for text in documents if 'xmlns=""' in text) > 50
