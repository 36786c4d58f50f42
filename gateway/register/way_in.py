"""Whether an authority of administrators may go: somebody who can let others in must still be let in himself."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from cryptography import x509

from gateway.admin.people import Person
from gateway.admin.roles import Role
from gateway.filing.findings import Text
from gateway.register.entry import IN_FORCE, Entry, Purpose, State
from gateway.register.judging import issued_by
from gateway.register.rehearsal import in_use
from gateway.reloaded import client_cas
from gateway.settings import AdminSettings

SHUT_OUT = Text(
    "Không còn quản trị chứng thư số nào vào được cửa quản trị; chỉ làm được trên máy chủ: "
    "`efile certs retire --force`, `efile certs revoke --emergency`.",
    "No certificate administrator could come in any more; only the machine does that: "
    "`efile certs retire --force`, `efile certs revoke --emergency`.",
)


def shuts_out(entry: Entry, entries: Sequence[Entry], door: AdminSettings, people: Iterable[Person]) -> bool:
    """Whether no certificate administrator has a certificate in use, by an authority that stays, once this one is out.

    Who is known by a fingerprint alone has none that could be looked at.
    """
    rest = [*(e for e in entries if e.id != entry.id), in_use(entry, State.RETIRED)]
    cas = client_cas(door, rest)
    if cas == client_cas(door, entries):
        return False  # it is not in use
    in_charge = {
        f"{Purpose.ADMIN.value} {one.name}"
        for one in people
        if one.suspended is None and Role.CERTIFICATE_ADMIN in one.roles
    }
    theirs = (
        x509.load_der_x509_certificate(e.octets)
        for e in entries
        if e.purpose is Purpose.ADMIN and e.state in IN_FORCE and e.party in in_charge
    )
    return not any(issued_by(certificate, ca) for certificate in theirs for ca in cas)
