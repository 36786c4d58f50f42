"""Schemas of other houses, as a catalogue folder: made up here, built as public e-invoice sets are."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

XS = 'xmlns:xs="http://www.w3.org/2001/XMLSchema"'

TABLE = """
[[form]]
family = "{family}"
code = "{code}"
version = "{version}"
kinds = ["{kind}"]
folder = "{folder}/form"
in_force_from = 2020-07-01
in_force_until = 2099-12-31
"""
FORM = """
label = "Hóa đơn"
name_vi = "Hóa đơn giá trị gia tăng"
name_en = "Value-added invoice"
legal_basis = "Nghị định 123/2020/NĐ-CP"
max_elements = 5000
header_rules = ["in-force", "tax-codes", "signed-on", "unicode"]
unlabelled = "by-name"
"""

# A national e-invoice: no namespace, the signed part has no schema of its own, signatures deep beside it.
INVOICE_FAMILY = """
name = "e-invoice"
name_vi = "Hóa đơn điện tử"
name_en = "E-invoice"
root = "HDon"
body = "DLHDon"
signatures = ["DSCKS/NBan", "DSCKS/NMua"]
heading = ["TTChung"]
[paths]
version = "TTChung/PBan"
kind = "TTChung/KHMSHDon"
filer = "NDHDon/NBan/MST"
filer_name = "NDHDon/NBan/Ten"
form_name = "TTChung/THDon"
signed_on = "TTChung/NLap"
[fixed]
code = "HDon"
"""
INVOICE_XSD = f"""<xs:schema {XS} elementFormDefault="qualified">
  <xs:include schemaLocation="parties.xsd"/>
  <xs:element name="HDon">
    <xs:complexType><xs:sequence>
      <xs:element name="DLHDon" maxOccurs="1">
        <xs:complexType><xs:sequence>
          <xs:element name="TTChung"><xs:complexType><xs:sequence>
            <xs:element name="PBan" type="xs:token"/>
            <xs:element name="THDon" type="xs:string"/>
            <xs:element name="KHMSHDon" type="xs:token"/>
            <xs:element name="SHDon" type="xs:positiveInteger"/>
            <xs:element name="NLap" type="xs:date"/>
          </xs:sequence></xs:complexType></xs:element>
          <xs:element name="NDHDon"><xs:complexType><xs:sequence>
            <xs:element name="NBan" type="Party"/>
            <xs:element name="NMua" type="Party"/>
            <xs:element name="DSHHDVu"><xs:complexType><xs:sequence>
              <xs:element name="HHDVu" maxOccurs="unbounded"><xs:complexType><xs:sequence>
                <xs:element name="THHDVu" type="xs:string"/>
                <xs:element name="SLuong" type="xs:decimal"/>
                <xs:element name="DGia" type="xs:decimal"/>
                <xs:element name="ThTien" type="Amount"/>
              </xs:sequence></xs:complexType></xs:element>
            </xs:sequence></xs:complexType></xs:element>
            <xs:element name="TgTTTBSo" type="Amount"/>
          </xs:sequence></xs:complexType></xs:element>
        </xs:sequence><xs:attribute name="Id" type="xs:string"/></xs:complexType>
        <xs:unique name="lines"><xs:selector xpath="NDHDon/DSHHDVu/HHDVu"/><xs:field xpath="THHDVu"/></xs:unique>
      </xs:element>
      <xs:element name="DSCKS" type="xs:anyType"/>
    </xs:sequence></xs:complexType>
  </xs:element>
  <xs:simpleType name="Amount">
    <xs:restriction base="xs:decimal"><xs:totalDigits value="19"/><xs:minInclusive value="0"/></xs:restriction>
  </xs:simpleType>
</xs:schema>"""
PARTIES_XSD = f"""<xs:schema {XS} elementFormDefault="qualified">
  <xs:complexType name="Party"><xs:sequence>
    <xs:element name="Ten" type="xs:string"/>
    <xs:element name="MST" minOccurs="0">
      <xs:simpleType><xs:restriction base="xs:string">
        <xs:pattern value="[0-9]{{10}}(-[0-9]{{3}})?"/>
      </xs:restriction></xs:simpleType>
    </xs:element>
  </xs:sequence></xs:complexType>
</xs:schema>"""
INVOICE = """<HDon><DLHDon Id="data"><TTChung><PBan>2.1.0</PBan><THDon>Hóa đơn giá trị gia tăng</THDon>\
<KHMSHDon>1</KHMSHDon><SHDon>007</SHDon><NLap>2026-07-01</NLap></TTChung>
<NDHDon><NBan><Ten>CÔNG TY MƯỜNG LA</Ten><MST>5500998804</MST></NBan><NMua><Ten>Khách lẻ</Ten></NMua>
<DSHHDVu><HHDVu><THHDVu>Xi măng</THHDVu><SLuong>02.50</SLuong><DGia>100000</DGia><ThTien>250000.0</ThTien></HHDVu>
<HHDVu><THHDVu>Cát</THHDVu><SLuong>+1</SLuong><DGia>50000</DGia><ThTien>50000</ThTien></HHDVu></DSHHDVu>
<TgTTTBSo>300000</TgTTTBSo></NDHDon></DLHDon></HDon>"""
INVOICE_RULES = """
[[rule]]
code = "HDon.line"
rule = "[HHDVu/ThTien] = [HHDVu/SLuong] * [HHDVu/DGia]"
[[rule]]
code = "HDon.total"
rule = "[TgTTTBSo] = sum([HHDVu/ThTien])"
"""
INVOICE_CASES = """
received_at = 2026-07-02T10:00:00+07:00
[cases]
"passes.xml" = []
[broken."total.xml"]
changes = { TgTTTBSo = "299999" }
expected = ["HDon.total"]
[broken."tax-code.xml"]
changes = { "NBan/MST" = "5500998805" }
expected = ["header.tax-code.check-digit"]
[broken."no-date.xml"]
changes = { NLap = "2026-02-30" }
expected = ["xsd.type"]
[broken."tomorrow.xml"]
changes = { NLap = "2026-07-03" }
expected = ["header.date.in-future"]
[broken."no-number.xml"]
without = ["SHDon"]
expected = ["xsd.missing"]
"""
INVOICE_FILES: Mapping[str, str] = {
    "catalogue.toml": 'families = ["invoice"]\n'
    + TABLE.format(family="e-invoice", code="HDon", version="2.1.0", kind="1", folder="invoice"),
    "invoice/family.toml": INVOICE_FAMILY,
    "invoice/form/form.toml": FORM + 'schema = "xsd/invoice.xsd"\n',
    "invoice/form/rules.toml": INVOICE_RULES,
    "invoice/form/xsd/invoice.xsd": INVOICE_XSD,
    "invoice/form/xsd/parties.xsd": PARTIES_XSD,
    "invoice/form/examples/passes.xml": INVOICE,
    "invoice/form/examples/cases.toml": INVOICE_CASES,
}

# An international one: namespaces that import each other, from addresses on the web, a party that holds parties,
# extensions that may be anything, the root itself signed inside itself.
ROOT_NS, BASIC, AGGREGATE = "urn:test:invoice-2", "urn:test:basic-2", "urn:test:aggregate-2"
UBL_FAMILY = f"""
name = "world-invoice"
name_vi = "Hóa đơn quốc tế"
name_en = "International invoice"
namespace = "{ROOT_NS}"
root = "Invoice"
signatures = ["cac:Extensions/cac:Extension"]
[namespaces]
cbc = "{BASIC}"
cac = "{AGGREGATE}"
[paths]
code = "cbc:InvoiceTypeCode"
filer = "cac:Party/cbc:CompanyID"
filer_name = "cac:Party/cbc:Name"
signed_on = "cbc:IssueDate"
[fixed]
version = "2"
kind = "invoice"
"""
UBL_XSD = f"""<xs:schema {XS} xmlns="{ROOT_NS}" xmlns:cbc="{BASIC}" xmlns:cac="{AGGREGATE}" targetNamespace="{ROOT_NS}"
    elementFormDefault="qualified">
  <xs:import namespace="{AGGREGATE}" schemaLocation="common/aggregate.xsd"/>
  <xs:import namespace="{BASIC}" schemaLocation="common/basic.xsd"/>
  <xs:import namespace="{BASIC}" schemaLocation="common/amounts.xsd"/>
  <xs:element name="Invoice" type="InvoiceType"/>
  <xs:complexType name="InvoiceType"><xs:sequence>
    <xs:element ref="cac:Extensions" minOccurs="0"/>
    <xs:element ref="cbc:InvoiceTypeCode"/>
    <xs:element ref="cbc:IssueDate"/>
    <xs:element ref="cac:Party"/>
    <xs:element ref="cac:Line" maxOccurs="unbounded"/>
    <xs:element ref="cbc:PayableAmount"/>
  </xs:sequence></xs:complexType>
</xs:schema>"""
AGGREGATE_XSD = f"""<xs:schema {XS} xmlns="{AGGREGATE}" xmlns:cbc="{BASIC}" targetNamespace="{AGGREGATE}"
    xmlns:ds="http://www.w3.org/2000/09/xmldsig#" elementFormDefault="qualified">
  <xs:import namespace="{BASIC}" schemaLocation="https://schemas.example/basic-2.xsd"/>
  <xs:import namespace="http://www.w3.org/2000/09/xmldsig#" schemaLocation="http://www.w3.org/TR/xmldsig-core/xmldsig-core-schema.xsd"/>
  <xs:import namespace="http://www.w3.org/XML/1998/namespace"/>
  <xs:element name="Extensions"><xs:complexType><xs:sequence>
    <xs:element name="Extension" maxOccurs="unbounded"><xs:complexType><xs:sequence>
      <xs:any processContents="lax" minOccurs="0"/>
    </xs:sequence></xs:complexType></xs:element>
  </xs:sequence></xs:complexType></xs:element>
  <xs:element name="Party" type="PartyType"/>
  <xs:element name="AgentParty" type="PartyType"/>
  <xs:complexType name="PartyType"><xs:sequence>
    <xs:element ref="cbc:CompanyID"/>
    <xs:element ref="cbc:Name"/>
    <xs:element ref="AgentParty" minOccurs="0"/>
    <xs:element ref="ds:KeyInfo" minOccurs="0"/>
  </xs:sequence><xs:attribute ref="xml:lang" xmlns:xml="http://www.w3.org/XML/1998/namespace"/></xs:complexType>
  <xs:element name="Line"><xs:complexType><xs:sequence>
    <xs:element ref="cbc:Name"/><xs:element ref="cbc:LineAmount"/>
  </xs:sequence></xs:complexType></xs:element>
</xs:schema>"""
BASIC_XSD = f"""<xs:schema {XS} xmlns="{BASIC}" targetNamespace="{BASIC}" elementFormDefault="qualified">
  <xs:element name="InvoiceTypeCode" type="xs:token"/>
  <xs:element name="IssueDate" type="xs:date"/>
  <xs:element name="CompanyID" type="xs:token"/>
  <xs:element name="Name" type="xs:string"/>
</xs:schema>"""
AMOUNTS_XSD = f"""<xs:schema {XS} xmlns="{BASIC}" targetNamespace="{BASIC}" elementFormDefault="qualified">
  <xs:complexType name="AmountType"><xs:simpleContent><xs:extension base="xs:decimal">
    <xs:attribute name="currencyID" use="required" type="xs:token"/>
  </xs:extension></xs:simpleContent></xs:complexType>
  <xs:element name="LineAmount" type="AmountType"/>
  <xs:element name="PayableAmount" type="AmountType"/>
</xs:schema>"""
UBL = f"""<Invoice xmlns="{ROOT_NS}" xmlns:cbc="{BASIC}" xmlns:cac="{AGGREGATE}">
<cac:Extensions><cac:Extension/></cac:Extensions>
<cbc:InvoiceTypeCode>380</cbc:InvoiceTypeCode><cbc:IssueDate>2026-07-01Z</cbc:IssueDate>
<cac:Party xml:lang="vi"><cbc:CompanyID>5500998804</cbc:CompanyID><cbc:Name>Mường La</cbc:Name>
<cac:AgentParty><cbc:CompanyID>1</cbc:CompanyID><cbc:Name>A</cbc:Name></cac:AgentParty></cac:Party>
<cac:Line><cbc:Name>Xi măng</cbc:Name><cbc:LineAmount currencyID="VND">200.50</cbc:LineAmount></cac:Line>
<cac:Line><cbc:Name>Cát</cbc:Name><cbc:LineAmount currencyID="VND">99.5</cbc:LineAmount></cac:Line>
<cbc:PayableAmount currencyID="VND">300</cbc:PayableAmount></Invoice>"""
UBL_FILES: Mapping[str, str] = {
    "catalogue.toml": 'families = ["world"]\n'
    + TABLE.format(family="world-invoice", code="380", version="2", kind="invoice", folder="world"),
    "world/family.toml": UBL_FAMILY,
    "world/form/form.toml": FORM
    + '[schema_locations]\n"https://schemas.example/basic-2.xsd" = "common/basic.xsd"\n',
    "world/form/rules.toml": """
[[rule]]
code = "inv.total"
rule = "[cbc:PayableAmount] = sum([cac:Line/cbc:LineAmount])"
""",
    "world/form/form.xsd": UBL_XSD,
    "world/form/common/aggregate.xsd": AGGREGATE_XSD,
    "world/form/common/basic.xsd": BASIC_XSD,
    "world/form/common/amounts.xsd": AMOUNTS_XSD,
    "world/form/examples/passes.xml": UBL,
    "world/form/examples/cases.toml": """
received_at = 2026-07-02T10:00:00+07:00
[cases]
"passes.xml" = []
[broken."total.xml"]
changes = { PayableAmount = "301" }
expected = ["inv.total"]
[broken."no-id.xml"]
without = ["Party/CompanyID"]
expected = ["xsd.missing"]
""",
}


def put_down(files: Mapping[str, str], folder: Path) -> Path:
    """Write the files below the new folder; gives the folder."""
    for name, text in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return folder
