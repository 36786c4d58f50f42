"""Rehearsal of a key with which we call an agency: the agency itself is greeted with it, and nothing is sent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import load_pem_private_key

import adapters
from adapters.config import secret
from gateway.agency_keys import called_with, party_of, require_there
from gateway.filing.findings import Text
from gateway.ports import Agency
from gateway.register.entry import Doubt, Entry, NewEntry
from gateway.register.judging import chain_faults
from gateway.register.key_files import OTHER_KEY, as_known, mode_faults

_NOT_LET_IN = frozenset({400, 401, 403, 495, 496})
"""By what servers of HTTP answer a client certificate that they do not take."""


def agency_tls_faults(entry: NewEntry, agencies: Sequence[Agency], current: Entry | None) -> Iterator[Text]:
    """All that would break, were the agency called with it; what could not be found out is a Doubt.

    `current`: the one in use. Raises signing.KeyRefused, OSError, ValueError.
    """
    secrets = (entry.location.get(word) for word in ("key", "password_file"))
    yield from mode_faults(Path(one) for one in secrets if one)
    require_there(entry)
    agency = next((one for one in agencies if party_of(one.id) == entry.party), None)
    if agency is None:
        yield Text(f"Không có {entry.party}.", f"There is no {entry.party}.")
        return
    chain = x509.load_pem_x509_certificates(Path(entry.location["certificate"]).read_bytes())
    if _private(entry).public_key() != chain[0].public_key():
        yield OTHER_KEY
        return
    yield from chain_faults(chain)
    config = called_with(agency.config, entry)
    adapters.open_adapter(agency.adapter, config)
    before = None if current is None or current.fingerprint == entry.fingerprint else current
    met = adapters.greet(config)
    if met.refused:
        yield Text(
            f"{entry.party} không chấp nhận chứng thư này: {met.words}.",
            f"{entry.party} does not take this certificate: {met.words}.",
        )
    elif not met.answered or met.status in _NOT_LET_IN:
        yield from _compared(met, agency, before)
        if before is not None:
            yield from as_known(chain, before, Text(entry.party, entry.party))


def _compared(met: adapters.Greeting, agency: Agency, before: Entry | None) -> Iterator[Text]:
    """Whether the agency answers the certificate in use better: then it is the new one that it does not like."""
    who = party_of(agency.id)
    if before is not None:
        try:
            usual = adapters.greet(called_with(agency.config, before))
        except (OSError, ValueError):
            usual = None
        if usual is not None and usual.answered and usual.status not in _NOT_LET_IN:
            yield Text(
                f"{who} trả lời chứng thư đang dùng ({usual.words}), nhưng với chứng thư này: {met.words}.",
                f"{who} answers the certificate in use ({usual.words}), and this one otherwise: {met.words}.",
            )
            return
    yield Doubt(
        f"Chưa biết {who} có chấp nhận không: {met.words}.",
        f"Whether {who} takes it is not known: {met.words}.",
    )


def _private(entry: NewEntry) -> PrivateKeyTypes:
    password = secret("password", entry.location)
    try:
        octets = Path(entry.location["key"]).read_bytes()
        return load_pem_private_key(octets, password.reveal().encode() if password else None)
    except TypeError as error:  # a password is missing, or one too many
        raise ValueError(str(error)) from error
