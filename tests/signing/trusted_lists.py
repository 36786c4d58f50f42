"""A trusted list made at test time in the form of ETSI TS 119 612."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from signing import FileKey, sign_xml
from signing.trusted_list import TSL
from tests.signing.pki import AT

STATUS = "http://uri.etsi.org/TrstSvc/TrustedList/Svcstatus/"
CA_QC = "http://uri.etsi.org/TrstSvc/Svctype/CA/QC"
QTST = "http://uri.etsi.org/TrstSvc/Svctype/TSA/QTST"
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Entry:
    """One service: its states, latest first, as (status, starting time); `extension`: XML of the latest one's."""

    certificate: x509.Certificate
    states: tuple[tuple[str, datetime], ...] = (("granted", AT - 100 * DAY),)
    type: str = CA_QC
    extension: str = ""


def unsigned_list(
    *entries: Entry,
    issued: datetime = AT - DAY,
    next_update: datetime | None = AT + 100 * DAY,
    sequence: int = 7,
    version: str = "5",
) -> bytes:
    due = f"<dateTime>{zulu(next_update)}</dateTime>" if next_update else ""
    services = "".join(service(entry) for entry in entries)
    return f"""<TrustServiceStatusList xmlns="{TSL}" Id="list" TSLTag="http://uri.etsi.org/19612/TSLTag">
<SchemeInformation><TSLVersionIdentifier>{version}</TSLVersionIdentifier>
<TSLSequenceNumber>{sequence}</TSLSequenceNumber><SchemeTerritory>VN</SchemeTerritory>
<ListIssueDateTime>{zulu(issued)}</ListIssueDateTime><NextUpdate>{due}</NextUpdate></SchemeInformation>
<TrustServiceProviderList><TrustServiceProvider>
<TSPInformation><TSPName><Name xml:lang="en">Provider</Name></TSPName></TSPInformation>
<TSPServices>{services}</TSPServices></TrustServiceProvider></TrustServiceProviderList>
</TrustServiceStatusList>""".encode()


def service(entry: Entry) -> str:
    (status, start), *past = entry.states
    der = base64.b64encode(entry.certificate.public_bytes(Encoding.DER)).decode()
    held = f"<DigitalId><X509Certificate>{der}</X509Certificate></DigitalId>"
    identity = f"<ServiceDigitalIdentity>{held}</ServiceDigitalIdentity>"
    history = "".join(
        f"<ServiceHistoryInstance>{state(entry.type, '', status, start)}</ServiceHistoryInstance>"
        for status, start in past
    )
    extension = (
        entry.extension and f"<ServiceInformationExtensions>{entry.extension}</ServiceInformationExtensions>"
    )
    return f"""<TSPService><ServiceInformation>{state(entry.type, identity, status, start)}{extension}
</ServiceInformation><ServiceHistory>{history}</ServiceHistory></TSPService>"""


def state(kind: str, identity: str, status: str, start: datetime) -> str:
    return f"""<ServiceTypeIdentifier>{kind}</ServiceTypeIdentifier>
<ServiceName><Name xml:lang="en">Service</Name></ServiceName>{identity}
<ServiceStatus>{STATUS}{status}</ServiceStatus><StatusStartingTime>{zulu(start)}</StatusStartingTime>"""


def zulu(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def signed_list(data: bytes, key: FileKey) -> bytes:
    return sign_xml(
        data, key, profile="xades-b", target_id="list", place="", at=AT - DAY, c14n="exclusive", prefix="ds"
    )
