"""Filing numbers (mã giao dịch điện tử): unique, unguessable, dated, with a check character."""

from __future__ import annotations

import re
import secrets
from datetime import datetime, timedelta, timezone

VIETNAM = timezone(timedelta(hours=7), "Asia/Ho_Chi_Minh")
"""Vietnam's civil time: UTC+7 all year, no daylight saving since 1975."""

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # no I, L, O, U: read aloud without doubt
_RANDOM_CHARACTERS = 12
_ISO_7064 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_FORM = re.compile(
    rf"(?P<gateway>[A-Z][A-Z0-9]{{1,5}})-(?P<date>\d{{8}})-(?P<random>[{_CROCKFORD}]{{12}})-(?P<check>[0-9A-Z])",
    re.ASCII,
)


def new_filing_number(gateway_code: str, at: datetime) -> str:
    """A new number: gateway code, Vietnam date, 60 random bits, check character.

    `SLA-20261124-8F3K9QX27MTB-K`. Random rather than counted, so that nobody learns from a number how much
    others file, and so that nodes need not agree; the store's primary key catches the improbable double.

    Args:
        gateway_code: 2 to 6 of `A-Z0-9`, a letter first.
        at: aware time of receipt.
    """
    date = at.astimezone(VIETNAM).strftime("%Y%m%d")
    bits = secrets.randbits(5 * _RANDOM_CHARACTERS)
    random = "".join(_CROCKFORD[bits >> 5 * place & 31] for place in range(_RANDOM_CHARACTERS))
    stem = f"{gateway_code}-{date}-{random}"
    return f"{stem}-{check_character(stem)}"


def is_filing_number(text: str) -> bool:
    """Whether `text` has the form of a filing number and its check character holds."""
    match = _FORM.fullmatch(text)
    return match is not None and check_character(text[:-2]) == match["check"]


def check_character(stem: str) -> str:
    """ISO/IEC 7064 MOD 37,36 over letters and digits: every single error is caught, and nearly all swaps."""
    product = 36
    for character in stem:
        if character == "-":
            continue
        total = (product + _ISO_7064.index(character)) % 36 or 36
        product = total * 2 % 37
    return _ISO_7064[(37 - product) % 36]
