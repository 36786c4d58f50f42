"""ASiC: what is signed is told by name; what is unsigned, ambiguous or made to cost is refused."""

from __future__ import annotations

import io
import tracemalloc
import zipfile
import zlib
from pathlib import Path
from random import Random

import pytest

from signing import Indication, Policy, TrustStore
from signing.asic import verify_asic
from signing.formats import verify
from signing.parsing import parse_xml
from signing.report import Report
from signing.verify import verify_document
from tests.cost import affordable
from tests.signing.asic_documents import (
    ASIC_S,
    FILES,
    asic_e,
    asic_e_cades,
    manifest,
    packed,
    xades,
)
from tests.signing.cms_documents import openssl_cms
from tests.signing.pki import AT, Hierarchy, signer


def codes(report: Report) -> set[str]:
    every = [*report.checks, *(c for s in report.signatures for c in s.checks)]
    return {c.code for c in every if c.sub_indication}


def integrity(data: bytes, policy: Policy) -> Report:
    return verify_asic(data, policy=policy, trust=None, key="embedded", at=AT)


def test_asic_e_with_xades(pki: Hierarchy, policy: Policy, trust: TrustStore) -> None:
    data = packed(asic_e(pki.taxpayer))
    for judge in (verify_asic, verify):
        report = judge(data, policy=policy, trust=trust, at=AT)
        assert (report.indication, codes(report)) == (Indication.PASSED, set())
        assert {c.uri: c.octets for c in report.covered} == FILES
        assert report.signatures[0].profile.startswith("XAdES")


def test_two_signatures(pki: Hierarchy, policy: Policy, trust: TrustStore) -> None:
    parts = asic_e(pki.taxpayer)
    parts["META-INF/signatures1.xml"] = xades(signer(pki.ca, number=11), FILES, number=1)
    report = verify_asic(packed(parts), policy=policy, trust=trust, at=AT)
    assert (report.indication, len(report.signatures)) == (Indication.PASSED, 2)


def test_asic_with_cades(pki: Hierarchy, policy: Policy, tmp_path: Path) -> None:
    report = integrity(packed(asic_e_cades(tmp_path, pki.taxpayer)), policy)
    assert codes(report) <= {"signing-time.future", "signing-time.validity"}  # OpenSSL's clock is its own
    assert {c.uri: c.octets for c in report.covered} == FILES
    only = {"a.xml": b"<a/>"}
    made = openssl_cms(tmp_path, pki.taxpayer, "-cades", "-md", "sha256", content=b"<a/>")
    report = integrity(packed({**only, "META-INF/signature.p7s": made}, ASIC_S), policy)
    assert codes(report) <= {"signing-time.future", "signing-time.validity"}
    assert {c.uri: c.octets for c in report.covered} == only


def test_references_outside_are_refused_without_a_container(pki: Hierarchy, policy: Policy) -> None:
    document = parse_xml(xades(pki.taxpayer, FILES))
    report = verify_document(document, policy=policy, trust=None, key="embedded", at=AT)
    assert "reference.external-ref" in codes(report)


def test_a_file_that_nobody_signed(pki: Hierarchy, policy: Policy, tmp_path: Path) -> None:
    for parts in (asic_e(pki.taxpayer), asic_e_cades(tmp_path, pki.taxpayer)):
        report = integrity(packed({**parts, "thêm.xml": b"<b/>"}), policy)
        assert report.indication is Indication.FAILED
        assert "asic.unsigned-file" in codes(report)
        message = next(c.message_en for c in report.checks if c.code == "asic.unsigned-file")
        assert "thêm.xml" in message


def test_what_is_changed_is_refused(pki: Hierarchy, policy: Policy, tmp_path: Path) -> None:
    name = next(iter(FILES))
    for parts in (asic_e(pki.taxpayer), asic_e_cades(tmp_path, pki.taxpayer)):
        changed = integrity(packed({**parts, name: b"<a>hai</a>"}), policy)
        assert changed.sub_indication == "HASH_FAILURE"
        missing = integrity(packed({n: o for n, o in parts.items() if n != name}), policy)
        assert missing.indication is Indication.FAILED
    parts = asic_e_cades(tmp_path, pki.taxpayer)
    forged = {**FILES, name: b"<a>hai</a>"}
    swapped = {**parts, **forged, "META-INF/ASiCManifest001.xml": manifest(forged)}
    assert integrity(packed(swapped), policy).sub_indication == "HASH_FAILURE"


def test_manifests_that_lie(pki: Hierarchy, policy: Policy, tmp_path: Path) -> None:
    parts = asic_e_cades(tmp_path, pki.taxpayer)
    second = {**parts, "META-INF/ASiCManifest002.xml": manifest({"a": b"a"})}
    assert "asic.manifest" in codes(integrity(packed(second), policy))
    none = {n: o for n, o in parts.items() if "Manifest" not in n}
    assert "asic.manifest" in codes(integrity(packed(none), policy))


@pytest.mark.parametrize(
    "name", ["../a.xml", "/a.xml", "a/../../b", "a\\b", "c:/a", "a//b", "./a", "a\nb", "x" * 300, "MIMETYPE"]
)
def test_names_that_lead_elsewhere(name: str, pki: Hierarchy, policy: Policy) -> None:
    report = integrity(packed({**asic_e(pki.taxpayer), name: b""}), policy)
    assert codes(report) == {"asic.container"}
    assert report.signatures == ()


def test_two_files_of_one_name(pki: Hierarchy, policy: Policy) -> None:
    output = io.BytesIO()
    with zipfile.ZipFile(output, "w") as archive:
        for name, octets in asic_e(pki.taxpayer).items():
            archive.writestr(name, octets)
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("tờ khai.xml", b"<a>hai</a>")
    assert codes(integrity(output.getvalue(), policy)) == {"asic.container"}


def test_readers_must_not_differ(pki: Hierarchy, policy: Policy) -> None:
    """Header and directory that disagree, something hidden between, before or behind the entries."""
    data = packed(asic_e(pki.taxpayer))
    assert integrity(data, policy).indication is Indication.PASSED
    local = data.index(b"META-INF/manifest.xml")
    renamed = data[:local] + b"META-INF/manifest.xmm" + data[local + 21 :]
    other = packed({"x": b"hidden"})
    for form in (renamed, other + data, data + b"x", b"PK\x03\x04" + data, data + other):
        report = integrity(form, policy)
        assert report.indication is not Indication.PASSED


def test_bombs_are_defused(pki: Hierarchy, policy: Policy) -> None:
    parts = asic_e(pki.taxpayer)
    much = packed({**parts, "zeros": bytes(60 << 20)})
    told_little = bytearray(much)
    for signature, at in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        start = 0
        while (start := much.find(signature, start)) >= 0:
            place = start + at
            if int.from_bytes(much[place : place + 4], "little") == 60 << 20:
                told_little[place : place + 4] = (100).to_bytes(4, "little")
            start += 4
    many = packed({f"f{n}": b"" for n in range(3000)})
    for data in (much, bytes(told_little), many, packed({**parts, "big": bytes(70 << 20)})):
        tracemalloc.start()
        for _ in affordable(1.0):
            report = integrity(data, policy)
        assert tracemalloc.get_traced_memory()[1] < 200 << 20
        tracemalloc.stop()
        assert codes(report) == {"asic.container"}


def test_overlapping_entries(policy: Policy) -> None:
    """The directory names one piece of data many times, as the denser bombs do."""
    data = packed({"a": zlib.compress(bytes(1000))}, None)
    directory, end = data.index(b"PK\x01\x02"), data.index(b"PK\x05\x06")
    entry = data[directory:end]
    twice = (
        data[:end]
        + entry
        + data[end : end + 8]
        + b"\2\0\2\0"
        + (2 * len(entry)).to_bytes(4, "little")
        + data[end + 16 :]
    )
    assert codes(integrity(twice, policy)) == {"asic.container"}


def test_no_signature(policy: Policy) -> None:
    report = integrity(packed({"a.xml": b"<a/>"}), policy)
    assert (report.indication, report.sub_indication) == (Indication.INDETERMINATE, "NO_SIGNATURE")


def test_hostile_octets_get_a_report(pki: Hierarchy, policy: Policy) -> None:
    data = packed(asic_e(pki.taxpayer))
    chance = Random(9)
    found = [b"", b"PK\x03\x04", b"PK\x05\x06" + bytes(18)]
    found += [data[:size] for size in range(0, len(data), 113)]
    found += [bytes(chance.randrange(256) for _ in range(200)) for _ in range(20)]
    for _ in range(300):
        position = chance.randrange(len(data))
        found.append(data[:position] + bytes([chance.randrange(256)]) + data[position + 1 :])
    for each in found:
        report = integrity(each, policy)
        if report.indication is Indication.PASSED:
            assert {c.uri: c.octets for c in report.covered} == FILES


def test_a_file_that_is_named_like_a_reference_is_still_unsigned(pki: Hierarchy, policy: Policy) -> None:
    parts = asic_e(pki.taxpayer)
    parts["#P0"] = b"unsigned"
    report = integrity(packed(parts), policy)
    assert report.indication is not Indication.PASSED


def test_a_folder_holds_nothing_itself(pki: Hierarchy, policy: Policy) -> None:
    report = integrity(packed(asic_e(pki.taxpayer) | {"folder/": b"unsigned"}), policy)
    assert report.indication is not Indication.PASSED


@pytest.mark.parametrize("files", [{}, {"a": b"1", "b": b"2"}])
def test_a_lone_signature_over_none_or_several_is_refused(files: dict[str, bytes], policy: Policy) -> None:
    report = integrity(packed(files | {"META-INF/signature.p7s": b"x"}, mimetype=None), policy)
    assert report.indication is not Indication.PASSED


def test_a_file_is_listed_once(pki: Hierarchy, policy: Policy, tmp_path: Path) -> None:
    parts = asic_e_cades(tmp_path, pki.taxpayer)
    (name,) = (
        part
        for part in parts
        if "anifest" in part and part.endswith(".xml") and b"DataObjectReference" in parts[part]
    )
    text = parts[name]
    start = text.index(b"<asic:DataObjectReference")
    end = text.index(b"</asic:DataObjectReference>") + len(b"</asic:DataObjectReference>")
    parts[name] = text[:end] + text[start:end] + text[end:]
    assert "asic.manifest" in codes(integrity(packed(parts), policy))
