"""`make bench`, part "signature": what one verification costs, ours beside three peers, in one run.

python -m benchmarks.signature    this part alone
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import subprocess
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from lxml import etree

import signing
from benchmarks.peers import cpu_ms

PEERS_PYTHON = Path(os.environ.get("BENCH_PEERS", ".venv-peers/bin/python"))
SIZES = {"20KB": 20_000, "1MB": 1_000_000}
CRL_ENTRIES = 10_000
DS = "http://www.w3.org/2000/09/xmldsig#"
C14N = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
XSI = "http://www.w3.org/2001/XMLSchema-instance"
NOW = datetime.now(UTC).replace(microsecond=0)


def main() -> None:
    """Print the table."""
    root, key = _authority(), _key()
    signer = signing.FileKey(key, _certificate("Signer", key, root))
    few, many = (signing.TrustStore.of([root.certificate], (), [_crl(root, n)]) for n in (1, CRL_ENTRIES))
    with tempfile.TemporaryDirectory(prefix="efile-bench-") as name:
        folder = Path(name)
        (folder / "cert.pem").write_bytes(signer.certificate.public_bytes(Encoding.PEM))
        for label, size in SIZES.items():
            for form in ("XAdES-B", "XMLDSig"):
                for place in ("id", "root"):
                    (folder / f"{form}-{place}-{label}.xml").write_bytes(_document(signer, size, form, place))
        ours = {
            file.stem: _ours(file.read_bytes(), signer, few, many) for file in sorted(folder.glob("*.xml"))
        }
        peers = _peers(folder)
    _print(ours, peers)


def _print(ours: dict[str, tuple[float, float, float]], peers: dict[str, dict[str, float | str]]) -> None:
    print(
        "\nsignature, RSA-2048, CPU ms a verification (× ours). Ours builds the path and asks the status; peers do not"
    )
    print(f"  {'document':22} {'ours':>8} {'10k CRL':>8} {'floor':>14}" + "".join(f"{p:>22}" for p in peers))
    for document, (ms, with_list, floor) in ours.items():
        cells = []
        for answers in peers.values():
            found = answers.get(document, "missing")
            cells.append(found[:20] if isinstance(found, str) else f"{found:.2f} ({found / ms:.1f}×)")
        bare = f"{floor:.2f} ({floor / ms:.2f}×)"
        print(f"  {document:22} {ms:8.2f} {with_list:8.2f} {bare:>14}" + "".join(f"{c:>22}" for c in cells))
    print(f"  10k CRL: the same with {CRL_ENTRIES} entries in the signer's CRL instead of one")
    print(
        "  floor: lxml parses and canonicalises once, one SHA-256, one RSA verification; nothing is checked\n"
    )
    for peer, answers in peers.items():
        for document, told in answers.items():
            if isinstance(told, str):
                print(f"  {peer}, {document}: {told}")


def _ours(
    data: bytes, signer: signing.FileKey, few: signing.TrustStore, many: signing.TrustStore
) -> tuple[float, float, float]:
    policy = signing.load_policy("tt15-2025")

    def verify(data: bytes, trust: signing.TrustStore) -> None:
        report = signing.verify_xml(data, policy=policy, trust=trust, at=NOW)
        if report.indication is not signing.Indication.PASSED:
            raise ValueError(report.sub_indication)

    bare = _floor(data, signer)
    return cpu_ms(lambda d: verify(d, few), data), cpu_ms(lambda d: verify(d, many), data), cpu_ms(bare, data)


def _floor(data: bytes, signer: signing.FileKey) -> Callable[[bytes], None]:
    """The bare calls that no verification by these libraries can do without."""
    root = signing.parse_xml(data).root
    info, value = (next(root.iter(f"{{{DS}}}{name}")) for name in ("SignedInfo", "SignatureValue"))
    octets = signing.canonicalise(info, signing.CANONICALISATIONS[C14N])
    signature = base64.b64decode(value.text or "")
    key = cast("rsa.RSAPublicKey", signer.certificate.public_key())

    def bare(data: bytes) -> None:
        tree = etree.ElementTree(etree.fromstring(data))
        hashlib.sha256(etree.tostring(tree, method="c14n")).digest()
        key.verify(signature, octets, padding.PKCS1v15(), hashes.SHA256())

    return bare


def _peers(folder: Path) -> dict[str, dict[str, float | str]]:
    if not PEERS_PYTHON.exists():
        print(
            f"!!! MISSING: {PEERS_PYTHON}, the peers' environment (make bench sets it up). Nothing to compare with."
        )
        return {}
    script = Path(__file__).with_name("peers.py")
    told = subprocess.run([PEERS_PYTHON, script, folder], capture_output=True, text=True, check=False)
    found: dict[str, dict[str, float | str]] = {}
    for line in told.stdout.splitlines():
        peer, document, answer = json.loads(line)
        found.setdefault(peer, {})[document] = answer
    if told.returncode:
        print(f"!!! the peers' run ended with {told.returncode}: {told.stderr[-500:]}")
    return found


def _document(key: signing.FileKey, size: int, form: str, place: str) -> bytes:
    """A list of invoices in the tax files' form, but prefixed: signxml takes inclusive canonicalisation in no other."""
    row = "<HDon><so>{:07}</so><ngay>2026-03-01</ngay><tgtct>1200000</tgtct><tenNMua>Công ty Thử</tenNMua></HDon>"
    rows = "".join(row.format(number) for number in range(size // len(row.format(0).encode())))
    at_root, at_part = (' id="ID_1"', "") if place == "root" else ("", ' id="ID_1"')
    octets = (
        f'<HSoThueDTu xmlns="http://kekhaithue.gdt.gov.vn/TKhaiThue" xmlns:xsi="{XSI}"{at_root}>'
        f"<HSoKhaiThue{at_part}><BangKe>{rows}</BangKe></HSoKhaiThue></HSoThueDTu>"
    ).encode()
    signed = signing.sign_xml(
        octets,
        key,
        profile="xades-b" if form == "XAdES-B" else "xmldsig",
        target_id="ID_1",
        place="",
        at=NOW,
        c14n="inclusive",
        prefix="ds",
    )
    return _over_the_document(signed, key) if place == "root" else signed


def _over_the_document(signed: bytes, key: signing.FileKey) -> bytes:
    """The same signature with URI="": the root's octets are the document's, where nothing stands around it."""
    whole = signed.replace(b'URI="#ID_1"', b'URI=""', 1)
    info = next(signing.parse_xml(whole).root.iter(f"{{{DS}}}SignedInfo"))
    octets = signing.canonicalise(info, signing.CANONICALISATIONS[C14N])
    value = re.search(rb"(<ds:SignatureValue[^>]*>)[^<]*", whole)
    assert value is not None
    return whole.replace(value[0], value[1] + base64.b64encode(key.sign(octets, "sha256")), 1)


def _key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def _authority() -> signing.FileKey:
    key = _key()
    return signing.FileKey(key, _certificate("Root", key, None))


def _certificate(name: str, key: rsa.RSAPrivateKey, issuer: signing.FileKey | None) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{name} of the benchmark")])
    ca = issuer is None
    others = "content_commitment key_encipherment data_encipherment key_agreement encipher_only decipher_only"
    usage = dict.fromkeys(others.split(), False)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - timedelta(days=1))
        .not_valid_after(NOW + timedelta(days=30))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(
            x509.KeyUsage(digital_signature=not ca, key_cert_sign=ca, crl_sign=ca, **usage), critical=True
        )
    )
    return builder.sign(cast("rsa.RSAPrivateKey", issuer.private_key) if issuer else key, hashes.SHA256())


def _crl(issuer: signing.FileKey, entries: int) -> bytes:
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer.certificate.subject)
        .last_update(NOW - timedelta(hours=1))
        .next_update(NOW + timedelta(days=1))
        .add_extension(x509.CRLNumber(1), critical=False)
    )
    for serial in range(1, entries + 1):
        revoked = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(NOW)
        builder = builder.add_revoked_certificate(revoked.build())
    private = cast("rsa.RSAPrivateKey", issuer.private_key)
    return builder.sign(private, hashes.SHA256()).public_bytes(Encoding.DER)


if __name__ == "__main__":
    main()
