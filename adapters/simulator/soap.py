"""The server's side of SOAP 1.1 and 1.2 with MTOM, for simulated agencies. It answers in the manner it was asked."""

from __future__ import annotations

import base64
import hmac
import uuid
from dataclasses import dataclass

from aiohttp import BodyPartReader, web
from lxml import etree

from adapters.mtom import XOP
from adapters.simulator.authority import Failure
from adapters.soap import VERSIONS, WSSE, Version, version_of
from adapters.told import printable
from adapters.xml import NotOfTheForm, Schema, add

_BOMB = (
    '<?xml version="1.0" encoding="UTF-8"?><!DOCTYPE a [<!ENTITY a "aaaaaaaaaa">'
    + "".join(f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in zip("abcdefgh", "bcdefghi", strict=True))
    + ']><soap:Envelope xmlns:soap="{}"><soap:Body><a>&i;</a></soap:Body></soap:Envelope>'
)


PASSWORDS = web.AppKey("passwords", dict[str, str])
"""Who may speak SOAP, by name; none: everybody with a client certificate."""


class NotLetIn(Failure):
    """The password is not theirs (WSS SOAP Message Security 1.1 §12: FailedAuthentication)."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request: the element in its body, the documents beside it by content id."""

    message: etree._Element
    documents: dict[str, bytes]

    def octets(self, element: etree._Element) -> bytes:
        """The document that a base64Binary element includes (XOP §2) or holds. Raises Failure where there is none."""
        found = element.find(f"{{{XOP}}}Include")
        if found is None:
            try:
                return base64.b64decode(element.text or "", validate=True)
            except ValueError as error:
                raise Failure("malformed", "The document is not base64") from error
        reference = str(found.get("href", ""))
        if reference.removeprefix("cid:") not in self.documents:
            raise Failure("malformed", "The document is not beside the message")
        return self.documents[reference.removeprefix("cid:")]


async def read(request: web.Request) -> Asked:
    """Raises Failure for anything that is not one message in an envelope of the version that its media type names."""
    documents: dict[str, bytes] = {}
    if request.content_type == "multipart/related":
        octets = b""
        async for part in await request.multipart():
            if not isinstance(part, BodyPartReader):
                raise Failure("malformed", "A package within a package")
            name = part.headers.get("Content-ID", "").strip("<>")
            if part.headers.get("Content-Type", "").startswith("application/xop+xml"):
                octets = bytes(await part.read())
            else:
                documents[name] = bytes(await part.read())
    else:
        octets = await request.read()
    try:
        root = etree.fromstring(
            octets, etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True)
        )
    except etree.XMLSyntaxError as error:
        raise Failure("malformed", printable(f"Not XML: {error}")) from error
    version = _version(request)
    body = root.find(version.name("Body"))
    if root.tag != version.name("Envelope") or body is None or len(body) != 1:
        raise Failure("malformed", f"Not an envelope of {version.namespace} with one message")
    _let_in(request, root)
    return Asked(body[0], documents)


def check(schema: Schema, message: etree._Element) -> None:
    """Raises Failure where the schema does not allow it."""
    try:
        schema.check(message)
    except NotOfTheForm as error:
        raise Failure("malformed", str(error)) from error


def answer(
    request: web.Request, message: etree._Element, status: int = 200, wait: float | None = None
) -> web.Response:
    """`message` in an envelope; in a package where the request was one, as servers with MTOM switched on do."""
    version = _version(request)
    envelope = etree.Element(version.name("Envelope"), nsmap={"soap": version.namespace})
    etree.SubElement(envelope, version.name("Body")).append(message)
    octets = etree.tostring(envelope, encoding="UTF-8", xml_declaration=True)
    headers = {"Content-Type": f"{version.media_type}; charset=utf-8"}
    if wait is not None:
        headers["Retry-After"] = f"{wait:.0f}"
    if request.content_type == "multipart/related" and status == 200:
        octets, headers["Content-Type"] = _packed(octets, version.media_type)
    return web.Response(status=status, body=octets, headers=headers)


def fault(request: web.Request, failure: Failure) -> web.Response:
    """Whose fault it is, as each version says it; 1.2 says it in the status too (SOAP 1.2 part 2, table 20)."""
    version = _version(request)
    ours = failure.fault == "busy"
    element = etree.Element(version.name("Fault"), nsmap={"soap": version.namespace, "wsse": WSSE})
    stranger = isinstance(failure, NotLetIn)
    if version is VERSIONS["1.1"]:
        code = f"soap:{'Server' if ours else version.sender}"
        etree.SubElement(element, "faultcode").text = _STRANGER if stranger else code
        etree.SubElement(element, "faultstring").text = failure.words
    else:
        codes = add(element, "Code")
        add(codes, "Value", f"soap:{'Receiver' if ours else version.sender}")
        if stranger:
            add(add(codes, "Subcode"), "Value", _STRANGER)
        add(add(element, "Reason"), "Text", failure.words).set(_LANG, "en")
    sender = 500 if version is VERSIONS["1.1"] else 400
    return answer(request, element, 503 if ours else sender, failure.wait)


def bomb(request: web.Request) -> web.Response:
    """A hundred million letters in a few hundred octets (entities within entities)."""
    version = _version(request)
    octets = _BOMB.replace("{}", version.namespace).encode()
    return web.Response(body=octets, headers={"Content-Type": f"{version.media_type}; charset=utf-8"})


_STRANGER = "wsse:FailedAuthentication"
_LANG = "{http://www.w3.org/XML/1998/namespace}lang"


def _packed(message: bytes, media_type: str) -> tuple[bytes, str]:
    boundary, root = f"uuid:{uuid.uuid4()}", "<root.message@simulated-agency>"
    head = (
        f'Content-Type: application/xop+xml; charset=utf-8; type="{media_type}"\r\nContent-ID: {root}\r\n\r\n'
    )
    package = b"".join((f"--{boundary}\r\n{head}".encode(), message, f"\r\n--{boundary}--\r\n".encode()))
    return package, (
        f'multipart/related; boundary="{boundary}"; type="application/xop+xml"; start="{root}"; '
        f'start-info="{media_type}"'
    )


def _let_in(request: web.Request, root: etree._Element) -> None:
    """Raises NotLetIn where a password is wanted and another, or none, comes."""
    wanted = request.config_dict.get(PASSWORDS, {})
    name = (root.findtext(f".//{{{WSSE}}}Username") or "").strip()
    given = root.findtext(f".//{{{WSSE}}}Password") or ""
    if wanted and not hmac.compare_digest(wanted.get(name, "\0").encode(), given.encode()):
        raise NotLetIn("malformed", "Not a user of this service")


def _version(request: web.Request) -> Version:
    return version_of(request.headers.get("Content-Type", ""))
