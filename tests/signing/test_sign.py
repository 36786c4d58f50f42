"""Signing: where the signature goes, what it refuses, keys out of files; others verify what we sign."""

from __future__ import annotations

import base64
import random
import re
from pathlib import Path

import pytest
from asn1crypto import keys, pem
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)
from lxml import etree

from signing import (
    FileKey,
    Indication,
    KeyRefused,
    Policy,
    SigningRefused,
    TrustStore,
    XmlRefused,
    sign_element,
    verify_xml,
)
from tests.signing.documents import DECLARATION, codes, signed
from tests.signing.oracle import Xmlsec1
from tests.signing.pki import AT, Hierarchy, private_key, signer

TAX = "{http://kekhaithue.gdt.gov.vn/TKhaiThue}"
DS = "{http://www.w3.org/2000/09/xmldsig#}"


@pytest.mark.parametrize("profile", ["xmldsig", "xades-b"])
@pytest.mark.parametrize("c14n", ["inclusive", "inclusive-with-comments", "exclusive"])
@pytest.mark.parametrize("kind", ["rsa2048", "p256", "p384"])
@pytest.mark.parametrize("prefix", [None, "ds"])
def test_xmlsec1_verifies_what_we_sign(
    profile: str, c14n: str, kind: str, prefix: str | None, pki: Hierarchy, tmp_path: Path
) -> None:
    oracle = Xmlsec1.of(pki, tmp_path)
    file = tmp_path / "signed.xml"
    data = b"\xef\xbb\xbf" + DECLARATION
    document = signed(signer(pki.ca, kind=kind), data, profile=profile, c14n=c14n, prefix=prefix)
    file.write_bytes(document)
    assert oracle.verifies(file)
    file.write_bytes(document.replace(b"1200000", b"1200001"))
    assert not oracle.verifies(file)


def test_the_signature_goes_where_it_is_told(pki: Hierarchy) -> None:
    root = etree.fromstring(signed(pki.taxpayer))
    assert [child.tag for child in root] == [f"{TAX}HSoKhaiThue", f"{TAX}CKyDTu"]
    assert root[1][0].tag == f"{DS}Signature"
    root = etree.fromstring(signed(pki.taxpayer, place="DSCKS/NBan"))
    assert [element.tag for element in root[1].iter()][:3] == [f"{TAX}DSCKS", f"{TAX}NBan", f"{DS}Signature"]
    again = etree.fromstring(signed(pki.taxpayer, etree.tostring(root), place="DSCKS/NBan"))
    assert len(again[1][0]) == 2
    root = etree.fromstring(signed(pki.taxpayer, place=""))
    assert root[1].tag == f"{DS}Signature"


def test_an_id_can_be_given(pki: Hierarchy, policy: Policy, trust: TrustStore) -> None:
    bare = DECLARATION.replace(b' id="ID_1"', b"")
    with pytest.raises(SigningRefused, match="ID_1"):
        signed(pki.taxpayer, bare)
    document = signed(pki.taxpayer, bare, id_attribute="id")
    assert verify_xml(document, policy=policy, trust=trust, at=AT).indication is Indication.PASSED


def test_what_cannot_be_signed(pki: Hierarchy) -> None:
    with pytest.raises(SigningRefused, match="no element"):
        signed(pki.taxpayer, target_id="other")
    with pytest.raises(SigningRefused, match="twice"):
        signed(pki.taxpayer, DECLARATION.replace(b"<ct22>", b'<ct22 id="ID_1">'))
    with pytest.raises(SigningRefused, match="2 elements"):
        signed(pki.taxpayer, DECLARATION.replace(b"</HSoThueDTu>", b"<CKyDTu/><CKyDTu/></HSoThueDTu>"))
    with pytest.raises(SigningRefused, match="aware"):
        signed(pki.taxpayer, at=AT.replace(tzinfo=None))
    with pytest.raises(XmlRefused):
        signed(pki.taxpayer, b"<!DOCTYPE a><a id='ID_1'/>")


def test_a_tree_is_signed_in_place(pki: Hierarchy, policy: Policy, trust: TrustStore) -> None:
    root = etree.fromstring(DECLARATION)
    key = signer(pki.ca, kind="p256")
    made = sign_element(root, key, profile="xades-b", target_id="ID_1", place="CKyDTu", at=AT)
    assert made.getparent() is root[1]
    report = verify_xml(etree.tostring(root), policy=policy, trust=trust, at=AT)
    assert report.indication is Indication.PASSED, codes(report)


# --- keys


def files_of(key: FileKey, folder: Path, password: bytes | None = None) -> tuple[Path, Path]:
    key_path, cert_path = folder / "key.pem", folder / "cert.pem"
    lock = BestAvailableEncryption(password) if password else NoEncryption()
    key_path.write_bytes(key.private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, lock))
    chain = b"".join(c.public_bytes(Encoding.PEM) for c in (key.certificate, *key.chain))
    cert_path.write_bytes(chain)
    return key_path, cert_path


def test_keys_out_of_pem(pki: Hierarchy, tmp_path: Path) -> None:
    key = FileKey(pki.taxpayer.private_key, pki.taxpayer.certificate, (pki.ca.certificate,))
    paths = files_of(key, tmp_path, b"secret")
    assert FileKey.from_pem(*paths, b"secret").certificate == key.certificate
    assert FileKey.from_pem(*paths, b"secret").chain == (pki.ca.certificate,)
    for password in (None, b"wrong"):
        with pytest.raises(KeyRefused, match=r"key\.pem") as caught:
            FileKey.from_pem(*paths, password)
        assert "wrong" not in str(caught.value)
    with pytest.raises(KeyRefused, match="absent"):
        FileKey.from_pem(tmp_path / "absent", paths[1])


def test_keys_out_of_pkcs12(pki: Hierarchy, tmp_path: Path) -> None:
    key = pki.taxpayer
    path = tmp_path / "key.p12"
    lock = BestAvailableEncryption(b"secret")
    path.write_bytes(
        pkcs12.serialize_key_and_certificates(
            b"x", key.private_key, key.certificate, [pki.ca.certificate], lock
        )
    )  # type: ignore[arg-type]
    read = FileKey.from_pkcs12(path, b"secret")
    assert (read.certificate, read.chain) == (key.certificate, (pki.ca.certificate,))
    with pytest.raises(KeyRefused, match=r"key\.p12"):
        FileKey.from_pkcs12(path, b"wrong")


def test_a_key_of_another_certificate(pki: Hierarchy) -> None:
    with pytest.raises(KeyRefused, match="does not belong"):
        FileKey(private_key("p256", 9), pki.taxpayer.certificate)


def test_a_key_does_not_show_itself(pki: Hierarchy) -> None:
    assert repr(pki.taxpayer).startswith("FileKey(UID=MST:0106324653")


# --- strangers' DER


def test_broken_certificates_are_refused_and_never_crash(
    pki: Hierarchy, policy: Policy, trust: TrustStore
) -> None:
    """One octet of the certificate changed, anywhere: a verdict, and not a pass."""
    rng = random.Random(7)
    document = signed(pki.taxpayer)
    text = re.search(rb"<X509Certificate>([^<]+)<", document)
    assert text is not None
    der = bytearray(base64.b64decode(text[1]))
    for _ in range(400):
        broken = bytearray(der)
        broken[rng.randrange(len(der))] ^= 1 << rng.randrange(8)
        data = document.replace(text[1], base64.b64encode(broken))
        report = verify_xml(data, policy=policy, trust=trust, at=AT)
        assert report.indication is not Indication.PASSED


def test_a_key_file_that_nobody_reads_is_refused_and_no_crash(tmp_path: Path) -> None:
    """A curve that the library does not know, a certificate of no version: as any other unusable file."""
    parameters = keys.ECDomainParameters(name="named", value="1.3.132.0.6")
    private = keys.ECPrivateKey({"version": "ecPrivkeyVer1", "private_key": 1, "parameters": parameters})
    block = pem.armor("EC PRIVATE KEY", private.dump())
    (tmp_path / "key.pem").write_bytes(block)
    with pytest.raises(KeyRefused):
        FileKey.from_pem(tmp_path / "key.pem", tmp_path / "key.pem")
