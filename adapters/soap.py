"""The transport of all agencies that speak SOAP 1.1 or 1.2 (document, literal), with MTOM where there is a document."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Literal, NoReturn

import aiohttp
import msgspec
from lxml import etree

from adapters.base import Rejected, Unavailable
from adapters.config import Secret, secret, secret_faults
from adapters.http import Answer, Http, HttpConfig, failure, retry_after
from adapters.mtom import Attachment, pack, unpack
from adapters.told import Short, printable
from adapters.xml import NotOfTheForm, Schema, add, encoded, off_loop, parse


@dataclass(frozen=True, slots=True)
class Version:
    """What differs between the versions: namespace, media type, and which fault code blames the sender."""

    namespace: str
    media_type: str
    sender: str

    def name(self, local: str) -> str:
        """`local` in the envelope's namespace."""
        return f"{{{self.namespace}}}{local}"


VERSIONS = {
    "1.1": Version("http://schemas.xmlsoap.org/soap/envelope/", "text/xml", "Client"),
    "1.2": Version("http://www.w3.org/2003/05/soap-envelope", "application/soap+xml", "Sender"),
}

_OASIS = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-"
WSSE = f"{_OASIS}wssecurity-secext-1.0.xsd"
_PASSWORD_TEXT = f"{_OASIS}username-token-profile-1.0#PasswordText"

# Faults of the sender that are about our access or the conversation, not about this filing (WSS SOAP Message
# Security 1.1 §12; the dotted forms of SOAP 1.1 §4.4.1). Trying again may help.
_NOT_ABOUT_THE_FILING = {
    "Authentication",
    "Authorization",
    "FailedAuthentication",
    "InvalidSecurity",
    "InvalidSecurityToken",
    "MessageExpired",
    "SecurityTokenUnavailable",
}
_ACCESS = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS}


class SoapConfig(HttpConfig, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """As HttpConfig; `base_url` is the service's address.

    With `username`, and the password in the file `password_file` or in the variable that `password_env` names, every
    message bears a UsernameToken beside our client certificate.
    """

    soap_version: Literal["1.1", "1.2"] = "1.1"
    username: Short | None = None
    password_file: str | None = None
    password_env: str | None = None

    @classmethod
    def faults(cls, values: Mapping[str, Any]) -> list[str]:
        """What is wrong with the way there, and with who we say that we are."""
        named = values.get("username") is not None
        faults = super().faults(values) + secret_faults({"password": named}, values)
        if not named and (values.get("password_file") or values.get("password_env")):
            faults.append("a password without username")
        return faults


@dataclass(frozen=True, slots=True)
class Fault:
    """A SOAP fault: the local names of its codes, the most general first, and its words."""

    codes: tuple[str, ...]
    words: str


class Soap:
    """Calls the operations of one service."""

    def __init__(self, config: SoapConfig, actions: str, schema: str) -> None:
        """`actions` begins the SOAPAction of every operation; `schema` is the file with the answers' elements."""
        self._version = VERSIONS[config.soap_version]
        self._http = Http(config, {"Accept": f"multipart/related, {self._version.media_type}"})
        self._actions = actions
        self._schema = Schema(schema)
        self._username = config.username
        self._password = secret("password", msgspec.structs.asdict(config))

    @property
    def longest_call_s(self) -> float:
        """How long one call may take, in seconds."""
        return self._http.longest_call_s

    async def call(self, operation: str, message: etree._Element, *attachments: Attachment) -> etree._Element:
        """The element in the body of the answer, as the schema allows it. `message` moves into an envelope.

        Raises:
            Rejected: a fault that blames the sender (Client, Sender), so the same message would fail again.
            Unavailable: any other fault (Server, Receiver), no answer, or one that is not of the form.
        """
        version = self._version
        envelope = etree.Element(version.name("Envelope"), nsmap={"soap": version.namespace})
        if self._username is not None and self._password is not None:
            header = etree.SubElement(envelope, version.name("Header"))
            header.append(username_token(self._username, self._password, version))
        etree.SubElement(envelope, version.name("Body")).append(message)
        action = f"{self._actions}{operation}"
        size = max(len(element.text or "") for element in message.iter())
        octets = await off_loop(size, lambda: encoded(envelope))
        body: bytes | aiohttp.MultipartWriter = octets
        content_type = f"{version.media_type}; charset=utf-8"
        if attachments:
            body, content_type = pack(octets, version.media_type, attachments)
        headers = {"Content-Type": content_type, "SOAPAction": f'"{action}"'}
        if version is VERSIONS["1.2"]:  # the action stands beside the media type (RFC 3902)
            headers = {"Content-Type": f'{content_type}; action="{action}"'}
        answer = await self._http.exchange("POST", self._http.url, headers, body)
        return await self._read(answer, f"{operation}Response")

    async def close(self) -> None:
        """Give the connections back."""
        await self._http.close()

    async def _read(self, answer: Answer, expected: str) -> etree._Element:
        try:
            content = await open_envelope(answer.content_type, answer.body, self._version)
        except NotOfTheForm as error:
            if not HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES:
                raise failure(answer, None) from error
            raise Unavailable(f"the agency's answer is not of the agreed form: {error}") from error
        if content.tag == self._version.name("Fault"):
            _raise(answer, read_fault(content, self._version), self._version)
        if answer.status != HTTPStatus.OK:
            raise Unavailable(f"the agency answered {answer.status}, which means nothing here")
        if etree.QName(content).localname != expected:
            raise Unavailable(f"the agency's answer is not of the agreed form: not {expected}")
        try:
            self._schema.check(content)
        except NotOfTheForm as error:
            raise Unavailable(f"the agency's answer is not of the agreed form: {error}") from error
        return content


def version_of(content_type: str) -> Version:
    """The version of a plain message or of a package; 1.1 where the media type is of neither."""
    return VERSIONS["1.2" if VERSIONS["1.2"].media_type in content_type else "1.1"]


def username_token(username: str, password: Secret, version: Version) -> etree._Element:
    """wsse:Security with a UsernameToken that the other side must understand (OASIS UsernameToken Profile 1.1 §3.1).

    The password goes as it is, for TLS is around it: its digest would need a clock, and the other side the password.
    """
    security = etree.Element(f"{{{WSSE}}}Security", nsmap={"wsse": WSSE})
    security.set(version.name("mustUnderstand"), "1")
    token = add(security, "UsernameToken")
    add(token, "Username", username)
    add(token, "Password", password.reveal()).set("Type", _PASSWORD_TEXT)
    return security


async def open_envelope(content_type: str, octets: bytes, version: Version) -> etree._Element:
    """The one element in the body of a SOAP message, packed or plain. Raises NotOfTheForm."""
    if content_type.partition(";")[0].strip().lower() == "multipart/related":
        octets, content_type = await unpack(content_type, octets)
    return read_envelope(content_type, octets, version)


def read_envelope(content_type: str, octets: bytes, version: Version) -> etree._Element:
    """The one element in the body of a plain SOAP message.

    Raises:
        NotOfTheForm: another media type or version, not XML, or not one element.
    """
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type != version.media_type:
        raise NotOfTheForm(f"{printable(media_type, 60) or 'no media type'} is not {version.media_type}")
    envelope = parse(octets)
    bodies = envelope.findall(version.name("Body"))
    if envelope.tag != version.name("Envelope") or len(bodies) != 1 or len(bodies[0]) != 1:
        raise NotOfTheForm("not a SOAP envelope with one message")
    return bodies[0][0]


def read_fault(fault: etree._Element, version: Version) -> Fault:
    """The codes and words of a fault, as far as they are there (SOAP 1.1 §4.4; SOAP 1.2 part 1 §5.4)."""
    if version is VERSIONS["1.1"]:
        code = _local(fault.findtext("faultcode"))
        return Fault(tuple(code.split(".")), fault.findtext("faultstring") or "")
    codes = tuple(_local(value.text) for value in fault.iter(version.name("Value")))
    return Fault(codes, fault.findtext(f"{version.name('Reason')}/{version.name('Text')}") or "")


def _raise(answer: Answer, fault: Fault, version: Version) -> NoReturn:
    code = ".".join(fault.codes)
    words = f"the agency answered a fault: {printable(code, 60)} {printable(fault.words)}".rstrip()
    ours = fault.codes[:1] == (version.sender,)
    if ours and answer.status not in _ACCESS and not _NOT_ABOUT_THE_FILING & set(fault.codes):
        raise Rejected(words)
    raise Unavailable(words, retry_after(answer.headers))


def _local(name: str | None) -> str:
    return (name or "").strip().rpartition(":")[2]
