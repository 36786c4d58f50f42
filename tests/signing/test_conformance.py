"""What only the policy `conformance` takes, and that the strict policy does not; a report whatever the bytes."""

from __future__ import annotations

import base64
import random
from collections.abc import Callable
from functools import lru_cache

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from signing import (
    Indication,
    PolicyRefused,
    Report,
    TrustStore,
    canonicalise,
    load_policy,
    parse_xml,
    verify_xml,
)
from signing.algorithms import digest
from signing.canonical import INCLUSIVE
from tests.signing.documents import DECLARATION, codes, signed
from tests.signing.pki import AT, Hierarchy, authority, certificate, name, private_key, signer

DS = "http://www.w3.org/2000/09/xmldsig#"
MORE = "http://www.w3.org/2001/04/xmldsig-more#"
MORE_2007 = "http://www.w3.org/2007/05/xmldsig-more#"
MORE_2021 = "http://www.w3.org/2021/04/xmldsig-more#"
DSIG11 = "http://www.w3.org/2009/xmldsig11#"
SHA512 = "http://www.w3.org/2001/04/xmlenc#sha512"

Signs = Callable[[bytes], bytes]


@lru_cache(maxsize=8)
def key_of(kind: str) -> dsa.DSAPrivateKey | rsa.RSAPrivateKey:
    return (
        dsa.generate_private_key(int(kind[3:]))
        if kind[:3] == "dsa"
        else rsa.generate_private_key(65537, 2048)
    )


def raw(der: bytes, size: int) -> bytes:
    return b"".join(number.to_bytes(size, "big") for number in decode_dss_signature(der))


def enveloping(method: str, key: object, sign: Signs, *, parameters: str = "", key_info: str = "") -> bytes:
    """An enveloping signature over one Object, its key in DEREncodedKeyValue unless KeyInfo is given."""
    spki = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)  # type: ignore[attr-defined]
    told = (
        f'<k:DEREncodedKeyValue xmlns:k="{DSIG11}">{base64.b64encode(spki).decode()}</k:DEREncodedKeyValue>'
    )
    content = b'<Object xmlns="http://www.w3.org/2000/09/xmldsig#" Id="o">text</Object>'
    text = (
        f'<Signature xmlns="{DS}"><SignedInfo><CanonicalizationMethod Algorithm="{INCLUSIVE.uri}"/>'
        f'<SignatureMethod Algorithm="{method}">{parameters}</SignatureMethod><Reference URI="#o">'
        f'<DigestMethod Algorithm="{SHA512}"/><DigestValue>{base64.b64encode(digest("sha512", content)).decode()}'
        "</DigestValue></Reference></SignedInfo><SignatureValue>@</SignatureValue>"
        f'<KeyInfo>{key_info or told}</KeyInfo><Object Id="o">text</Object></Signature>'
    )
    value = sign(canonicalise(parse_xml(text.encode()).root[0], INCLUSIVE))
    return text.replace("@", base64.b64encode(value).decode()).encode()


def curve(kind: ec.EllipticCurve, hash_algorithm: hashes.HashAlgorithm, size: int, method: str) -> bytes:
    key = ec.generate_private_key(kind)
    return enveloping(method, key, lambda data: raw(key.sign(data, ec.ECDSA(hash_algorithm)), size))


def pss(
    parameters: str, hash_algorithm: hashes.HashAlgorithm, mask: hashes.HashAlgorithm, salt: int
) -> bytes:
    key = key_of("rsa")
    assert isinstance(key, rsa.RSAPrivateKey)
    chosen = padding.PSS(padding.MGF1(mask), salt)
    held = f'<p:RSAPSSParams xmlns:p="{MORE_2007}">{parameters}</p:RSAPSSParams>' if parameters else ""
    return enveloping(
        MORE_2007 + "rsa-pss", key, lambda data: key.sign(data, chosen, hash_algorithm), parameters=held
    )


def with_dsa(bits: int, hash_algorithm: hashes.HashAlgorithm, method: str) -> bytes:
    key = key_of(f"dsa{bits}")
    assert isinstance(key, dsa.DSAPrivateKey)
    return enveloping(
        method, key, lambda data: raw(key.sign(data, hash_algorithm), 20 if bits == 1024 else 32)
    )


def edwards(key: ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey, method: str) -> bytes:
    return enveloping(MORE_2021 + method, key, key.sign)


SHA384_MASK = (
    f'<DigestMethod Algorithm="{SHA512}"/><p:MaskGenerationFunction Algorithm="{MORE_2007}MGF1">'
    f'<DigestMethod Algorithm="{MORE}sha384"/></p:MaskGenerationFunction><p:SaltLength>10</p:SaltLength>'
    "<p:TrailerField>1</p:TrailerField>"
)
TAKEN: dict[str, Callable[[], bytes]] = {
    "brainpool 256": lambda: curve(ec.BrainpoolP256R1(), hashes.SHA256(), 32, MORE + "ecdsa-sha256"),
    "brainpool 384": lambda: curve(ec.BrainpoolP384R1(), hashes.SHA384(), 48, MORE + "ecdsa-sha384"),
    "brainpool 512": lambda: curve(ec.BrainpoolP512R1(), hashes.SHA512(), 64, MORE + "ecdsa-sha512"),
    "secp256k1": lambda: curve(ec.SECP256K1(), hashes.SHA256(), 32, MORE + "ecdsa-sha256"),
    "dsa 1024": lambda: with_dsa(1024, hashes.SHA1(), DS + "dsa-sha1"),
    "dsa 2048": lambda: with_dsa(2048, hashes.SHA256(), DSIG11 + "dsa-sha256"),
    "ed448": lambda: edwards(ed448.Ed448PrivateKey.generate(), "eddsa-ed448"),
    "pss, defaults": lambda: pss("", hashes.SHA256(), hashes.SHA256(), 32),
    "pss, all": lambda: pss(SHA384_MASK, hashes.SHA512(), hashes.SHA384(), 10),
    "pss, mask as the digest": lambda: pss(
        f'<DigestMethod Algorithm="{SHA512}"/>', hashes.SHA512(), hashes.SHA512(), 64
    ),
}


def judged(data: bytes, policy: str = "conformance") -> Report:
    return verify_xml(data, policy=policy, trust=None, key="embedded", at=AT)


@pytest.mark.parametrize("made", TAKEN)
def test_taken_by_conformance_alone(made: str) -> None:
    data = TAKEN[made]()
    assert judged(data).indication is Indication.PASSED, codes(judged(data))
    assert judged(data.replace(b">text<", b">Text<")).indication is Indication.FAILED
    assert judged(data, "tt15-2025").indication is not Indication.PASSED
    assert set(codes(judged(data, "tt15-2025"))) & {"algorithm.signature", "algorithm.key-size"}


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ("<p:SaltLength>9</p:SaltLength>", "signature.value"),
        ("<p:SaltLength>-1</p:SaltLength>", "format.structure"),
        ("<p:SaltLength>999999</p:SaltLength>", "format.structure"),
        ("<p:TrailerField>2</p:TrailerField>", "format.structure"),
        ("<p:Unknown/>", "format.structure"),
        (f'<DigestMethod Algorithm="{MORE}md5"/>', "algorithm.digest"),
        ('<p:MaskGenerationFunction Algorithm="urn:x"/>', "format.structure"),
    ],
)
def test_pss_parameters_out_of_bounds(parameters: str, code: str) -> None:
    assert code in codes(judged(pss(parameters, hashes.SHA256(), hashes.SHA256(), 32)))


def test_md5_is_named() -> None:
    data = TAKEN["dsa 1024"]()
    assert "algorithm.md5" in codes(judged(data.replace(b"dsa-sha1", b"rsa-md5")))
    assert "algorithm.md5" in codes(judged(data.replace(SHA512.encode(), MORE.encode() + b"md5")))


# How KeyInfo names the taxpayer's certificate without holding it.
NAMED: dict[str, Callable[[x509.Certificate], str]] = {
    "subject": lambda c: f"<X509SubjectName>{c.subject.rfc4514_string()}</X509SubjectName>",
    "subject, forwards": lambda c: (
        "<X509SubjectName>"
        + ", ".join(reversed(c.subject.rfc4514_string().split(","))).replace("CN=", "cn = ")
        + "</X509SubjectName>"
    ),
    "issuer and serial": lambda c: (
        f"<X509IssuerSerial><X509IssuerName>{c.issuer.rfc4514_string()}</X509IssuerName>"
        f"<X509SerialNumber>{c.serial_number}</X509SerialNumber></X509IssuerSerial>"
    ),
    "key identifier": lambda c: (
        "<X509SKI>"
        + base64.b64encode(x509.SubjectKeyIdentifier.from_public_key(c.public_key()).digest).decode()
        + "</X509SKI>"
    ),
    "digest": lambda c: (
        f'<X509Digest xmlns="{DSIG11}" Algorithm="{SHA512}">'
        + base64.b64encode(c.fingerprint(hashes.SHA512())).decode()
        + "</X509Digest>"
    ),
}


@pytest.mark.parametrize("how", NAMED)
def test_a_named_certificate_is_found_among_the_callers(how: str, pki: Hierarchy) -> None:
    held, key = pki.taxpayer.certificate, pki.taxpayer.private_key
    assert isinstance(key, rsa.RSAPrivateKey)

    def sign(data: bytes) -> bytes:
        return key.sign(data, padding.PKCS1v15(), hashes.SHA256())

    told = f"<X509Data>{NAMED[how](held)}</X509Data>"
    data = enveloping(MORE + "rsa-sha256", key, sign, key_info=told)
    knows = TrustStore.of([pki.root.certificate], [pki.ca.certificate, held])
    stranger = TrustStore.of([pki.root.certificate], [pki.ca.certificate])
    report = verify_xml(data, policy="conformance", trust=knows, at=AT)
    assert report.indication is Indication.PASSED, codes(report)
    assert report.signatures[0].certificate == held
    assert "key.found" in codes(verify_xml(data, policy="conformance", trust=stranger, at=AT))
    assert "key.found" in codes(verify_xml(data, policy="tax-legacy", trust=knows, at=AT))


def test_revocation_is_judged_where_it_is_known(pki: Hierarchy) -> None:
    data = signed(pki.taxpayer)
    anchors, pool = [pki.root.certificate], [pki.ca.certificate]
    silent = TrustStore.of(anchors, pool)
    assert verify_xml(data, policy="conformance", trust=silent, at=AT).indication is Indication.PASSED
    assert "certificate.status-unknown" in codes(verify_xml(data, policy="tt15-2025", trust=silent, at=AT))
    ca = type(pki.ca)(pki.ca.certificate, pki.ca.key)
    ca.revoked.append((pki.taxpayer.certificate.serial_number, AT, x509.ReasonFlags.key_compromise))
    told = TrustStore.of(anchors, pool, [ca.crl()])
    report = verify_xml(data, policy="conformance", trust=told, at=AT)
    assert (report.indication, report.sub_indication) == (Indication.INDETERMINATE, "REVOKED_NO_POE")


def test_a_ca_may_sign_under_conformance_alone() -> None:
    root = authority("A root that signs", kind="p256")
    key = root.key
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    der = base64.b64encode(root.certificate.public_bytes(Encoding.DER)).decode()
    told = f"<X509Data><X509Certificate>{der}</X509Certificate></X509Data>"
    data = enveloping(
        MORE + "ecdsa-sha256", key, lambda d: raw(key.sign(d, ec.ECDSA(hashes.SHA256())), 32), key_info=told
    )
    trust = TrustStore.of([root.certificate])
    assert "certificate.signer-is-ca" in codes(verify_xml(data, policy="tt15-2025", trust=trust, at=AT))
    assert "certificate.signer-is-ca" not in codes(verify_xml(data, policy="conformance", trust=trust, at=AT))


def test_an_unreadable_certificate_verifies_a_value_and_has_no_path() -> None:
    key = private_key("p256")
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    odd = x509.UnrecognizedExtension(x509.ObjectIdentifier("2.5.29.32"), b"no policies")
    good = certificate(name("Broken"), key, None, extensions=((odd, False),))
    der = good.public_bytes(Encoding.DER)
    told = f"<X509Data><X509Certificate>{base64.b64encode(der).decode()}</X509Certificate></X509Data>"
    data = enveloping(
        MORE + "ecdsa-sha256", key, lambda d: raw(key.sign(d, ec.ECDSA(hashes.SHA256())), 32), key_info=told
    )
    report = judged(data)
    assert report.indication is Indication.PASSED, codes(report)
    assert report.signatures[0].signer is not None
    assert report.signatures[0].signer.tax_codes == ()
    report = verify_xml(data, policy="conformance", trust=TrustStore.of([good]), at=AT)
    assert report.indication is Indication.INDETERMINATE
    assert "certificate.unreadable" in codes(report)
    assert "format.certificate" in codes(judged(data, "tt15-2025"))


def in_encoding(declared: str, codec: str, pki: Hierarchy) -> bytes:
    """The declaration's text in another encoding; the signature is over the characters, not the octets."""
    document = b'<a xmlns="u:a"><b id="ID_1">caf\xc3\xa9 \xc2\xa7</b></a>'
    key = signer(pki.ca, subject=name("Plain"))
    text = signed(key, document, place="").decode("utf-8")
    return f'<?xml version="1.0" encoding="{declared}"?>{text.split("?>")[-1]}'.encode(codec)


@pytest.mark.parametrize(
    ("declared", "codec"),
    [
        ("ISO-8859-1", "latin-1"),
        ("iso-8859-15", "iso8859-15"),
        ("UTF-16", "utf-16"),
        ("windows-1252", "cp1252"),
    ],
)
def test_encodings_under_conformance_alone(declared: str, codec: str, pki: Hierarchy) -> None:
    data = in_encoding(declared, codec, pki)
    assert judged(data).indication is Indication.PASSED, codes(judged(data))
    strict = judged(data, "tt15-2025")
    assert (strict.indication, strict.sub_indication) == (Indication.FAILED, "FORMAT_FAILURE")
    hidden = data.decode(codec).replace("?>", "?><!DOCTYPE a>", 1).encode(codec)
    assert "xml.doctype" in codes(judged(hidden))


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "xml.empty"),
        (b"<!DOCTYPE a><a/>", "xml.doctype"),
        (b"<a><b></a>", "xml.syntax"),
        (b"\x00\x01\x02", "xml.nul"),
        (b"\xff\xfe<", "xml.encoding-declared"),
        ('<?xml version="1.0" encoding="UTF-7"?><a/>'.encode("utf-16"), "xml.encoding-declared"),
        (b'<?xml version="1.0" encoding="UTF-7"?><a/>', "xml.encoding-declared"),
        (b'<?xml version="1.0" encoding="utf-16"?><a/>', "xml.encoding-declared"),
        (b"%PDF-1.7", "xml.syntax"),
        (b"<a/>", "document.signature-present"),
    ],
)
def test_a_report_whatever_the_bytes(data: bytes, code: str) -> None:
    report = judged(data)
    assert code in codes(report)
    wanted = Indication.INDETERMINATE if code == "document.signature-present" else Indication.FAILED
    assert report.indication is wanted
    assert report.as_json()["checks"]


def test_the_callers_faults_are_raised() -> None:
    with pytest.raises(ValueError, match="trust or a key"):
        verify_xml(b"", policy="conformance", trust=None)
    with pytest.raises(ValueError, match="aware"):
        verify_xml(b"", policy="conformance", trust=None, key="embedded", at=AT.replace(tzinfo=None))
    with pytest.raises(PolicyRefused):
        verify_xml(b"<a/>", policy="no such", trust=None, key="embedded")


@pytest.mark.parametrize("policy", ["tt15-2025", "conformance"])
def test_no_bytes_raise_and_none_altered_pass(policy: str, pki: Hierarchy, trust: TrustStore) -> None:
    """Random cuts, doublings and replacements of signed documents: a report each time."""
    rng = random.Random(7)
    sources = [signed(pki.taxpayer, profile="xades-b"), signed(pki.taxpayer), TAKEN["pss, all"]()]
    marks = [b"<", b">", b"&", b'"', b"\x00", b"\xff", b"<!--", b"<a>", b"<?x?>", b"xmlns=''", b"&#0;", b"="]
    for _ in range(1500):
        data = rng.choice(sources)
        for _ in range(rng.randint(1, 3)):
            start = rng.randrange(len(data))
            end = start + rng.choice([0, 1, 1, 5, 200])
            data = data[:start] + rng.choice([*marks, b"", data[start:end] * 2]) + data[end:]
        report = verify_xml(data, policy=policy, trust=trust, at=AT)
        assert report.as_json()["indication"]


class TestKeysBesideACertificate:
    """What a signature's KeyInfo holds beside the certificate, under `conformance`."""

    @staticmethod
    def judged(pki: Hierarchy, key_value: bytes) -> Report:
        document = signed(pki.taxpayer, DECLARATION)
        start, end = document.index(b"<KeyInfo>"), document.index(b"<X509Data>")
        changed = document[: start + len(b"<KeyInfo>")] + key_value + document[end:]
        return verify_xml(changed, policy=load_policy("conformance"), trust=pki.trust(), at=AT)

    def test_a_form_that_is_not_known_hides_nothing(self, pki: Hierarchy) -> None:
        unknown = b'<KeyValue><Other xmlns="urn:x">AAAA</Other></KeyValue>'
        assert self.judged(pki, unknown).indication is Indication.PASSED

    def test_another_key_is_a_second_signer(self, pki: Hierarchy) -> None:
        other = (
            b"<KeyValue><RSAKeyValue><Modulus>%s</Modulus><Exponent>AQAB</Exponent></RSAKeyValue></KeyValue>"
        )
        report = self.judged(pki, other % (b"3" * 343 + b"="))
        assert report.indication is not Indication.PASSED
