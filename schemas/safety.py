"""What a schema may ask of those who judge by it: patterns and counts whose cost is bounded, whatever the document."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from lxml import etree

_XS = "{http://www.w3.org/2001/XMLSchema}"
MOST_OCCURS = 100_000  # of one particle; more is "unbounded", which form.toml's max_elements bounds
MOST_OCCURS_NESTED = 1_000_000  # of particles in particles of one content model
MOST_PATTERN = 2_000  # characters
MOST_REPEATS = 20_000  # of counted groups in counted groups
_MANY = 100  # a count from here on is as good as none

_CLASS = r"\[(?:\\.|[^\]\\])*(?:\[(?:\\.|[^\]\\])*\])?\]"
_TOKEN = re.compile(rf"\\.|{_CLASS}|[()|]|[*+?]|\{{([0-9]+)(,?)([0-9]*)\}}|.", re.DOTALL)
_WORDS = re.compile(r"[A-Za-z0-9 ]+(?:\|[A-Za-z0-9 ]+)+")
_LISTED = re.compile(rf"(?P<before>[,;:/ _-]|\\[.-])?(?P<item>{_CLASS}|\\d)[+*](?P<after>[,;:/ _-]|\\[.-])?")


def schema_faults(root: etree._Element) -> Iterator[str]:
    """What makes a schema unfit, each with its line."""
    for element in root.iter(f"{_XS}pattern"):
        if (fault := pattern_fault(str(element.get("value") or ""))) is not None:
            yield f"line {element.sourceline}: the pattern {element.get('value')!r:.80} {fault}"
    for element in root.iter("*"):
        yield from _count_faults(element)


def _count_faults(element: etree._Element) -> Iterator[str]:
    counts = [element.get(name) for name in ("minOccurs", "maxOccurs")]
    if any(_number(count) > MOST_OCCURS for count in counts):
        yield f"line {element.sourceline}: more than {MOST_OCCURS} occurrences are counted: say unbounded"
        return
    product = 1
    for holder in (element, *element.iterancestors()):
        if holder.tag == f"{_XS}complexType":
            break  # an element's own content is counted by itself
        product *= max(1, _number(holder.get("maxOccurs")))
    if counts[1] is not None and product > MOST_OCCURS_NESTED:
        yield f"line {element.sourceline}: counts within counts come to {product} occurrences"


def _number(count: str | None) -> int:
    if count is None or not count.isascii() or not count.isdigit():
        return 1
    return int(count) if len(count) < 10 else 10**10


@dataclass(slots=True)
class _Group:
    start: int = 0
    text: str = ""
    endless: bool = False  # something in it repeats without (or with a high) bound
    choice: bool = False
    repeats: int = 1  # the largest product of counts in it


def pattern_fault(pattern: str) -> str | None:
    """Why the pattern could take exponential time with the slowest of those who judge by it; None where it cannot.

    A group that repeats endlessly must hold nothing that repeats endlessly, and no alternatives: but for words none of
    which begins another, and for a list of items with a separator that no item holds.
    """
    if len(pattern) > MOST_PATTERN:
        return f"is longer than {MOST_PATTERN} characters"
    groups, last = [_Group()], _Group()
    for match in _TOKEN.finditer(pattern):
        token = match[0]
        if token == "(":  # noqa: S105 - no secret
            groups.append(_Group(start=match.end()))
        elif token == ")" and len(groups) > 1:  # noqa: S105
            last = groups.pop()
            last.text = pattern[last.start : match.start()]
        elif token == "|":  # noqa: S105
            groups[-1].choice = True
        elif token in tuple("*+?") or match[1] is not None:
            if (fault := _repeat(groups[-1], last, token, match)) is not None:
                return fault
        else:
            last = _Group()
        groups[-1].endless |= last.endless
        groups[-1].repeats = max(groups[-1].repeats, last.repeats)
    return None


def _repeat(holder: _Group, last: _Group, token: str, match: re.Match[str]) -> str | None:
    if token in ("*", "+"):
        times = _MANY
    elif token == "?":  # noqa: S105
        times = 1
    else:
        times = _MANY if match[2] and not match[3] else _number(match[3] or match[1])
    if times >= _MANY and (last.endless or last.choice) and not _unambiguous(last.text):
        return "repeats a group that itself repeats, or that has alternatives"
    last.repeats *= max(1, times)
    last.endless |= times >= _MANY
    holder.endless |= last.endless
    return "counts repeats of repeats" if last.repeats > MOST_REPEATS else None


def _unambiguous(group: str) -> bool:
    """Whether there is one way only to read its repeats."""
    if _WORDS.fullmatch(group):
        words = sorted(group.split("|"))
        return not any(two.startswith(one) for one, two in pairwise(words))
    listed = _LISTED.fullmatch(group)
    if listed is None or (listed["before"] is None) == (listed["after"] is None):
        return False
    separator = (listed["before"] or listed["after"])[-1]
    return re.fullmatch(listed["item"], separator) is None
