"""PDF: what we sign, what others append to it, byte ranges that lie, and files that are made to cost."""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from random import Random
from typing import Any

import pytest
from msgspec.structs import replace
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign.fields import MDPPerm
from pyhanko.sign.signers import PdfSignatureMetadata, PdfSigner, SimpleSigner

from signing import FileKey, Indication, Policy, TrustStore, load_policy
from signing.pdf import confined, verify_pdf
from signing.pdf.sign import PdfSigningRefused, sign_pdf
from signing.pdf.wire import WALL_SECONDS
from signing.report import Report
from tests.signing import pdf_documents as made
from tests.signing.cms_documents import Tsa
from tests.signing.conftest import shared
from tests.signing.pki import AT, YEAR, Hierarchy, signer

Change = Callable[[IncrementalPdfFileWriter], None]


def codes(report: Report) -> set[str]:
    every = [*report.checks, *(c for s in report.signatures for c in s.checks)]
    return {c.code for c in every if c.sub_indication}


@pytest.fixture(scope="module")
def signed(pki: Hierarchy) -> bytes:
    return sign_pdf(made.pdf(), pki.taxpayer, at=AT)


def test_what_we_sign_passes(signed: bytes, policy: Policy, trust: TrustStore) -> None:
    report = verify_pdf(signed, policy=policy, trust=trust, at=AT)
    assert (report.indication, codes(report)) == (Indication.PASSED, set())
    (signature,) = report.signatures
    assert (signature.profile, signature.id, signature.claimed_signing_time) == ("PAdES", "Signature", AT)
    assert signature.signer is not None
    assert signature.signer.tax_codes == ("0106324653",)
    (covered,) = signature.covered
    start = signed.index(b"/Contents <") + len(b"/Contents ")
    assert covered.octets == signed[:start] + signed[signed.index(b">", start) + 1 :]
    assert covered.uri == ""  # the whole file


@pytest.mark.parametrize("kind", ["rsa3072", "p256", "p384", "p521", "ed25519"])
def test_a_second_signature_of_any_kind(
    kind: str, signed: bytes, pki: Hierarchy, policy: Policy, trust: TrustStore
) -> None:
    both = sign_pdf(signed, signer(pki.ca, kind=kind), at=AT)
    report = verify_pdf(both, policy=policy, trust=trust, at=AT)
    assert (report.indication, codes(report)) == (Indication.PASSED, set())
    assert [s.id for s in report.signatures] == ["Signature", "Signature2"]
    assert report.covered[0].uri.startswith("/ByteRange [0 ")
    assert report.covered[1].uri == ""
    assert "pdf.later-revisions" in {c.code for c in report.signatures[0].checks if c.outcome == "WARNING"}


def test_a_time_stamp_proves_the_time(pki: Hierarchy, policy: Policy) -> None:
    tsa = Tsa(pki.ca, AT + timedelta(minutes=1), not_after=AT + 3 * YEAR)
    data = sign_pdf(made.pdf(), pki.taxpayer, at=AT, tsa=tsa)
    late = AT + 2 * YEAR
    crls = [pki.root.crl(this_update=AT, next_update=late + YEAR)]
    crls.append(pki.ca.crl(this_update=AT + timedelta(hours=1), next_update=late + YEAR))
    trust = TrustStore.of([pki.root.certificate], [pki.ca.certificate], crls)
    strict = verify_pdf(data, policy=policy, trust=trust, at=late)
    assert codes(strict) == {"certificate.expired"}
    report = verify_pdf(data, policy=replace(policy, proven_times=True), trust=trust, at=late)
    assert (report.indication, codes(report)) == (Indication.PASSED, set())
    assert report.signatures[0].best_signature_time == AT + timedelta(minutes=1)
    bare = verify_pdf(sign_pdf(made.pdf(), pki.taxpayer, at=AT), policy=policy, trust=trust, at=late)
    assert codes(bare) == {"certificate.expired"}


REFUSED: list[Change] = [
    made.replace_text,
    made.point_elsewhere,
    made.replace_font,
    made.add_annotation,
    made.add_empty_signature_field,
    made.add_false_time_stamp,
    made.show_the_old_signature_again,
    made.show_a_nameless_signature,
    made.show_a_nameless_signature_elsewhere,
    made.show_a_kid_of_the_old_field,
    made.add_a_field_that_acts,
    made.add_page,
    made.add_script,
    made.turn_page,
]


@pytest.mark.parametrize("change", REFUSED, ids=lambda change: change.__name__)
def test_what_is_changed_after_signing_is_refused(change: Change, signed: bytes, policy: Policy) -> None:
    for rules in (policy, load_policy("conformance")):
        report = verify_pdf(made.appended(signed, change), policy=rules, trust=None, key="embedded")
        assert report.indication is Indication.FAILED
        assert "pdf.changed" in codes(report)


@pytest.mark.parametrize(
    "change",
    [
        c
        for c in REFUSED
        if "signature" not in c.__name__ and "field" not in c.__name__ and "stamp" not in c.__name__
    ],
    ids=lambda change: change.__name__,
)
def test_before_signing_the_same_is_just_content(change: Change, policy: Policy, pki: Hierarchy) -> None:
    data = sign_pdf(made.appended(made.pdf(), change), pki.taxpayer, at=AT)
    report = verify_pdf(data, policy=policy, trust=None, key="embedded", at=AT)
    assert report.indication is Indication.PASSED


@pytest.mark.parametrize(
    "change", [made.add_validation_data, made.orphan], ids=lambda change: change.__name__
)
def test_what_shows_nothing_may_be_added(change: Change, signed: bytes, policy: Policy) -> None:
    report = verify_pdf(made.appended(signed, change), policy=policy, trust=None, key="embedded", at=AT)
    assert (report.indication, codes(report)) == (Indication.PASSED, set())


def test_a_signature_taken_out_of_the_form_is_no_signature(signed: bytes, policy: Policy) -> None:
    data = made.appended(signed, made.remove_signature)
    report = verify_pdf(data, policy=policy, trust=None, key="embedded", at=AT)
    assert (report.indication, report.sub_indication) == (Indication.INDETERMINATE, "NO_SIGNATURE")


def _certified(pki: Hierarchy, permission: MDPPerm) -> bytes:
    """A form that its author certified."""
    how = PdfSignatureMetadata(
        field_name="Author", certify=True, docmdp_permissions=permission, md_algorithm="sha256"
    )
    return _signed_by_pyhanko(made.pdf(field=True), pki, how)


def _signed_by_pyhanko(
    data: bytes, pki: Hierarchy, how: PdfSignatureMetadata, password: bytes | None = None
) -> bytes:
    from asn1crypto import keys
    from asn1crypto import x509 as asn1_x509
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
    from pyhanko_certvalidator.registry import SimpleCertificateStore

    key: FileKey = pki.taxpayer
    der = key.private_key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    theirs = SimpleSigner(
        signing_cert=asn1_x509.Certificate.load(key.certificate.public_bytes(Encoding.DER)),
        signing_key=keys.PrivateKeyInfo.load(der),
        cert_registry=SimpleCertificateStore(),
    )
    writer = IncrementalPdfFileWriter(BytesIO(data))
    if password is not None:
        writer.encrypt(password)
    return bytes(PdfSigner(how, signer=theirs).sign_pdf(writer).getvalue())


def test_filling_a_form_needs_permission(pki: Hierarchy, policy: Policy) -> None:
    def judge(data: bytes, rules: Policy) -> Report:
        return verify_pdf(made.appended(data, made.fill_field), policy=rules, trust=None, key="embedded")

    plain = sign_pdf(made.pdf(field=True), pki.taxpayer, at=AT)
    assert codes(judge(plain, policy)) == {"pdf.changed"}
    assert judge(plain, load_policy("conformance")).indication is Indication.PASSED
    permitted = judge(_certified(pki, MDPPerm.FILL_FORMS), policy)
    assert "pdf.changed" not in codes(permitted)
    assert "pdf.form-filled" in {c.code for s in permitted.signatures for c in s.checks}
    assert "pdf.changed" in codes(judge(_certified(pki, MDPPerm.NO_CHANGES), load_policy("conformance")))


def test_a_document_certified_as_final_is_not_signed_again(pki: Hierarchy, policy: Policy) -> None:
    for permission, expected in ((MDPPerm.NO_CHANGES, True), (MDPPerm.FILL_FORMS, False)):
        data = sign_pdf(_certified(pki, permission), pki.taxpayer, at=AT)
        report = verify_pdf(data, policy=policy, trust=None, key="embedded")
        assert ("pdf.changed" in codes(report)) is expected


def _range(data: bytes, *values: int) -> bytes:
    start = data.index(b"/ByteRange [") + len(b"/ByteRange [")
    end = data.index(b"]", start)
    return data[:start] + b" ".join(b"%d" % v for v in values).ljust(end - start) + data[end:]


def test_byte_ranges_that_lie(signed: bytes, policy: Policy) -> None:
    opening = signed.index(b"/Contents <") + len(b"/Contents ")
    closing = signed.index(b">", opening) + 1
    size = len(signed)
    told = (0, opening, closing, size - closing)
    assert _range(signed, *told).split() == signed.split()
    wrong = [
        (1, opening - 1, closing, size - closing),
        (0, opening - 20, closing, size - closing),
        (0, opening, closing + 20, size - closing - 20),
        (0, opening, closing, size - closing - 200),
        (0, opening, closing, size),
        (0, opening, closing, -5),
        (0, size, 0, 0),
        (0, opening, closing),
        (0, opening, closing, size - closing, size, 0),
    ]
    for values in wrong:
        report = verify_pdf(_range(signed, *values), policy=policy, trust=None, key="embedded", at=AT)
        assert report.indication is Indication.FAILED, values
        assert report.covered == ()


def test_something_beside_the_value_in_the_gap(signed: bytes, policy: Policy) -> None:
    start = signed.index(b"/Contents <") + len(b"/Contents <")
    end = signed.index(b">", start)
    hidden = b"0" * 40 + b">/X<</Y(" + b"0" * 40 + b")>>/Z<"
    data = signed[: end - len(hidden)] + hidden + signed[end:]
    assert len(data) == len(signed)
    report = verify_pdf(data, policy=policy, trust=None, key="embedded", at=AT)
    assert report.indication is Indication.FAILED


def test_every_signed_octet_counts(signed: bytes, policy: Policy) -> None:
    chance = Random(5)
    opening = signed.index(b"/Contents <") + len(b"/Contents ")
    closing = signed.index(b">", opening) + 1
    places = [p for p in range(len(signed)) if not opening <= p < closing]
    for position in chance.sample(places, 60):
        data = signed[:position] + bytes([signed[position] ^ 1]) + signed[position + 1 :]
        report = verify_pdf(data, policy=policy, trust=None, key="embedded", at=AT)
        assert report.indication is not Indication.PASSED, position


def test_no_signature(policy: Policy) -> None:
    report = verify_pdf(made.pdf(), policy=policy, trust=None, key="embedded", at=AT)
    assert (report.indication, report.sub_indication) == (Indication.INDETERMINATE, "NO_SIGNATURE")


def reading_cpu() -> float:
    """Seconds that the reading process and the children it has waited for have used."""
    (reader,) = {each.pid for each in confined._idle}
    fields = Path(f"/proc/{reader}/stat").read_text("ascii").rsplit(")", 1)[1].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.parametrize("kind", sorted(made.bombs()))
def test_bombs_are_defused(kind: str, policy: Policy) -> None:
    verify_pdf(made.pdf(), policy=policy, trust=None, key="embedded", at=AT)  # the reading process is there
    bomb = made.bombs()[kind]
    before = reading_cpu()
    report = verify_pdf(bomb, policy=policy, trust=None, key="embedded", at=AT)
    assert report.indication is Indication.FAILED or report.sub_indication == "NO_SIGNATURE"
    assert reading_cpu() - before < 1.1 + 0.1 * len(bomb) / (1 << 20)


def test_a_file_that_needs_a_password_is_called_locked(pki: Hierarchy, policy: Policy) -> None:
    open_to_all = _signed_by_pyhanko(made.encrypted(made.pdf(), ""), pki, PdfSignatureMetadata("A"), b"")
    assert verify_pdf(open_to_all, policy=policy, trust=None, key="embedded").indication is Indication.PASSED
    report = verify_pdf(
        made.encrypted(made.pdf(), "secret"), policy=policy, trust=None, key="embedded", at=AT
    )
    assert (report.sub_indication, codes(report)) == ("SIGNED_DATA_NOT_FOUND", {"pdf.encrypted"})


def test_reading_is_stopped_at_its_limits() -> None:
    """The limit itself, in a process of its own: pyHanko's own limits stop the bombs that we know sooner."""
    program = (
        "import sys, signing.pdf.child as child\n"
        "child.read_pdf = lambda data: bytearray(300 << 20)\n"
        "sys.stdout.write(child._read_in_child(b'').decode())\n"
        "child.read_pdf = lambda data: [None for _ in iter(int, 1)]\n"
        "sys.stdout.write(child._read_in_child(b'').decode())"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    first, second = run.stdout.split("}", 1)
    assert first == '{"limit": "memory"'
    assert second in ('{"limit": "memory"}', f'{{"limit": "signal {signal.SIGPROF.value}"}}')


def test_a_file_that_takes_too_long_by_the_clock_is_not_at_fault(policy: Policy) -> None:
    report = verify_pdf(made.pdf(), policy=policy, trust=None, key="embedded", at=AT, seconds=0.0)
    assert (report.sub_indication, codes(report)) == ("TRY_LATER", {"pdf.reader"})


def test_a_reading_process_that_hangs_is_ended_and_the_next_file_is_read(
    signed: bytes, policy: Policy, monkeypatch: pytest.MonkeyPatch
) -> None:
    def judged() -> Report:
        return verify_pdf(signed, policy=policy, trust=None, key="embedded", at=AT)

    judged()
    confined._idle[-1].send_signal(signal.SIGSTOP)
    monkeypatch.setattr(confined, "HANGS_SECONDS", 0.1 - WALL_SECONDS)
    assert codes(judged()) == {"pdf.reader"}
    monkeypatch.undo()
    assert judged().indication is Indication.PASSED


def test_what_is_told_of_many_signatures_is_bounded(signed: bytes, policy: Policy) -> None:
    """Every octet of a signature's value is told twice over; a file may name one value as often as it likes."""
    report = verify_pdf(
        made.many_fields(60, octets=200_000), policy=policy, trust=None, key="embedded", at=AT
    )
    assert codes(report) == {"pdf.structure"}
    assert "signatures of more than" in report.checks[-1].message_en


def test_hostile_octets_get_a_report(signed: bytes, policy: Policy) -> None:
    chance = Random(11)
    found = [b"", b"%PDF-", b"%PDF-1.7\n%%EOF", signed[:-1], signed[: len(signed) // 2], signed[100:]]
    found += [b"%PDF-1.7\n" + bytes(chance.randrange(256) for _ in range(2000)) for _ in range(20)]
    for _ in range(60):
        position, width = chance.randrange(len(signed)), chance.randrange(1, 40)
        found.append(
            signed[:position]
            + bytes(chance.randrange(256) for _ in range(width))
            + signed[position + width :]
        )
    for data in found:
        report = verify_pdf(data, policy=policy, trust=None, key="embedded", at=AT)
        if report.indication is Indication.PASSED:
            assert made.TEXT in report.covered[0].octets


def test_signing_refuses_what_it_cannot_update(pki: Hierarchy) -> None:
    for data in (b"", b"%PDF-1.7", made.pdf()[:-300]):
        with pytest.raises(PdfSigningRefused):
            sign_pdf(data, pki.taxpayer, at=AT)
    with pytest.raises(ValueError, match="aware"):
        sign_pdf(made.pdf(), pki.taxpayer, at=AT.replace(tzinfo=None))


def test_third_party_vectors(capsys: pytest.CaptureFixture[str]) -> None:
    """None of the forgeries; of the valid ones all but what was visibly changed after signing."""
    file = shared("vectors/cases.json")
    policy = load_policy("conformance")
    cases: list[dict[str, Any]] = [c for c in json.loads(file.read_text("utf-8")) if c["family"] == "pades"]
    table: Counter[tuple[str, str]] = Counter()
    refused = {}
    for case in cases:
        data = (file.parent / case["path"]).read_bytes()
        report = verify_pdf(data, policy=policy, trust=None, key="embedded")
        table[case["expected"], report.indication.value] += 1
        if report.indication is Indication.PASSED:
            assert case["expected"] == "valid", case["id"]
        elif case["expected"] == "valid":
            refused[case["id"]] = codes(report)
    with capsys.disabled():
        print("\n" + "\n".join(f"{n:4} {' / '.join(row)}" for row, n in sorted(table.items())))
    changed = ({"pdf.changed"}, {"pdf.byte-range"})  # visibly, or where a revision cannot be read
    assert all(why in changed for why in refused.values()), refused
    assert len(refused) == 3


def test_the_digest_of_a_covered_file_is_what_was_signed(signed: bytes, policy: Policy) -> None:
    report = verify_pdf(signed, policy=policy, trust=None, key="embedded", at=AT)
    octets = report.covered[0].octets
    assert hashlib.sha256(octets).digest() in bytes.fromhex(
        signed[signed.index(b"/Contents <") + 11 : signed.index(b">", signed.index(b"/Contents <"))].decode()
    )


@pytest.mark.parametrize(
    "form",
    [
        b"<</Length 3>>\nstream\n%b\nendstream",
        b"<</A --5/Length 90>>\nstream\n%b\nendstream",
        b"<</A/B#GG/Length 90>>\nstream\n%b\nendstream",
        b"<</A 1 2/Length 90>>\nstream\n%b\nendstream",
        b"<<>>\nstream\n%b\nendstream",
    ],
)
def test_what_our_reader_cannot_read_is_not_unchanged(form: bytes, pki: Hierarchy, policy: Policy) -> None:
    """Other readers mend such objects and show them: what is put in their place later must not count as nothing."""
    signed = sign_pdf(made.by_hand(form % made.TEXT), pki.taxpayer, at=AT)
    root = int(re.findall(rb"/Root (\d+)", signed)[-1])
    data = made.by_hand(signed, form % made.TEXT.replace(b"1.000", b"9.000"), root)
    report = verify_pdf(data, policy=policy, trust=None, key="embedded", at=AT)
    assert report.indication is not Indication.PASSED
