"""Judges lists of test cases (`efile verify --cases`): one answer a case, whatever the case does to the judge.

A case is an object with `id`, `path` and `key`, as public collections of test vectors have them:

    {"id": "xades/1", "path": "files/1.xml", "time": "2026-06-01T00:00:00Z",
     "key": {"trusted": ["root.pem"], "untrusted": [], "crls": []}}

`key` has one of `pubkey_cert`, `pubkey` (pinned), `embedded` (`true`), or `trusted` (with `untrusted`, `crls`); the
first of these counts, and nothing is taken as `embedded`. A pinned key of a kind that no algorithm here uses is refused
by name (`algorithm.key`), beside what else is wrong with the document. `external` maps names to files: a detached CMS
signature takes the only one as its content; references of XML signatures never leave their document. Paths are absolute
or beside the list. Keys that a verifier need not know are ignored.
"""

from __future__ import annotations

import json
import multiprocessing
import resource
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import load_der_public_key, load_pem_public_key

from signing.certificates import KeyUnsupported, supported_key
from signing.elements import printable
from signing.formats import verify
from signing.policy import Policy
from signing.report import Indication, Outcome, Report, conclude, failed, worst_of
from signing.report_text import covered_name
from signing.trust import TrustStore, read_certificates, read_crls
from signing.verify import Key

CASE_SECONDS = 30.0
"""A case that takes longer is answered as hanging, and its judge is killed."""
CASE_MEMORY = 4 << 30
MAX_FILE_BYTES = 256 << 20
MAX_REASON = 4000
"""Characters."""
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
    except (OSError, ValueError, RecursionError) as error:
        raise CasesRefused(f"{file}: no list of cases: {error}") from None
    if not isinstance(cases, list):
        raise CasesRefused(f"{file}: no list of cases: a JSON array is needed")
    judge = _Judge(file.resolve().parent, policy)
    try:
        for number, case in enumerate(cases):
            start = time.monotonic()
            answer = judge.answer(case)
            seconds = round(time.monotonic() - start, 6)
            told = case.get("id", number) if isinstance(case, dict) else number
            yield {"id": told, **answer, "seconds": seconds}
    finally:
        judge.stop()


class _Judge:
    """A process that judges; started anew when it had to be killed."""

    def __init__(self, base: Path, policy: Policy) -> None:
        self._base, self._policy = base, policy
        self._process: SpawnProcess | None = None
        self._line: Connection | None = None

    def answer(self, case: object) -> Answer:
        try:
            line = self._line or self._start()
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
        if not line.poll(_START_SECONDS):
            raise OSError("the judge did not start")
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
            except _Broken as error:
                answer = _no_answer(f"case.broken: {error}")
            except Exception as error:  # whatever it was, it is this case's answer
                answer = _no_answer(f"{type(error).__name__}: {error}"[:MAX_REASON])
            line.send(answer)


class _Broken(ValueError):
    """The case itself cannot be judged; the text names what is wrong with it."""


def judge_case(case: object, base: Path, policy: Policy) -> Answer:
    """Judge one case here. Raises ValueError for a case that is broken, or whose files cannot be read."""
    given = _object(case, "the case")
    report = report_of(given, base, policy, _read(given.get("path"), base, "path"))
    return {
        "indication": report.indication.value,
        "sub_indication": report.sub_indication,
        "covered": [covered_name(covered) for covered in report.covered],
        "reason": _reason(report),
    }


def report_of(case: Mapping[str, Any], base: Path, policy: Policy, data: bytes) -> Report:
    """Judge bytes under the keys and the time of a case. Raises as `judge_case`."""
    given = _object(case.get("key"), "key")
    at = _time(case.get("time"))
    external = list(_object(case.get("external"), "external").values())
    content = _read(external[0], base, "external") if len(external) == 1 else None
    trust = _trust(given, base)
    try:
        key = _key(given, base)
    except KeyUnsupported as error:
        return _refused_key(error, verify(data, policy=policy, trust=_NOTHING, at=at, content=content))
    return verify(data, policy=policy, trust=trust, key=key, at=at, content=content)


_NOTHING = TrustStore.of([], [], [])


def _refused_key(error: KeyUnsupported, report: Report) -> Report:
    """The report of a document under no trust at all, which cannot have passed, with the refusal of the pinned key."""
    checks = (failed("algorithm.key", kind=printable(str(error))), *report.checks)
    indication, sub_indication = worst_of([conclude(checks), (report.indication, report.sub_indication)])
    return replace(report, checks=checks, indication=indication, sub_indication=sub_indication)


def _object(value: object, name: str) -> Mapping[str, Any]:
    if value is None and name != "the case":
        return {}
    if not isinstance(value, dict):
        raise _Broken(f"{name} is no object")
    return value


def _time(value: object) -> datetime:
    """ISO 8601; without a zone it is UTC, absent it is now."""
    if value is None:
        return datetime.now(UTC)
    try:
        at = datetime.fromisoformat(str(value))
        return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise _Broken(f"time {printable(str(value))!r}") from None


def _read(path: object, base: Path, name: str) -> bytes:
    """A regular file, of at most MAX_FILE_BYTES: what else a path names may never end."""
    if not isinstance(path, str) or not path:
        raise _Broken(f"{name} names no file")
    try:
        file = base / path
        if not file.is_file():
            raise _Broken(f"{name}: no file {printable(path)}")
        if file.stat().st_size > MAX_FILE_BYTES:
            raise _Broken(f"{name}: more than {MAX_FILE_BYTES} octets")
        return file.read_bytes()
    except OSError as error:
        raise _Broken(f"{name}: {error.strerror}") from None


def _files(given: Mapping[str, Any], name: str, base: Path) -> list[bytes]:
    paths = given.get(name) or []
    if not isinstance(paths, list):
        raise _Broken(f"key.{name} is no list")
    return [_read(path, base, f"key.{name}") for path in paths]


def _trust(given: Mapping[str, Any], base: Path) -> TrustStore:
    trusted, untrusted = (
        [certificate for data in _files(given, name, base) for certificate in read_certificates(data)]
        for name in ("trusted", "untrusted")
    )
    crls = [crl for data in _files(given, "crls", base) for crl in read_crls(data)]
    return TrustStore.of(trusted, untrusted, crls)


def _key(given: Mapping[str, Any], base: Path) -> Key | None:
    """Raises KeyUnsupported for a pinned key of a kind that nothing here uses."""
    if given.get("pubkey_cert"):
        return read_certificates(_read(given["pubkey_cert"], base, "key.pubkey_cert"))[0]
    if given.get("pubkey"):
        data = _read(given["pubkey"], base, "key.pubkey")
        pem = b"-----BEGIN" in data
        return supported_key(lambda: load_pem_public_key(data) if pem else load_der_public_key(data))
    return "embedded" if given.get("embedded") or not given.get("trusted") else None


def _reason(report: Report) -> str:
    every = [*report.checks, *(check for signature in report.signatures for check in signature.checks)]
    bad = [check for check in every if check.outcome in (Outcome.FAILED, Outcome.INDETERMINATE)]
    return "; ".join(dict.fromkeys(f"{check.code}: {check.message_en}" for check in bad))


def _no_answer(reason: str) -> Answer:
    indication = Indication.INDETERMINATE.value
    return {"indication": indication, "sub_indication": None, "covered": [], "reason": reason}
