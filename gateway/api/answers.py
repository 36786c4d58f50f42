"""Values to responses: one place for JSON, XML and problems."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import msgspec
import structlog
from aiohttp import web

from gateway.errors import GatewayError
from gateway.filing.attempt import Attempts
from gateway.filing.filing import Event, Filing
from gateway.filing.handover import HANDOVER_WORDS, Handover
from gateway.filing.identifiers import VIETNAM
from gateway.filing.incident import InTime
from gateway.filing.portal import PORTAL, portal_status
from gateway.filing.status import WORDS
from gateway.intake.acknowledge import Answer
from gateway.problems import INTERNAL, MEDIA_TYPE, REFUSED, Problem, finding_json, http_problem, problem_of

log = structlog.get_logger("api")
_encode = msgspec.json.Encoder().encode
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def json_response(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """JSON in UTF-8."""
    return web.Response(body=_encode(value), status=status, content_type="application/json", headers=headers)


def xml_response(octets: bytes, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """XML exactly as stored."""
    return web.Response(body=octets, status=status, content_type="application/xml", headers=headers)


def problem_response(problem: Problem, request: web.BaseRequest) -> web.Response:
    """A problem in the caller's language: Vietnamese, unless English is asked for first."""
    language = "en" if request.headers.get("Accept-Language", "").strip().lower().startswith("en") else "vi"
    body = {**problem.as_json(language), "instance": request.path}
    return web.Response(
        body=_encode(body), status=problem.status, content_type=MEDIA_TYPE, headers=problem.headers
    )


@web.middleware
async def errors_as_problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every error leaves as a problem document; an unforeseen one is logged and says nothing of the inside."""
    try:
        return await handler(request)
    except GatewayError as error:
        return problem_response(problem_of(error), request)
    except web.HTTPException as error:
        allow = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else None
        return problem_response(http_problem(error.status, error.reason, allow), request)
    except Exception:
        log.exception("internal-error", path=request.path)
        return problem_response(INTERNAL, request)


def filing_json(
    filing: Filing,
    notices: tuple[str, ...],
    handovers: Sequence[Handover] = (),
    story: Sequence[Event] = (),
    in_time: InTime | None = None,
) -> dict[str, Any]:
    """A filing as its provider sees it; times in ISO 8601 with Vietnam's offset."""
    vi, en = WORDS[filing.status]
    body: dict[str, Any] = {
        "number": filing.number,
        "status": filing.status.value,
        "statusText": {"vi": vi, "en": en},
        "receivedAt": filing.received_at.astimezone(VIETNAM).isoformat(timespec="seconds"),
        "digest": {"algorithm": "SHA-256", "value": filing.digest.hex()},
        "size": filing.size,
        "findings": [finding_json(finding) for finding in filing.findings],
        "links": links(filing.number, notices),
    }
    if filing.dossier_code is not None:
        body["dossierCode"] = filing.dossier_code
        number, note = portal_status(filing.status, story)
        vi, en = PORTAL[number]
        body["portalStatus"] = {"code": number, "text": {"vi": vi, "en": en}}
        if note:
            body["portalStatus"]["note"] = note
    if filing.summary is not None:
        body["summary"] = filing.summary
    if filing.agency is not None:
        body["agency"] = filing.agency
    if filing.lead is not None:
        body["leadAgency"] = {"id": filing.lead[0], "name": filing.lead[1]}
    if handovers:
        body["cooperatingAgencies"] = [_handover_json(one) for one in handovers]
    if filing.agency_reference is not None:
        body["agencyReference"] = filing.agency_reference
    if in_time is not None:
        body["filedInTimeBy"] = _in_time_json(in_time)
    return body


def _in_time_json(found: InTime) -> dict[str, Any]:
    one = found.incident
    return {
        "incident": one.id,
        "agency": one.agency,
        "lastDay": found.last_day.isoformat(),
        "from": one.first.astimezone(VIETNAM).isoformat(timespec="seconds"),
        "until": one.until.astimezone(VIETNAM).isoformat(timespec="seconds") if one.until else None,
        "why": one.why,
    }


def _handover_json(handover: Handover) -> dict[str, Any]:
    vi, en = HANDOVER_WORDS[handover.status]
    return {
        "id": handover.agency,
        "name": handover.name,
        "status": handover.status.value,
        "statusText": {"vi": vi, "en": en},
        "detail": handover.detail,
        "answer": handover.answer,
    }


def attempt_json(one: Attempts) -> dict[str, Any]:
    """Attempts as the filing's provider sees them: which of our processes made them is ours to know."""
    body: dict[str, Any] = {
        "at": one.first_at.astimezone(VIETNAM).isoformat(timespec="milliseconds"),
        "until": one.last_at.astimezone(VIETNAM).isoformat(timespec="milliseconds"),
        "times": one.times,
        "step": one.step,
        "agency": one.agency,
        "result": one.result.value,
        "answer": one.answer,
        "seconds": None if one.seconds is None else round(one.seconds, 3),
    }
    return body | ({"cooperatingAgency": one.handover} if one.handover else {})


def links(number: str, notices: tuple[str, ...]) -> dict[str, str]:
    """Where the filing, its body and its signed notices are."""
    base = f"/v1/filings/{number}"
    found = {"self": base, "document": f"{base}/document"}
    if "receipt" in notices or "refusal" in notices:
        found["receipt"] = f"{base}/receipt"
    if "verdict" in notices:
        found["verdict"] = f"{base}/verdict"
    return found | {name: f"{base}/notices/{name}" for name in notices if name not in ("receipt", "verdict")}


def intake_response(answer: Answer, request: web.Request, in_time: InTime | None = None) -> web.Response:
    """201 for a new filing, 200 for a repeat, 422 for a refused one (again on a repeat).

    `Accept: application/xml` asks for the signed notice itself instead of the JSON that links to it.
    """
    filing = answer.filing
    status = 422 if answer.refused else 200 if answer.repeat else 201
    headers = {"Location": f"/v1/filings/{filing.number}"}
    if request.headers.get("Accept", "").startswith("application/xml"):
        return xml_response(answer.notice.document, status, headers)
    body = filing_json(filing, (answer.notice.kind.value,), in_time=in_time)
    if not answer.refused:
        return json_response(body, status, headers)
    del body["findings"]
    body["filingStatus"] = body.pop("status")  # `status` is the HTTP status in a problem (RFC 9457)
    problem = Problem(422, "refused", REFUSED, findings=filing.findings, extra=body, headers=headers)
    return problem_response(problem, request)
