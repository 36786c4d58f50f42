"""Lists of codes with their days (`codes/*.csv`): which code stands for what, from when and until when."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise

from schemas.faults import Words

_COLUMNS = ["code", "name_vi", "from", "until", "became"]


@dataclass(frozen=True, slots=True)
class Code:
    """What a code stands for from `first` to `last` (inclusive; None: until further notice).

    `became`: the code of what it became afterwards, "" where that is the same code or nobody knows.
    """

    code: str
    name_vi: str
    first: date
    last: date | None
    became: str

    def on(self, day: date) -> bool:
        return self.first <= day and (self.last is None or day <= self.last)


@dataclass(frozen=True, slots=True)
class CodeList:
    """All that a code has stood for, by code. By a `whole` list documents are judged; a sample only tells of some."""

    name: str
    title: Words
    whole: bool
    codes: Mapping[str, tuple[Code, ...]]

    def on(self, code: str, day: date) -> Code | None:
        return next((one for one in self.codes.get(code, ()) if one.on(day)), None)

    def instead(self, code: str, day: date) -> Code | None:
        """What is in use on `day` for what `code` stood for at another time."""
        for one in self.codes.get(code, ()):
            if (found := self.on(one.became, day)) is not None:
                return found
        return None


class CodeListError(ValueError):
    """`faults` name every line that cannot be used."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = tuple(faults)


def read_codes(name: str, text: str) -> CodeList:
    """Read a list: the comments `# whole` or `# sample`, `# vi:` and `# en:` (its title), then the table.

    Raises CodeListError.
    """
    lines = text.splitlines()
    said = [line[1:].strip() for line in lines if line.startswith("#")]
    faults = []
    if said[:1] not in (["whole"], ["sample"]):
        faults.append("the first line must be “# whole” or “# sample”")
    titles = {one[:2]: one[3:].strip() for one in said if one[:3] in ("vi:", "en:")}
    if not (titles.get("vi") and titles.get("en")):
        faults.append("it lacks a title: “# vi: …” and “# en: …”")
    table = csv.reader(line for line in lines if not line.startswith("#"))
    if next(table, None) != _COLUMNS:
        raise CodeListError([*faults, f"the columns must be {', '.join(_COLUMNS)}"])
    codes: dict[str, list[Code]] = {}
    for row in table:
        try:
            one = _code(row)
        except ValueError as error:
            faults.append(f"{','.join(row)}: {error}")
        else:
            codes.setdefault(one.code, []).append(one)
    if not codes:
        faults.append("no code at all")
    title = Words(titles.get("vi", ""), titles.get("en", ""))
    found = CodeList(name, title, said[:1] == ["whole"], {code: _in_order(of) for code, of in codes.items()})
    if faults := [*faults, *_faults(found)]:
        raise CodeListError(faults)
    return found


def _code(row: Sequence[str]) -> Code:
    """Raises ValueError."""
    if len(row) != len(_COLUMNS):
        raise ValueError(f"{len(row)} columns in the place of {len(_COLUMNS)}")
    code, name, first, last, became = row
    if not code or not name or code != code.strip():
        raise ValueError("a code and a name, without blanks around, must be there")
    one = Code(code, name, date.fromisoformat(first), date.fromisoformat(last) if last else None, became)
    if one.last is not None and one.last < one.first:
        raise ValueError("until lies before from")
    if became and one.last is None:
        raise ValueError("it became another code, and never ended")
    return one


def _in_order(codes: Sequence[Code]) -> tuple[Code, ...]:
    return tuple(sorted(codes, key=lambda one: one.first))


def _faults(codes: CodeList) -> Iterator[str]:
    for code, rows in codes.codes.items():
        for earlier, later in pairwise(rows):
            if earlier.last is None or later.first <= earlier.last:
                yield f"{code}: two rows for {later.first}"
        for one in rows:
            if one.became and one.last and codes.on(one.became, one.last + timedelta(days=1)) is None:
                yield f"{code}: it became {one.became}, which is not in use on the day after"
