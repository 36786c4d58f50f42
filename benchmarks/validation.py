"""`make bench`, part "validation": XSD and rules of a declaration, beside xmlschema over the same bytes.

python -m benchmarks.validation    this part alone
"""

from __future__ import annotations

import copy
from datetime import datetime, timedelta, timezone

import xmlschema
from lxml import etree

import schemas
from benchmarks.peers import cpu_ms
from schemas.catalogue import OWN_CATALOGUE
from schemas.families import TAX
from schemas.sources import read_schema

RECEIVED = datetime(2026, 7, 20, 9, 0, tzinfo=timezone(timedelta(hours=7)))
TABLE_FORM, ROW, TOTAL = "914-2.8.3", "ThueBVMT", "tong_ct7"
_NS = TAX.tag("")


def main() -> None:
    """Print the table."""
    catalogue = schemas.load_catalogue()
    table = (OWN_CATALOGUE / "tax" / TABLE_FORM / "examples" / "passes.xml").read_bytes()
    documents = {
        "842, 20 KB": ("842-2.8.3", _signed_part(schemas.example_declaration(size_hint=20_000))),
        "914, a table of 1 MB": (TABLE_FORM, _signed_part(_grown(table, 1_000_000))),
        "914, 200 KB, every 10th row refused": (TABLE_FORM, _signed_part(_grown(table, 199_000, faulty=10))),
    }
    print(
        "\nvalidation, CPU ms a declaration (× ours). Ours parses, judges by XSD, rules and header, and explains"
    )
    print(f"  {'document':36} {'KB':>6} {'ours':>8} {'parse, XSD':>16} {'xmlschema':>18}  errors")
    for name, (folder, octets) in documents.items():
        source = read_schema(OWN_CATALOGUE, f"tax/{folder}/form.xsd", TAX.body)
        lxml_schema, peer = source.compile(), source.explain()

        def by_lxml(data: bytes, schema: etree.XMLSchema = lxml_schema) -> bool:
            return schema.validate(etree.fromstring(data))

        def by_xmlschema(data: bytes, schema: xmlschema.XMLSchema10 = peer) -> object:
            return list(schema.iter_errors(etree.fromstring(data)))

        ours = cpu_ms(lambda data: catalogue.examine(data, received_at=RECEIVED), octets)
        floor, other = cpu_ms(by_lxml, octets), cpu_ms(by_xmlschema, octets)
        found = sum(
            fault.severity == "ERROR" for fault in catalogue.examine(octets, received_at=RECEIVED).faults
        )
        print(
            f"  {name:36} {len(octets) / 1000:6.0f} {ours:8.2f} {floor:8.2f} ({floor / ours:.2f}×) "
            f"{other:9.1f} ({other / ours:.1f}×) {found:7}"
        )
    print()


def _signed_part(document: bytes) -> bytes:
    """The octets that a signature covers: HSoKhaiThue alone, canonical."""
    alone = etree.tostring(etree.fromstring(document)[0], with_tail=False)
    return etree.tostring(etree.fromstring(alone), method="c14n", with_comments=True)


def _grown(document: bytes, size: int, *, faulty: int = 0) -> bytes:
    """The document with its rows repeated up to `size` octets, and its total; every `faulty`th row without its rate."""
    once = len(_signed_part(document))
    times = 1 + (size - once) // (len(_signed_part(_repeated(document, 2, 0))) - once)
    return _repeated(document, times, faulty)


def _repeated(document: bytes, times: int, faulty: int) -> bytes:
    root = etree.fromstring(document)
    rows = list(root.iter(f"{_NS}{ROW}"))
    holder, total = rows[0].getparent(), next(root.iter(f"{_NS}{TOTAL}"))
    assert holder is not None
    for _ in range(times - 1):
        for row in rows:
            holder.insert(0, copy.deepcopy(row))
    total.text = str(int(total.text or "") * times)
    for row in list(root.iter(f"{_NS}{ROW}"))[::faulty] if faulty else []:
        row.remove(next(row.iter(f"{_NS}ct6")))
    return etree.tostring(root, encoding="utf-8")


if __name__ == "__main__":
    main()
