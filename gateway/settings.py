"""One frozen Settings, read from a TOML file; an unknown key refuses to start. Paths are relative to the file."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import msgspec
from msgspec import Meta

import schemas
from gateway.admin.roles import Role
from gateway.calendar import OWN_CALENDAR
from gateway.directory import OWN_DIRECTORY
from gateway.errors import ConfigurationError
from gateway.ports import LONGEST_WAIT_SECONDS, MOST_PAUSES
from gateway.register.policy import OWN_POLICY

Positive = Annotated[float, Meta(gt=0)]
Wait = Annotated[float, Meta(gt=0, le=LONGEST_WAIT_SECONDS)]
Short = Annotated[float, Meta(gt=0, le=600)]
Count = Annotated[int, Meta(ge=1)]
Port = Annotated[int, Meta(ge=0, le=65535)]
URL_SCHEMES = ("postgresql", "postgres")
ACCOUNT = r"^[A-Za-z0-9_][A-Za-z0-9_.@-]{0,63}\$?\Z"
"""Of the operating system."""
_URL_FILES = ("passfile", "sslrootcert", "sslcert", "sslkey", "sslcrl")
_PLACE = ("key", "certificate", "password_file", "pkcs11", "csc")
"""What of `[notices]` says where the key lives."""


class GatewaySettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Who we are. `code` begins every filing number; the office is named in our notices.

    `agency_code` begins every dossier code, which takes the form that this one has (`H52`, or `000.00.00.H52`).
    """

    code: Annotated[str, Meta(pattern=r"^[A-Z][A-Z0-9]{1,5}$")]
    name: str
    office_code: str
    agency_code: Annotated[str, Meta(pattern=r"^[0-9A-Z][0-9A-Z.]{0,34}$")] = "H52"


class DoorSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The machines' door (HTTPS, mutual TLS). `health_port`: plain HTTP on loopback, 0 = none."""

    certificate: Path
    key: Path
    client_ca: Path
    client_crls: Path
    host: str = "127.0.0.1"
    port: Port = 8443
    health_port: Port = 0
    idle_seconds: Positive = 75.0
    body_seconds: Positive = 60.0


class TrustSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`directory` holds anchors/, intermediates/, crls/ …; `policy` is a name of signing/policies or a path.

    From `fetch_hosts`, and no others, revocation answers are fetched into its `fetched/`, and the trusted lists at
    `list_urls` into its `lists/`; none: nothing is fetched.
    """

    directory: Path
    policy: str = "tt15-2025"
    refresh_seconds: Positive = 5.0
    fetch_hosts: tuple[str, ...] = ()
    fetch_seconds: Positive = 60.0
    list_urls: tuple[str, ...] = ()


class CatalogueSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The folder with catalogue.toml and the forms' folders; the package's own by default."""

    directory: Path = schemas.OWN_CATALOGUE
    refresh_seconds: Positive = 5.0


class DirectorySettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The folder with the tables of agencies, places and services; the package's own by default."""

    folder: Path = OWN_DIRECTORY
    refresh_seconds: Positive = 5.0


class CalendarSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The folder with the tables of days off and of terms; the package's own by default. Deadlines are looked at every
    `watch_seconds`."""

    folder: Path = OWN_CALENDAR
    refresh_seconds: Positive = 5.0
    watch_seconds: Positive = 15.0


class TokenKeySettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A key in a token or HSM, through its PKCS#11 module; `key_id` in hexadecimal digits."""

    module: Path
    token: str
    pin_file: Path
    key_label: str | None = None
    key_id: Annotated[str, Meta(pattern=r"^([0-9A-Fa-f]{2})+$")] | None = None
    certificate: Path | None = None


class ServiceKeySettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A key at a remote signing service (CSC API v2); `secrets`: files, by what the service asks for ("PIN")."""

    url: str
    credential: str | None = None
    token_file: Path | None = None
    oauth_url: str | None = None
    client: str | None = None
    client_secret_file: Path | None = None
    secrets: dict[str, Path] = {}
    ca: Path | None = None


class NoticeSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The key that signs receipts and notices: one of `key` (PEM with `certificate`, or PKCS#12), `pkcs11`, `csc`.

    `seconds`: the longest that a signature by a token or a service may take; then the sender is told to come again.
    `tsa`: the address of the authority that gives them time stamps; one that takes longer than `tsa_seconds` is not
    waited for.
    """

    key: Path | None = None
    certificate: Path | None = None
    password_file: Path | None = None
    pkcs11: TokenKeySettings | None = None
    csc: ServiceKeySettings | None = None
    seconds: Wait = 10.0
    tsa: str | None = None
    tsa_seconds: Annotated[float, Meta(gt=0, le=5)] = 2.0


class ObjectStoreSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A bucket that speaks S3. Without key files the credentials are AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.

    `endpoint` none: Amazon's own of the `region`. `seconds`: the longest that one request may take.
    """

    bucket: Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")]
    endpoint: str | None = None
    region: str = "us-east-1"
    prefix: Annotated[str, Meta(pattern=r"^([A-Za-z0-9._-]+/)*$")] = ""
    access_key_file: Path | None = None
    secret_key_file: Path | None = None
    ca_file: Path | None = None
    virtual_hosts: bool = False
    seconds: Wait = 20.0


class BodySettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Bodies that take more than `over_bytes` compressed lie in `folder`, or in `s3`, shared by all nodes; none: in the
    store.

    `keys`: files of 32 octets by name; `seal_with` names the one for new bodies, none: they are not encrypted.
    """

    folder: Path | None = None
    over_bytes: Count = 262_144
    seal_with: str | None = None
    keys: dict[str, Path] = {}
    s3: ObjectStoreSettings | None = None


class RegisterSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Certificates and keys: by which policy they are exchanged, and how often each process looks for a change."""

    policy: Path = OWN_POLICY
    poll_seconds: Positive = 1.0


class LimitSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Seeds of the `limits` table, written at every start; all processes read them there.

    `body_bytes` bounds one body, `parts_bytes` all papers beside one, `bodies_bytes` what a process holds of both at
    once. Documents up to `inline_bytes` are judged on the event loop, larger ones in `check_threads` threads; at most
    `check_waiting` wait, the next gets 503. Of each dossier `signed_papers` PDFs with signatures are judged, of
    `signed_papers_bytes` and in `signed_papers_seconds` together, in `paper_threads` threads; at most `paper_waiting`
    dossiers wait for that. While more than `waiting_filings` are in the queue, nothing is taken
    in.
    """

    body_bytes: Count = 20_000_000
    parts_bytes: Count = 100_000_000
    bodies_bytes: Count = 256_000_000
    inline_bytes: Count = 65_536
    check_threads: Count = 2
    check_waiting: Count = 64
    signed_papers: Count = 30
    signed_papers_bytes: Count = 20_000_000
    signed_papers_seconds: Positive = 20.0
    paper_threads: Count = 1
    paper_waiting: Count = 16
    waiting_filings: Count = 2_000_000


class DeliverySettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Delays in seconds. A lease is renewed while its process lives: `lease_seconds` after its death others go on."""

    in_flight: Count = 32
    lease_seconds: Wait = 90.0
    idle_poll_seconds: Positive = 0.5
    first_retry_seconds: Wait = 3.0
    most_retry_seconds: Wait = 300.0


class ProviderSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A registered T-VAN provider; `certificates` are its client certificates (PEM)."""

    id: str
    name: str
    tax_code: str
    certificates: tuple[Path, ...]
    active: bool = True
    signs_filings: bool = True


class AgencySettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An agency's back-end; `certificates` are its client certificates for callbacks; `config` is the adapter's.

    `serves`: agencies or offices of the directory. All processes together keep at most `max_in_flight` calls going and
    start `per_second` of them (0: any number), none during `maintenance`. After `breaker_failures` in a row nobody
    calls for `breaker_seconds`, then one call tries; the pause doubles with each that fails.
    """

    id: str
    name: str
    adapter: str
    serves: tuple[str, ...]
    config: dict[str, Any]
    certificates: tuple[Path, ...] = ()
    poll_seconds: Wait = 30.0
    max_in_flight: Count = 16
    per_second: Annotated[float, Meta(ge=0)] = 0.0
    maintenance: tuple[str, ...] = ()
    breaker_failures: Count = 5
    breaker_seconds: Annotated[float, Meta(gt=0, le=LONGEST_WAIT_SECONDS / MOST_PAUSES)] = 15.0


Term = Annotated[str, Meta(pattern="^[1-9][0-9]{0,3} (day|month|year)s?$")]


class RetentionSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How long a family's filings are kept after they have ended: what is said here goes before its family.toml.

    `family` "unread": refused documents that could not be read as any. What neither says is kept for ever.
    """

    family: str
    body: Term | None = None
    papers: Term | None = None
    record: Term | None = None


class PersonSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An administrator: `name` is how the audit record has it, after `admin:`. Known by client certificates, given as
    files (PEM) or as SHA-256 fingerprints; several while one follows the other. `account`: its account on the
    machines."""

    name: Annotated[str, Meta(pattern=r"^[^\x00-\x1f\x7f]{1,80}\Z")]
    roles: Annotated[tuple[Role, ...], Meta(min_length=1)]
    account: Annotated[str, Meta(pattern=ACCOUNT)] | None = None
    certificates: tuple[Path, ...] = ()
    fingerprints: tuple[Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")], ...] = ()


class AdminSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The administrators' door (HTTPS, mutual TLS), with a port and a trust of its own; without this table there is
    none."""

    certificate: Path
    key: Path
    client_ca: Path
    client_crls: Path
    host: str = "127.0.0.1"
    port: Port = 8490
    idle_seconds: Positive = 75.0
    body_seconds: Positive = 30.0
    person: tuple[PersonSettings, ...] = ()


Address = Annotated[str, Meta(pattern=r"^[^\s@<>,;:\"\x00-\x1f\x7f]{1,64}@[A-Za-z0-9.-]{1,253}\Z")]


class WebhookSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where warnings are posted as JSON. `secret_file`: `whsec_` and base64, signs them (Standard Webhooks);
    `token_file`: a bearer token. `seconds`: the longest that one may take."""

    name: str
    url: str
    secret_file: Path | None = None
    token_file: Path | None = None
    ca_file: Path | None = None
    seconds: Short = 10.0


class MailSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The SMTP server that takes warnings, and for whom. `security`: `none` is for this machine alone.

    `seconds`: the longest that one message may take.
    """

    name: str
    host: str
    sender: Address
    to: Annotated[tuple[Address, ...], Meta(min_length=1)]
    port: Port = 587
    security: Literal["starttls", "tls", "none"] = "starttls"
    username: str | None = None
    password_file: Path | None = None
    ca_file: Path | None = None
    seconds: Short = 30.0


class WarningSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Who is warned, beside the log. `seconds`: how often it is looked, and the first delay after a failure."""

    seconds: Wait = 60.0
    webhook: tuple[WebhookSettings, ...] = ()
    mail: tuple[MailSettings, ...] = ()


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The whole file."""

    gateway: GatewaySettings
    door: DoorSettings
    trust: TrustSettings
    notices: NoticeSettings
    store: str
    """The absolute path of an SQLite file, or the URL of a PostgreSQL database, its files absolute."""
    mode: Literal["production", "development"] = "production"
    catalogue: CatalogueSettings = CatalogueSettings()
    directory: DirectorySettings = DirectorySettings()
    bodies: BodySettings = BodySettings()
    calendar: CalendarSettings = CalendarSettings()
    register: RegisterSettings = RegisterSettings()
    limits: LimitSettings = LimitSettings()
    delivery: DeliverySettings = DeliverySettings()
    admin: AdminSettings | None = None
    provider: tuple[ProviderSettings, ...] = ()
    agency: tuple[AgencySettings, ...] = ()
    retention: tuple[RetentionSettings, ...] = ()
    warnings: WarningSettings = WarningSettings()


def load_settings(file: Path) -> Settings:
    """Read and check the settings.

    Raises:
        ConfigurationError: unreadable, not TOML, an unknown or missing key, a value out of range.
    """
    base = file.resolve().parent

    def decode(kind: type, value: Any) -> Any:
        if kind is Path and isinstance(value, str):
            return base / value
        raise TypeError(f"expected {kind.__name__}, got {type(value).__name__}")

    try:
        raw = tomllib.loads(file.read_text(encoding="utf-8"))
        _resolve_agency_paths(raw, base)
        _resolve_policy_path(raw, base)
        if isinstance(raw.get("store"), str):
            raw["store"] = store_place(raw["store"], base)
        return msgspec.convert(raw, Settings, dec_hook=decode)
    except OSError as error:
        raise ConfigurationError([f"{file}: {error.strerror}"]) from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError([f"{file}: not TOML: {error}"]) from error
    except msgspec.ValidationError as error:
        raise ConfigurationError([f"{file}: {_readable(str(error))}"]) from error


def read_notice_place(file: Path) -> dict[str, Any]:
    """Where a key of notices lives, from a TOML file whose `[notices]` says it as the settings do; paths made absolute.

    Raises ConfigurationError.
    """
    base = file.resolve().parent

    def decode(kind: type, value: Any) -> Any:
        if kind is Path and isinstance(value, str):
            return base / value
        raise TypeError(f"expected {kind.__name__}, got {type(value).__name__}")

    try:
        raw = tomllib.loads(file.read_text(encoding="utf-8"))
        found = msgspec.convert(raw.get("notices"), NoticeSettings, dec_hook=decode)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise ConfigurationError([f"{file}: {error}"]) from error
    return place_of(found)


def place_of(notices: NoticeSettings) -> dict[str, Any]:
    """Where the key of notices lives, as the register keeps it: the words of `[notices]`, never the key or a secret."""
    said = msgspec.to_builtins(notices, enc_hook=str)
    return {name: value for name, value in said.items() if value is not None and name in _PLACE}


def _resolve_agency_paths(raw: dict[str, Any], base: Path) -> None:
    """An adapter's configuration is its own; by convention its keys in `_file`, `_cert`, `client_key` and `_folder` are
    paths."""
    agencies = raw.get("agency")
    for agency in agencies if isinstance(agencies, list) else []:
        config = agency.get("config") if isinstance(agency, dict) else None
        if not isinstance(config, dict):
            continue  # the decoder says what is wrong with it
        for key, value in config.items():
            if key.endswith(("_file", "_cert", "client_key", "_folder")) and isinstance(value, str):
                config[key] = str(base / value)


def _resolve_policy_path(raw: dict[str, Any], base: Path) -> None:
    """`trust.policy` is a name or, where it ends in `.toml`, a path."""
    trust = raw.get("trust")
    policy = trust.get("policy") if isinstance(trust, dict) else None
    if isinstance(trust, dict) and isinstance(policy, str) and policy.endswith(".toml"):
        trust["policy"] = str(base / policy)


def store_place(text: str, base: Path) -> str:
    """A store as `Settings.store` has it; what `text` leaves relative is relative to `base`."""
    parts = urlsplit(text)
    if parts.scheme not in URL_SCHEMES:
        return str(base / text)
    said = [(k, str(base / v) if k in _URL_FILES else v) for k, v in parse_qsl(parts.query)]
    return urlunsplit(parts._replace(query=urlencode(said, safe="/")))


def _readable(message: str) -> str:
    """`Object contains unknown field … - at `$.door`` → the same, with the path as the file writes it."""
    return re.sub(r" - at `\$\.?(.*)`$", lambda m: f" (in [{m[1]}])" if m[1] else "", message)
