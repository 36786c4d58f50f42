"""MTOM packages from agencies: opened within bounds, whatever is in them."""

from __future__ import annotations

import pytest

from adapters.mtom import unpack
from adapters.xml import NotOfTheForm


def package(*parts, boundary="b", **params):
    head = "".join(f'; {name.replace("_", "-")}="{value}"' for name, value in params.items())
    body = b"".join(
        b"--%s\r\n%s\r\n\r\n%s\r\n" % (boundary.encode(), headers, octets) for headers, octets in parts
    )
    return f'multipart/related; boundary="{boundary}"{head}', body + f"--{boundary}--\r\n".encode()


LONG = b"<m>" + b"x" * 5_000_000 + b"</m>"
XML = (b"Content-Type: application/xop+xml\r\nContent-ID: <m>", b"<m/>")
FILE = (b"Content-Type: text/plain\r\nContent-ID: <f>", b"file")
PACKAGES = {
    "the message first": (package(XML, FILE, start_info="text/xml"), b"<m/>"),
    "the message named": (package(FILE, XML, start="<m>", start_info="text/xml"), b"<m/>"),
    "the message named is not there": (package(FILE, start="<m>"), "without its message"),
    "larger than a stream's buffer": (package((XML[0], LONG), start="<m>", start_info="text/xml"), LONG),
    "no part": (package(), "package"),
    "no boundary": (("multipart/related", b"--b\r\n\r\n\r\n--b--"), "not a package"),
    "another boundary": (("multipart/related; boundary=c", package(XML)[1]), "package"),
    "a package within": (
        package((b'Content-Type: multipart/mixed; boundary="c"', b"--c--")),
        "without its message",
    ),
    "a hundred parts before it": (package(*[FILE] * 100, XML, start="<m>"), "without its message"),
    "cut off": (("multipart/related; boundary=b", b"--b\r\nContent-ID: <m>\r\n\r\n<m"), "package"),
    "endless header": (package((b"X: " + b"x" * 100_000, b"")), "not a package"),
}


@pytest.mark.parametrize("case", PACKAGES)
async def test_a_package_is_opened_within_bounds(case):
    (content_type, body), expected = PACKAGES[case]
    if isinstance(expected, bytes):
        assert await unpack(content_type, body) == (expected, "text/xml")
        return
    with pytest.raises(NotOfTheForm, match=expected):
        await unpack(content_type, body)
