"""How the simulated authority behaves; everything here can be changed while it runs."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from adapters import told

Delay = Annotated[float, msgspec.Meta(ge=0, le=86_400)]


class Refusal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The reason that a rejecting verdict gives."""

    code: told.Short
    error: told.Text
    remedy: told.Text = ""
    group: told.Text = ""
    note: told.Text = ""


class Behaviour(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Delays in seconds. Verdicts are settled when a filing is taken in, by the behaviour of that moment.

    delay_s: before any answer; verdict_delay_s: from taking in to the decision.
    down: 503 to everything, no callbacks. fail_rate: share of filings answered 503, half of them after all taken in.
    callback: off leaves only polling. answer_twice: each callback is sent twice. contradict: a further callback
    says the opposite. refuse: verdicts reject, with this reason. lose_answer: so many next filings are taken in and
    the connection cut. Answers are not of the agreed form, and a filing is taken in nevertheless: garbage is somebody's
    HTML page, huge pads beyond any bound, mistyped has another media type, bomb unfolds or nests without end.
    token_lasts: for so many calls a token of the bus is good, 0 for any number. stage, stage_words: what the bus says
    of a filing that is not decided, by the national portal's number.
    """

    delay_s: Delay = 0.0
    verdict_delay_s: Delay = 1.0
    down: bool = False
    fail_rate: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.0
    callback: bool = True
    answer_twice: bool = False
    contradict: bool = False
    refuse: Refusal | None = None
    garbage: bool = False
    huge: bool = False
    mistyped: bool = False
    bomb: bool = False
    lose_answer: Annotated[int, msgspec.Meta(ge=0)] = 0
    token_lasts: Annotated[int, msgspec.Meta(ge=0)] = 0
    stage: Annotated[int, msgspec.Meta(ge=1, le=7)] = 4
    stage_words: told.Text = ""

    def changed(self, changes: dict[str, Any]) -> Behaviour:
        """This behaviour with some fields changed. Raises msgspec.ValidationError for a wrong name or value."""
        return msgspec.convert({**msgspec.to_builtins(self), **changes}, Behaviour)
