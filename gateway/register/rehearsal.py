"""A coming change, tried in a shadow: all that would break, before anything does. Nothing that serves is touched."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

import signing
from gateway.body_keys import open_body_key
from gateway.errors import ConfigurationError
from gateway.filing.findings import Text
from gateway.intake.verify import SignatureRules
from gateway.notice_keys import notary_with, open_entry
from gateway.ports import Agency
from gateway.register.entry import BARE, SINGLE, Entry, NewEntry, Purpose, State, active
from gateway.register.in_words import unusable
from gateway.register.judging import certificate_faults, chain_faults, issued_by, names_of
from gateway.register.key_files import OTHER_KEY, as_known, mode_faults
from gateway.register.policy import RegisterPolicy
from gateway.register.reading import additions, fingerprint_of
from gateway.register.shadow import handshake_faults
from gateway.register.towards import agency_tls_faults
from gateway.reloaded import client_cas, doors
from gateway.settings import Settings
from gateway.status_sources import source_faults
from gateway.store.sealing import BodyKeys
from gateway.time_stamps import tsa_faults

CHECKS = ("certificate", "key", "chain", "names", "signature", "path", "handshake", "overlap", "sealing")
_PROBE = bytes(64)
_NO_AUTHORITY = {
    Purpose.CLIENT_CA: Text(
        "Không còn tổ chức nào cấp chứng thư máy khách.", "No authority of client certificates is left."
    ),
    Purpose.ADMIN_CA: Text(
        "Không còn tổ chức nào cấp chứng thư cho người quản trị.",
        "No authority of administrators' certificates is left.",
    ),
}


@dataclass(frozen=True, slots=True)
class Stage:
    """What a rehearsal knows: the installation, the register as it is, the time at which the change would come."""

    settings: Settings
    entries: Sequence[Entry]
    policy: RegisterPolicy
    at: datetime
    agencies: Sequence[Agency] = ()

    @property
    def production(self) -> bool:
        """Whether development certificates are refused."""
        return self.settings.mode == "production"


def rehearse(entry: NewEntry, stage: Stage) -> tuple[Text, ...]:
    """All that would break, were the entry in use, and what could not be found out (Doubt). Without faults: green.

    Takes as long as its signer takes to sign, or its agency to answer.
    """
    faults: list[Text] = []
    for check in (_itself, _overlap, _its_purpose):
        try:
            faults += check(entry, stage)
        except (
            signing.KeyRefused,
            signing.TrustRefused,
            signing.CrlRefused,
            ConfigurationError,
            OSError,
            ValueError,
        ) as error:  # ssl.SSLError is an OSError
            faults.append(_said(error))
    return tuple(dict.fromkeys(faults))


def _said(error: Exception) -> Text:
    if "does not belong to the certificate" in str(error):
        return OTHER_KEY
    return unusable(error)


def _itself(entry: NewEntry, stage: Stage) -> Iterator[Text]:
    if entry.purpose is Purpose.CRL or entry.purpose in BARE:
        return
    certificate = x509.load_der_x509_certificate(entry.octets)
    yield from certificate_faults(
        certificate, entry.purpose, stage.policy, stage.at, production=stage.production
    )


def _overlap(entry: NewEntry, stage: Stage) -> Iterator[Text]:
    current = active(stage.entries, entry.purpose, entry.party) if entry.purpose in SINGLE else None
    if current is None or current.id == entry.id:
        return
    if entry.valid_to < current.valid_to:
        yield Text(
            f"Hết hạn ({entry.valid_to:%Y-%m-%d}) sớm hơn {current.id} mà nó thay thế.",
            f"It ends ({entry.valid_to:%Y-%m-%d}) before {current.id}, which it would replace.",
        )
    if current.valid_to < stage.at:
        yield Text(
            f"{current.id} hết hạn trước đó: không có thời gian chuyển tiếp.",
            f"{current.id} will have ended by then: there is no overlap.",
        )


def _its_purpose(entry: NewEntry, stage: Stage) -> Iterator[Text]:
    match entry.purpose:
        case Purpose.TLS | Purpose.ADMIN_TLS:
            yield from _tls(entry, stage)
        case Purpose.NOTICES:
            yield from _notices(entry, stage)
        case Purpose.AGENCY_TLS:
            current = active(stage.entries, entry.purpose, entry.party)
            yield from agency_tls_faults(entry, stage.agencies, current)
        case Purpose.CLIENT | Purpose.ADMIN:
            yield from _client(entry, stage)
        case Purpose.CRL:
            yield from _crl(entry, stage)
        case Purpose.ANCHOR | Purpose.INTERMEDIATE:
            _trust(stage, entry)
        case Purpose.BODIES:
            yield from _bodies(entry)
        case Purpose.STATUS_SOURCE:
            yield from source_faults(entry, _trust(stage))
        case Purpose.TSA:
            yield from _tsa(entry, stage)
        case Purpose.CLIENT_CA | Purpose.ADMIN_CA:
            pass


def _tls(entry: NewEntry, stage: Stage) -> Iterator[Text]:
    certificate, key = Path(entry.location["certificate"]), Path(entry.location["key"])
    yield from mode_faults([key])
    chain = x509.load_pem_x509_certificates(certificate.read_bytes())
    if fingerprint_of(chain[0]) != entry.fingerprint:
        yield Text(f"{certificate} nay chứa chứng thư khác.", f"{certificate} holds another certificate now.")
        return
    private = load_pem_private_key(key.read_bytes(), None)
    if private.public_key() != chain[0].public_key():
        yield OTHER_KEY
        return
    yield from chain_faults(chain)
    current = active(stage.entries, entry.purpose)
    if current is not None:
        yield from _as_clients_know_us(chain, current)
    yield from handshake_faults(certificate, key, chain)


def _as_clients_know_us(chain: Sequence[x509.Certificate], current: Entry) -> Iterator[Text]:
    """Senders trust an authority and call a name: both must still be there."""
    there = x509.load_der_x509_certificate(current.octets)
    if missing := names_of(there) - names_of(chain[0]):
        listed = ", ".join(sorted(missing))
        yield Text(f"Thiếu tên máy chủ: {listed}.", f"Names that clients call are missing: {listed}.")
    yield from as_known(chain, current, Text("người gửi", "senders"))


def _notices(entry: NewEntry, stage: Stage) -> Iterator[Text]:
    named = (entry.location.get("key"), entry.location.get("password_file"))
    yield from mode_faults(Path(one) for one in named if one)
    key = open_entry(entry)
    rules = signing.load_policy(stage.settings.trust.policy)
    yield from notary_with(stage.settings, key).trial(rules, _trust(stage), stage.at)


def _client(entry: NewEntry, stage: Stage) -> Iterator[Text]:
    certificate = x509.load_der_x509_certificate(entry.octets)
    wanted = Purpose.ADMIN_CA if entry.purpose is Purpose.ADMIN else Purpose.CLIENT_CA
    door = doors(stage.settings).get(wanted)
    cas = () if door is None else client_cas(door, stage.entries)
    if not any(issued_by(certificate, ca) for ca in cas):
        yield Text(
            "Tổ chức cấp chứng thư không nằm trong số các tổ chức được tin cậy.",
            "None of the trusted authorities of client certificates issued it.",
        )
    others = {e.party for e in stage.entries if e.fingerprint == entry.fingerprint and e.party != entry.party}
    if others:
        yield Text(f"Chứng thư là của {others}.", f"The certificate is that of {', '.join(sorted(others))}.")


def _crl(entry: NewEntry, stage: Stage) -> Iterator[Text]:
    trust = _trust(stage)
    callers = [ca for door in doors(stage.settings).values() for ca in client_cas(door, stage.entries)]
    issuers = (*trust.anchors, *trust.intermediates, *callers)
    signing.RevocationIndex(issuers).add_crl(entry.octets)
    if entry.valid_to < stage.at:
        until = f"{entry.valid_to:%Y-%m-%d %H:%M} UTC"
        yield Text(f"Danh sách đã hết hạn lúc {until}.", f"The list ended at {until}.")


def _tsa(entry: NewEntry, stage: Stage) -> Iterator[Text]:
    """A real time stamp, within the time that a notice waits for one."""
    rules = SignatureRules(signing.load_policy(stage.settings.trust.policy), _trust(stage))
    yield from tsa_faults(entry.location["url"], stage.settings.notices.tsa_seconds, rules, stage.at)


def _bodies(entry: NewEntry) -> Iterator[Text]:
    """On this host; of the others each process that serves says whether it has the key."""
    yield from mode_faults([Path(entry.location["key"])])
    keys = BodyKeys({entry.subject: open_body_key(entry)}, entry.subject)
    if keys.open(keys.sealer.seal(_PROBE, b"probe"), b"probe") != _PROBE:
        yield Text("Mã hóa thử không thành.", "What it seals does not open.")


def _trust(stage: Stage, *more: NewEntry) -> signing.TrustStore:
    """What is trusted, with further entries as if they were in use. Raises signing.TrustRefused."""
    coming = [in_use(entry) for entry in more]
    ids = {entry.id for entry in coming}
    entries = [*(e for e in stage.entries if e.id not in ids), *coming]
    return signing.TrustStore.load(stage.settings.trust.directory, stage.at, more=additions(entries))


def in_use(entry: NewEntry, state: State = State.ACTIVE) -> Entry:
    """The entry as it would be in that state."""
    said = {name: getattr(entry, name) for name in NewEntry.__dataclass_fields__}
    return Entry(**said, state=state)


def retirement_faults(entry: Entry, stage: Stage) -> tuple[Text, ...]:
    """What would break, were this anchor, intermediate or authority trusted no more: our own notices, all clients.
    Or this key used no more: an agency would be called without a certificate."""
    rest = [*(e for e in stage.entries if e.id != entry.id), in_use(entry, State.RETIRED)]
    door = doors(stage.settings).get(entry.purpose)
    if door is not None and not client_cas(door, rest):
        return (_NO_AUTHORITY[entry.purpose],)
    if entry.purpose is Purpose.AGENCY_TLS and entry.state is State.ACTIVE:
        return (
            Text(
                f"{entry.party} sẽ được gọi mà không có chứng thư.",
                f"{entry.party} would be called without a certificate.",
            ),
        )
    if entry.purpose not in (Purpose.ANCHOR, Purpose.INTERMEDIATE):
        return ()
    try:
        trust = signing.TrustStore.load(stage.settings.trust.directory, stage.at, more=additions(rest))
    except signing.TrustRefused as error:
        return (Text("Sẽ không còn gốc tin cậy nào.", f"Nothing would be trusted: {error}"),)
    current = active(stage.entries, Purpose.NOTICES)
    if current is not None and not trust.paths.paths(x509.load_der_x509_certificate(current.octets)):
        return (
            Text(
                f"Thông báo của chính cổng ({current.id}) sẽ không kiểm chứng được.",
                f"Our own notices ({current.id}) could not be proven any more.",
            ),
        )
    return ()
