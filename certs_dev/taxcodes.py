"""Tax codes (mã số thuế) that pass the check digit, for certificates that look like real ones."""

from __future__ import annotations

from collections.abc import Iterator

_WEIGHTS = (31, 29, 23, 19, 17, 13, 7, 5, 3)


def tax_code(nine_digits: str) -> str | None:
    """The ten-digit code that begins with `nine_digits`; None where the check digit would be 10 (never issued)."""
    if len(nine_digits) != 9 or not (nine_digits.isascii() and nine_digits.isdigit()):
        raise ValueError(f"nine ASCII digits are needed, not {nine_digits!r}")
    check = 10 - sum(w * int(d) for w, d in zip(_WEIGHTS, nine_digits, strict=True)) % 11
    return None if check == 10 else f"{nine_digits}{check}"


def tax_codes(first: int = 551_000_000) -> Iterator[str]:
    """Distinct valid codes, ascending; the default start lies beyond every code of `pki.toml`."""
    for number in range(first, 1_000_000_000):
        code = tax_code(f"{number:09d}")
        if code is not None:
            yield code
