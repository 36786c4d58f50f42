"""How the simulated authority behaves; everything here can be changed while it runs."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from adapters import rest_wire as wire

Delay = Annotated[float, msgspec.Meta(ge=0, le=86_400)]


class Refusal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The reason that a rejecting verdict gives."""

    code: wire.Short
    error: wire.Text
    remedy: wire.Text = ""
    group: wire.Text = ""
    note: wire.Text = ""


class Behaviour(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Delays in seconds. Verdicts are settled when a filing is taken in, by the behaviour of that moment.

    delay_s: before any answer; verdict_delay_s: from taking in to the decision.
    down: 503 to everything, no callbacks. fail_rate: share of filings answered 503, half of them after all taken in.
    callback: off leaves only polling. answer_twice: each callback is sent twice. contradict: a further callback
    says the opposite. refuse: verdicts reject, with this reason. garbage: answers are not of the agreed form (a
    filing is taken in nevertheless). lose_answer: so many next filings are taken in and the connection cut.
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
    lose_answer: Annotated[int, msgspec.Meta(ge=0)] = 0

    def changed(self, changes: dict[str, Any]) -> Behaviour:
        """This behaviour with some fields changed. Raises msgspec.ValidationError for a wrong name or value."""
        return msgspec.convert({**msgspec.to_builtins(self), **changes}, Behaviour)
