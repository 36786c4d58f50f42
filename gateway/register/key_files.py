"""What is wrong with the files of a key of ours: who can read them, and where their chain leads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from cryptography import x509

from gateway.filing.findings import Text
from gateway.production import readable_by_others
from gateway.register.entry import Entry

OTHER_KEY = Text(
    "Khóa riêng không khớp với chứng thư.", "The private key does not belong to the certificate."
)


def mode_faults(files: Iterator[Path] | Sequence[Path]) -> Iterator[Text]:
    """Keys that others than their owner can read."""
    for file in files:
        if readable_by_others(file):
            yield Text(
                f"{file}: người khác đọc được; chmod 600.",
                f"{file}: the key is readable by others; chmod 600.",
            )


def as_known(chain: Sequence[x509.Certificate], current: Entry, who: Text) -> Iterator[Text]:
    """Whether the chain leads where the one in use does."""
    try:
        before = x509.load_pem_x509_certificates(Path(current.location["certificate"]).read_bytes())
    except (OSError, ValueError):
        before = [x509.load_der_x509_certificate(current.octets)]
    if chain[-1].issuer != before[-1].issuer:
        name = chain[-1].issuer.rfc4514_string()
        yield Text(
            f"Chuỗi chứng thư thiếu hoặc thuộc gốc khác ({name}): {who.vi} có thể không tin.",
            f"The chain is incomplete, or of another root ({name}): {who.en} may not trust it.",
        )
