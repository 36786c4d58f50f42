"""Judges lists of test cases (`efile verify --cases`): one answer a case, whatever the case does to the judge.

A case is an object with `id`, `path` and `key`, as public collections of test vectors have them:

    {"id": "xades/1", "path": "files/1.xml", "time": "2026-06-01T00:00:00Z",
     "key": {"trusted": ["root.pem"], "untrusted": [], "crls": []}}

`key` has one of `pubkey_cert`, `pubkey` (pinned), `embedded` (`true`), or `trusted` (with `untrusted`, `crls`); the
first of these counts, and nothing is taken as `embedded`. `external` maps names to files: a detached CMS signature
takes the only one as its content; references of XML signatures never leave their document. Paths are absolute or
beside the list. Keys that a verifier need not know are ignored.
"""

from __future__ import annotations

import json
import multiprocessing
import resource
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import load_der_public_key, load_pem_public_key

from signing.certificates import PublicKey
from signing.formats import verify
from signing.policy import Policy
from signing.report import Indication, Outcome, Report
from signing.report_text import covered_name
from signing.trust import TrustStore, read_certificates, read_crls
from signing.verify import Key

CASE_SECONDS = 30.0
"""A case that takes longer is answered as hanging, and its judge is killed."""
CASE_MEMORY = 4 << 30
_START_SECONDS = 60.0

Answer = dict[str, Any]


class CasesRefused(Exception):
    """The list itself cannot be read; the text names the file and the fault."""


def judge_cases(file: Path, policy: Policy) -> Iterator[Answer]:
    """Answers in the order of the list: `id, indication, sub_indication, covered, seconds, reason`.

    A missing file, a crash or a hang is that case's answer (INDETERMINATE, with the reason). Raises CasesRefused.
    """
    try:
        cases = json.loads(file.read_text("utf-8"))
        assert isinstance(cases, list)
        assert all(isinstance(case, dict) for case in cases)
    except (OSError, ValueError, AssertionError) as error:
        raise CasesRefused(f"{file}: no list of cases: {error}") from None
    judge = _Judge(file.resolve().parent, policy)
    try:
        for number, case in enumerate(cases):
            start = time.monotonic()
            answer = judge.answer(case)
            seconds = round(time.monotonic() - start, 6)
            yield {"id": case.get("id", number), **answer, "seconds": seconds}
    finally:
        judge.stop()


class _Judge:
    """A process that judges; started anew when it had to be killed."""

    def __init__(self, base: Path, policy: Policy) -> None:
        self._base, self._policy = base, policy
        self._process: SpawnProcess | None = None
        self._line: Connection | None = self._start()

    def answer(self, case: Mapping[str, Any]) -> Answer:
        line = self._line or self._start()
        try:
            line.send(case)
            if line.poll(CASE_SECONDS):
                answer: Answer = line.recv()
                return answer
        except (EOFError, OSError):
            return self._gone("the judge crashed")
        return self._gone(f"no answer within {CASE_SECONDS:.0f} s")

    def stop(self) -> None:
        if self._line is not None:
            self._line.close()
        if self._process is not None:
            self._process.kill()
            self._process.join()
        self._line = self._process = None

    def _start(self) -> Connection:
        context = multiprocessing.get_context("spawn")
        line, theirs = context.Pipe()
        self._line = line
        self._process = context.Process(target=_serve, args=(theirs, self._base, self._policy), daemon=True)
        self._process.start()
        theirs.close()
        if line.poll(_START_SECONDS):
            line.recv()
        return line

    def _gone(self, reason: str) -> Answer:
        self.stop()
        return _no_answer(reason)


def _serve(line: Connection, base: Path, policy: Policy) -> None:
    warnings.simplefilter("ignore")
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (CASE_MEMORY, CASE_MEMORY))
    line.send("ready")
    with suppress(EOFError, OSError, KeyboardInterrupt):
        while True:
            case = line.recv()
            try:
                answer = judge_case(case, base, policy)
            except Exception as error:  # whatever it was, it is this case's answer
                answer = _no_answer(f"{type(error).__name__}: {error}")
            line.send(answer)


def judge_case(case: Mapping[str, Any], base: Path, policy: Policy) -> Answer:
    """Judge one case here. Raises OSError, ValueError, KeyError and the like for a case that is broken."""
    report = report_of(case, base, policy, (base / case["path"]).read_bytes())
    return {
        "indication": report.indication.value,
        "sub_indication": report.sub_indication,
        "covered": [covered_name(covered) for covered in report.covered],
        "reason": _reason(report),
    }


def report_of(case: Mapping[str, Any], base: Path, policy: Policy, data: bytes) -> Report:
    """Judge bytes under the keys and the time of a case. Raises as `judge_case`."""
    given = case.get("key") or {}
    at = datetime.fromisoformat(case["time"]) if case.get("time") else datetime.now(UTC)
    external = list((case.get("external") or {}).values())
    return verify(
        data,
        policy=policy,
        trust=_trust(given, base),
        key=_key(given, base),
        at=at if at.tzinfo else at.replace(tzinfo=UTC),
        content=(base / external[0]).read_bytes() if len(external) == 1 else None,
    )


def _trust(given: Mapping[str, Any], base: Path) -> TrustStore:
    def certificates(name: str) -> list[Any]:
        paths = given.get(name) or []
        return [c for path in paths for c in read_certificates((base / path).read_bytes())]

    crls = [crl for path in given.get("crls") or [] for crl in read_crls((base / path).read_bytes())]
    return TrustStore.of(certificates("trusted"), certificates("untrusted"), crls)


def _key(given: Mapping[str, Any], base: Path) -> Key | None:
    if given.get("pubkey_cert"):
        return read_certificates((base / given["pubkey_cert"]).read_bytes())[0]
    if given.get("pubkey"):
        return _public_key((base / given["pubkey"]).read_bytes())
    return "embedded" if given.get("embedded") or not given.get("trusted") else None


def _public_key(data: bytes) -> PublicKey:
    key = load_pem_public_key(data) if b"-----BEGIN" in data else load_der_public_key(data)
    if not isinstance(key, PublicKey):
        raise ValueError(f"a key of kind {type(key).__name__} verifies nothing here")  # noqa: TRY004
    return key


def _reason(report: Report) -> str:
    every = [*report.checks, *(check for signature in report.signatures for check in signature.checks)]
    bad = [check for check in every if check.outcome in (Outcome.FAILED, Outcome.INDETERMINATE)]
    return "; ".join(dict.fromkeys(f"{check.code}: {check.message_en}" for check in bad))


def _no_answer(reason: str) -> Answer:
    indication = Indication.INDETERMINATE.value
    return {"indication": indication, "sub_indication": None, "covered": [], "reason": reason}
