"""The steps of the two corridors, in order. One vocabulary: file names, log events, the README's table."""

from __future__ import annotations

from enum import StrEnum


class Stage(StrEnum):
    """A step in the life of a filing; the value is also the name of the module that does it."""

    RECEIVE = "receive"
    IDENTIFY = "identify"
    PARSE = "parse"
    VERIFY = "verify"
    VALIDATE = "validate"
    RECORD = "record"
    ACKNOWLEDGE = "acknowledge"
    ROUTE = "route"
    DELIVER = "deliver"
    TRACK = "track"
    NOTIFY = "notify"


INTAKE = (
    Stage.RECEIVE,
    Stage.IDENTIFY,
    Stage.PARSE,
    Stage.VERIFY,
    Stage.VALIDATE,
    Stage.RECORD,
    Stage.ACKNOWLEDGE,
)
DELIVERY = (Stage.ROUTE, Stage.DELIVER, Stage.TRACK, Stage.NOTIFY)
