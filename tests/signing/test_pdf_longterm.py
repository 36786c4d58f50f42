"""PAdES long after: what the DSS of a PDF tells once its authority has ended, by the document time stamp over it."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from io import BytesIO

import pytest
from asn1crypto import crl
from msgspec.structs import replace
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign.signers.pdf_signer import PdfTimeStamper
from pyhanko.sign.validation.dss import DocumentSecurityStore

from signing import Indication, Policy, TrustStore
from signing.pdf import verify_pdf
from signing.pdf.sign import sign_pdf
from tests.signing import pdf_documents as made
from tests.signing.cms_documents import Tsa
from tests.signing.pki import AT, YEAR, Hierarchy, authority, signer

DAY = timedelta(days=1)
ENDS, LATE = AT + 30 * DAY, AT + 60 * DAY


def with_values(data: bytes, lists: list[bytes]) -> bytes:
    """A DSS with revocation lists, in a revision of its own."""
    output = BytesIO(data)
    loaded = [crl.CertificateList.load(der) for der in lists]
    DocumentSecurityStore.add_dss(output, b"\0", certs=(), crls=loaded)
    return output.getvalue()


def time_stamped(data: bytes, tsa: Tsa) -> bytes:
    async def run() -> bytes:
        output = await PdfTimeStamper(tsa._stamper).async_timestamp_pdf(
            IncrementalPdfFileWriter(BytesIO(data)), "sha256"
        )
        return bytes(output.getvalue())

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("stamped", "indication"),
    [
        (AT + DAY, Indication.PASSED),
        (ENDS - DAY, Indication.PASSED),
        (ENDS + DAY, Indication.INDETERMINATE),  # its authority had ended: who had its key by then?
        (None, Indication.INDETERMINATE),
    ],
)
@pytest.mark.parametrize("first", ["values", "time stamp"])
def test_a_list_of_an_authority_that_has_ended_counts_if_it_is_older_than_that_end(
    stamped: datetime | None, indication: Indication, first: str, pki: Hierarchy, policy: Policy
) -> None:
    ca = authority("CA that ends", pki.root, number=77, not_after=ENDS)
    times = authority("Time root", number=78, not_after=AT + 9 * YEAR)
    key = signer(ca, number=79, not_after=ENDS)
    data = sign_pdf(
        made.pdf(), key, at=AT, tsa=Tsa(times, AT + timedelta(minutes=1), not_after=AT + 5 * YEAR)
    )
    later = Tsa(times, stamped or AT, number=31, not_after=AT + 5 * YEAR)
    if first == "time stamp" and stamped is not None:
        data = time_stamped(data, later)  # over the signature, and not over the values that come after it
    data = with_values(data, [each.crl(AT, AT + 7 * DAY) for each in (ca, pki.root)])
    if first == "values" and stamped is not None:
        data = time_stamped(data, later)
    lists = [each.crl(LATE - DAY, LATE + DAY) for each in (pki.root, times)]
    trust = TrustStore.of([pki.root.certificate, times.certificate], [ca.certificate], lists)
    report = verify_pdf(data, policy=replace(policy, proven_times=True), trust=trust, at=LATE)
    expected = indication if first == "values" else Indication.INDETERMINATE
    assert report.indication is expected, [c.code for c in report.signatures[0].checks]
    strict = verify_pdf(data, policy=policy, trust=trust, at=LATE)
    assert strict.indication is Indication.INDETERMINATE


def test_the_dss_tells_of_the_time_stamps_authority_too(pki: Hierarchy, policy: Policy) -> None:
    times = authority("Time root", number=78, not_after=AT + 9 * YEAR)
    tsa = Tsa(times, AT + timedelta(minutes=1), not_after=AT + 5 * YEAR)
    data = sign_pdf(made.pdf(), pki.taxpayer, at=AT, tsa=tsa)
    own = [pki.root.crl(), pki.ca.crl()]
    trust = TrustStore.of([pki.root.certificate, times.certificate], [pki.ca.certificate], own)
    at = AT + timedelta(hours=2)
    without = verify_pdf(data, policy=policy, trust=trust, at=at).signatures[0]
    assert without.best_signature_time is None
    held = verify_pdf(with_values(data, [times.crl()]), policy=policy, trust=trust, at=at).signatures[0]
    assert held.best_signature_time == AT + timedelta(minutes=1)
