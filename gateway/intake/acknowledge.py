"""acknowledge: only what has been recorded can be answered for."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.filing.filing import Filing, NoticeKind, Recorded, SignedNotice


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a sender. `notice` is the original signed document, byte for byte, also on a repeat."""

    filing: Filing
    notice: SignedNotice
    repeat: bool

    @property
    def refused(self) -> bool:
        """Whether our checks refused the document when it came in."""
        return self.notice.kind is NoticeKind.REFUSAL


def acknowledge(recorded: Recorded) -> Answer:
    """Takes the proof of a durable commit, and gives the answer that may be sent."""
    return Answer(recorded.filing, recorded.notice, recorded.repeat)
