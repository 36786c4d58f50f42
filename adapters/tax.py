"""The tax authority over SOAP with MTOM (kind "tax"): hồ sơ thuế in, results by question. Messages: `tax_wire.py`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adapters import tax_wire as wire
from adapters.base import (
    MalformedCallback,
    Parcel,
    Pending,
    Submitted,
    Unavailable,
    Unknown,
    Verdict,
    check_key,
)
from adapters.config import read_config
from adapters.soap import Soap, SoapConfig
from adapters.xml import NotOfTheForm


class TaxConfig(SoapConfig, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Nothing but the way there: see SoapConfig and HttpConfig."""


class TaxAdapter:
    """Fulfils `adapters.base.Adapter`. The authority never calls by itself: verdicts are asked for."""

    carries_papers = True

    def __init__(self, config: TaxConfig) -> None:
        """Reads the TLS files and the schema. Raises ConfigError."""
        self._soap = Soap(config, f"{wire.NAMESPACE}#", "tax.xsd")

    @property
    def longest_call_s(self) -> float:
        return self._soap.longest_call_s

    async def submit(self, parcel: Parcel) -> Submitted:
        message, files = wire.enclose(parcel)
        answer = await self._soap.call("NhanHSoThue", message, *files)
        try:
            taken = wire.read_taken(answer)
        except NotOfTheForm as error:
            raise Unavailable(f"the agency's answer is not of the agreed form: {error}") from error
        if taken.key != parcel.key:
            raise Unavailable("the agency's answer is about another key")
        if taken.digest != parcel.digest_hex:
            raise Unavailable("the agency's answer is about another document (digest differs)")
        return Submitted(taken.reference, taken.duplicate, taken.verdict)

    async def fetch(self, key: str) -> Pending | Unknown | Verdict:
        answer = await self._soap.call("TraKQuaGDich", wire.ask(check_key(key)))
        try:
            told, found = wire.read_state(answer)
        except NotOfTheForm as error:
            raise Unavailable(f"the agency's answer is not of the agreed form: {error}") from error
        if told != key:
            raise Unavailable("the agency's answer is about another key")
        return found

    def read_callback(self, body: bytes, headers: Mapping[str, str]) -> tuple[str, Verdict]:  # noqa: ARG002 - none
        raise MalformedCallback("the tax authority's interface has no callbacks")

    async def close(self) -> None:
        await self._soap.close()


def open_tax(config: Mapping[str, Any]) -> TaxAdapter:
    """A tax adapter from a table of settings (see TaxConfig). Raises ConfigError."""
    return TaxAdapter(read_config("tax", config, TaxConfig))
