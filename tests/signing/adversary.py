"""An attacker without the signer's key: takes a signed document apart and puts it together again, by chance."""

from __future__ import annotations

import copy
import random
import re
from collections.abc import Callable

from lxml import etree

DS = "http://www.w3.org/2000/09/xmldsig#"
XADES = "http://uri.etsi.org/01903/v1.3.2#"
XML = "{http://www.w3.org/XML/1998/namespace}"
WSU = "{http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd}Id"
ID_NAMES = ("id", "Id", "ID", "iD", f"{XML}id", WSU, "{urn:x}id", "AssertionID")
TRANSFORMS = (
    f"{DS}enveloped-signature",
    f"{DS}base64",
    "http://www.w3.org/2001/10/xml-exc-c14n#",
    "http://www.w3.org/2001/10/xml-exc-c14n#WithComments",
    "http://www.w3.org/TR/1999/REC-xpath-19991116",
    "http://www.w3.org/2002/06/xmldsig-filter2",
    "http://www.w3.org/TR/1999/REC-xslt-19991116",
)
URIS = (
    "",
    "#xpointer(/)",
    "#ID_1",
    "#ID_2",
    "#xpointer(id('ID_2'))",
    "#",
    "#evil",
    "file:///etc/passwd",
    "ID_1",
)
Move = Callable[["Attacker", etree._Element], None]


class Attacker:
    """`evil`: a text that the signer never signed; `signatures`: signed documents of the attacker's own."""

    def __init__(self, seed: int, evil: str = "666000666", signatures: tuple[bytes, ...] = ()) -> None:
        self.chance = random.Random(seed)
        self.evil = evil
        self.signatures = signatures

    def variant(self, data: bytes) -> bytes:
        """The document after one to five moves, and at times a change of the octets."""
        root = etree.fromstring(data)
        for _ in range(min(self.chance.randint(1, 5), self.chance.randint(1, 5))):
            move = self.chance.choice(MOVES)
            try:
                move(self, root)
            except (ValueError, TypeError, etree.LxmlError):
                continue  # a move that makes no tree
        octets = etree.tostring(root, encoding="UTF-8", xml_declaration=self.chance.random() < 0.5)
        return self.chance.choice(OCTETS)(self, octets) if self.chance.random() < 0.25 else octets

    def any(self, root: etree._Element) -> etree._Element:
        """An element; often one that signatures are about."""
        every = list(root.iter("*"))
        marked = [e for e in every if any(name in e.attrib for name in ID_NAMES) or _local(e) in _NOTABLE]
        return self.chance.choice(marked if marked and self.chance.random() < 0.6 else every)

    def put(self, root: etree._Element, node: etree._Element) -> None:
        """Somewhere that is not inside it."""
        inside = set(node.iter())
        holder = self.any(root)
        if holder in inside:
            holder = root
        holder.insert(self.chance.randint(0, len(holder)), node)


_NOTABLE = {"Signature", "SignedInfo", "Object", "KeyInfo", "SignedProperties", "Reference", "CKyDTu"}


def _local(element: etree._Element) -> str:
    return str(etree.QName(element).localname)


def _move(by: Attacker, root: etree._Element) -> None:
    node = by.any(root)
    if node is not root:
        by.put(root, node)


def _copy(by: Attacker, root: etree._Element) -> None:
    by.put(root, copy.deepcopy(by.any(root)))


def _evil_copy(by: Attacker, root: etree._Element) -> None:
    """What wrapping is about: the genuine one goes aside, an evil one takes its place, with its id or without."""
    genuine = by.any(root)
    parent = genuine.getparent()
    if parent is None:
        return
    fake = copy.deepcopy(genuine)
    for leaf in [e for e in fake.iter("*") if not len(e)][:3]:
        leaf.text = by.evil
    for name in ID_NAMES:
        if name in fake.attrib and by.chance.random() < 0.7:
            del fake.attrib[name]
    if by.chance.random() < 0.4:
        fake.set(by.chance.choice(ID_NAMES), by.chance.choice(("ID_1", "ID_2", "evil")))
    parent.replace(genuine, fake)
    by.put(root, genuine)


def _wrap(by: Attacker, root: etree._Element) -> None:
    node = by.any(root)
    parent = node.getparent()
    if parent is None:
        return
    space = by.chance.choice((etree.QName(node).namespace, DS, XADES, "urn:x", None))
    name = by.chance.choice((_local(node), "Object", "Wrapper", "HSoKhaiThue", "CKyDTu", "Signature"))
    around = etree.Element(f"{{{space}}}{name}" if space else name)
    parent.replace(node, around)
    around.append(node)


def _text(by: Attacker, root: etree._Element) -> None:
    by.any(root).text = by.evil


def _split(by: Attacker, root: etree._Element) -> None:
    """A comment or an instruction, with an evil text behind it."""
    node = by.any(root)
    cut = by.chance.choice((etree.Comment("x"), etree.ProcessingInstruction("x", "y")))
    cut.tail = by.chance.choice((None, by.evil))
    node.insert(by.chance.randint(0, len(node)), cut)


def _id(by: Attacker, root: etree._Element) -> None:
    node = by.any(root)
    if by.chance.random() < 0.4:
        for name in ID_NAMES:
            node.attrib.pop(name, None)
    node.set(by.chance.choice(ID_NAMES), by.chance.choice(("ID_1", "ID_2", "evil", " ID_1")))


def _namespace(by: Attacker, root: etree._Element) -> None:
    """The same local name in another namespace, or under other declarations."""
    node = by.any(root)
    if by.chance.random() < 0.5:
        node.tag = f"{{{by.chance.choice((DS, XADES, 'urn:x', DS + 'x'))}}}{_local(node)}"
        return
    parent = node.getparent()
    if parent is None:
        return
    declared = {"x": "urn:x", "ds": "urn:not-ds", "xsi": DS}
    around = etree.Element(node.tag, nsmap=declared, attrib=dict(node.attrib))
    around.text, around.tail = node.text, node.tail
    around.extend(list(node))
    parent.replace(node, around)


def _inherit(by: Attacker, root: etree._Element) -> None:
    name = by.chance.choice((f"{XML}lang", f"{XML}space", f"{XML}base"))
    by.any(root).set(name, by.chance.choice(("vi", "preserve", "http://x/")))


def _reference(by: Attacker, root: etree._Element) -> None:
    found = list(root.iter(f"{{{DS}}}Reference"))
    if not found:
        return
    reference = by.chance.choice(found)
    if by.chance.random() < 0.5:
        reference.set("URI", by.chance.choice(URIS))
        return
    transforms = reference.find(f"{{{DS}}}Transforms")
    if transforms is None:
        transforms = etree.Element(f"{{{DS}}}Transforms")
        reference.insert(0, transforms)
    made = etree.SubElement(transforms, f"{{{DS}}}Transform", Algorithm=by.chance.choice(TRANSFORMS))
    etree.SubElement(made, f"{{{DS}}}XPath").text = by.chance.choice(("true()", "self::text()", "id('ID_2')"))


def _drop(by: Attacker, root: etree._Element) -> None:
    node = by.any(root)
    parent = node.getparent()
    if parent is not None:
        parent.remove(node)


def _own(by: Attacker, root: etree._Element) -> None:
    """A signature that the attacker made with a certificate of its own, or parts of it in those of the victim."""
    if not by.signatures:
        return
    own = etree.fromstring(by.chance.choice(by.signatures))
    theirs = next(own.iter(f"{{{DS}}}Signature"))
    if by.chance.random() < 0.4:
        by.put(root, copy.deepcopy(theirs))
        return
    name = by.chance.choice(("KeyInfo", "SignedInfo", "SignatureValue", "Object"))
    part = theirs.find(f"{{{DS}}}{name}")
    victims = [e for e in root.iter(f"{{{DS}}}{name}") if e.getparent() is not None]
    if part is None or not victims:
        return
    victim = by.chance.choice(victims)
    holder = victim.getparent()
    assert holder is not None
    if by.chance.random() < 0.5:
        holder.replace(victim, copy.deepcopy(part))
    else:
        holder.insert(list(holder).index(victim) + by.chance.randint(0, 1), copy.deepcopy(part))


MOVES: tuple[Move, ...] = (
    _move, _copy, _evil_copy, _evil_copy, _evil_copy, _wrap, _text, _split, _id, _namespace, _inherit, _reference,
    _drop, _own, _own,
)  # fmt: skip


def _doctype(by: Attacker, data: bytes) -> bytes:
    body = re.sub(rb"^<\?xml[^>]*\?>\s*", b"", data)
    inside = by.chance.choice(
        (
            b"<!ATTLIST HSoKhaiThue evil ID #IMPLIED>",
            b'<!ENTITY e "666000666">',
            b'<!ENTITY e SYSTEM "file:///etc/passwd">',
            b'<!ATTLIST HSoThueDTu x CDATA "y">',
        )
    )
    return b"<!DOCTYPE HSoThueDTu [" + inside + b"]>" + body


def _cdata(by: Attacker, data: bytes) -> bytes:
    texts = list(re.finditer(rb">([^<>&\s][^<>&]*)<", data))
    if not texts:
        return data
    found = by.chance.choice(texts)
    new = by.chance.choice((b"<![CDATA[%s]]>", b"%s<![CDATA[]]>", b"&#x20;%s", b"%s<!---->")) % found[1]
    return data[: found.start(1)] + new + data[found.end(1) :]


def _octet(by: Attacker, data: bytes) -> bytes:
    place = by.chance.randrange(len(data))
    return data[:place] + bytes([by.chance.randrange(32, 127)]) + data[place + 1 :]


OCTETS: tuple[Callable[[Attacker, bytes], bytes], ...] = (
    _doctype,
    _cdata,
    _octet,
    lambda by, data: b"\xef\xbb\xbf" + data,
    lambda by, data: data.replace(b">", b">\r\n", by.chance.randint(1, 3)),
    lambda by, data: data + by.chance.choice((b"<!-- -->", b"<?x y?>", b"\0", b" ", b"<evil/>")),
)
