"""A complete development installation in one folder: throw-away PKI, settings, client profile, an example."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import certs_dev
import schemas

EXAMPLE_PERIOD = "Q2/2026"

_SETTINGS = """\
# Settings of a development gateway, made by `efile dev-pki`. Paths are relative to this file.
mode = "development"
store = "store/efile.sqlite"

[gateway]
code = "SLA"
name = "Cổng nộp hồ sơ điện tử (thử nghiệm)"
office_code = "20500"

[door]
port = {port}
health_port = {health_port}
certificate = "pki/identities/gateway-server/chain.pem"
key = "pki/identities/gateway-server/key.pem"
client_ca = "pki/clients/client-ca.pem"
client_crls = "pki/clients"

[trust]
directory = "pki/trust"
policy = "tt15-2025"

[notices]
certificate = "pki/identities/notice/chain.pem"
key = "pki/identities/notice/key.pem"

[delivery]
first_retry_seconds = 1.0

[[provider]]
id = "alpha"
name = "T-VAN Alpha"
tax_code = "0100000003"
signs_filings = true
certificates = [
    "pki/identities/provider-a/cert.pem",
    "pki/identities/provider-expired/cert.pem",
    "pki/identities/provider-revoked/cert.pem",
]

[[provider]]
id = "beta"
name = "T-VAN Beta"
tax_code = "0100000010"
signs_filings = false
certificates = ["pki/identities/provider-b/cert.pem"]

[[agency]]
id = "tax"
name = "Cơ quan thuế (mô phỏng)"
adapter = "rest"
serves = ["tax"]
poll_seconds = 2.0
certificates = ["pki/identities/agency-tax/cert.pem"]

[agency.config]
base_url = "https://localhost:{agency_port}"
ca_file = "pki/tls/tls-ca.pem"
client_cert = "pki/identities/gateway-client/cert.pem"
client_key = "pki/identities/gateway-client/key.pem"
"""

_ADMIN = """
[admin]
port = {admin_port}
certificate = "pki/identities/admin-server/chain.pem"
key = "pki/identities/admin-server/key.pem"
client_ca = "pki/admins/admin-ca.pem"
client_crls = "pki/admins"

[[admin.person]]
name = "Quản trị viên thử nghiệm"
roles = ["operator", "certificate-admin", "auditor"]
certificates = ["pki/identities/admin/cert.pem"]

[[admin.person]]
name = "Người xem thử nghiệm"
roles = ["viewer"]
certificates = ["pki/identities/admin-viewer/cert.pem"]
"""

_PROFILE = """\
# How the T-VAN Alpha's machine reaches the gateway. Paths are relative to this file.
url = "https://localhost:{port}"
certificate = "pki/identities/provider-a/cert.pem"
key = "pki/identities/provider-a/key.pem"
server_ca = "pki/tls/tls-ca.pem"
"""


@dataclass(frozen=True, slots=True)
class Ports:
    """Loopback ports of the servers. `admin` 0: the gateway has no administrators' door."""

    door: int = 8443
    health: int = 8480
    agency: int = 8543
    admin: int = 0


DEFAULT_PORTS = Ports()
ADMIN_PORT = 8490


@dataclass(frozen=True, slots=True)
class Installation:
    """Where things lie. `kept`: files that were there before and have been left as they were."""

    directory: Path
    pki: certs_dev.DevPki
    ports: Ports
    kept: tuple[Path, ...] = ()

    @property
    def settings(self) -> Path:
        """The gateway's settings."""
        return self.directory / "efile.toml"

    @property
    def profile(self) -> Path:
        """The client's profile."""
        return self.directory / "client.toml"

    @property
    def example(self) -> Path:
        """An unsigned declaration, ready to be signed."""
        return self.directory / "example.xml"

    def simulator_command(self) -> list[str]:
        """Arguments for `python -m adapters.simulator`: the simulated tax authority of this installation."""
        agency, client = self.pki["agency-server"], self.pki["agency-tax"]
        options = {
            "--port": self.ports.agency,
            "--tls-cert": agency.chain,
            "--tls-key": agency.key,
            "--client-ca": self.pki.client_ca,
            "--callback": f"https://localhost:{self.ports.door}/v1/callbacks/verdicts",
            "--callback-cert": client.certificate,
            "--callback-key": client.key,
            "--callback-ca": self.pki.tls_ca,
            "--books": self.directory / "agency-books.jsonl",
        }
        return [str(part) for pair in options.items() for part in pair]


def install(
    directory: Path, *, at: datetime, ports: Ports = DEFAULT_PORTS, keep: bool = False
) -> Installation:
    """Make (or complete) a development installation; an existing PKI is kept, its CRLs are renewed when due.

    `keep`: the settings, the profile and the example are written only where they are missing.
    """
    directory.mkdir(parents=True, exist_ok=True)
    pki = certs_dev.make(directory / "pki", at=at)
    pki.refresh_crls(at)
    made = Installation(directory, pki, ports)
    values = {
        "port": ports.door,
        "health_port": ports.health,
        "agency_port": ports.agency,
        "admin_port": ports.admin,
    }
    taxpayer = pki.plan.identities["taxpayer"]
    example = schemas.example_declaration(
        "842",
        tax_code=str(taxpayer.uid).removeprefix("MST:"),
        name=taxpayer.name,
        period=EXAMPLE_PERIOD,
        signed_on=at.date(),
        element_id="ID_1",
    )
    contents = {
        made.settings: (_SETTINGS + (_ADMIN if ports.admin else "")).format(**values).encode(),
        made.profile: _PROFILE.format(**values).encode(),
        made.example: example,
    }
    kept = tuple(file for file in contents if keep and file.exists())
    for file in contents.keys() - set(kept):
        file.write_bytes(contents[file])
    return replace(made, kept=kept)
