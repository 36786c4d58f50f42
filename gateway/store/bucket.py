"""Large bodies in a bucket of an object store that speaks S3, for nodes that share no file system.

Each put makes an object of its own, named by the document's SHA-256 and by chance: so nobody ever puts again what
another removes, and no lock is needed. An object that no row names a day after it was put never will be.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store

from gateway.errors import ConfigurationError
from gateway.settings import ObjectStoreSettings
from gateway.store.blobs import ORPHANED_SECONDS, Lying

_NAME = re.compile(r"^[0-9a-f]{64}-[0-9a-f]{16}$")
_CONNECT_SECONDS = 5.0
_RETRIES = 2
_PAGE = 500
_STATUS = re.compile(r"status code: (\d{3})|<Code>(\w{1,60})</Code>")


def open_bucket(settings: ObjectStoreSettings, over_bytes: int) -> BucketBlobs:
    """The bucket that the settings name; nothing is asked of it yet.

    Raises ConfigurationError, with every fault; what the key files hold is never in it.
    """
    faults: list[str] = []
    access = _secret(settings.access_key_file, "AWS_ACCESS_KEY_ID", "access_key_file", faults)
    secret = _secret(settings.secret_key_file, "AWS_SECRET_ACCESS_KEY", "secret_key_file", faults)
    client: dict[str, Any] = {
        "connect_timeout": timedelta(seconds=_CONNECT_SECONDS),
        "timeout": timedelta(seconds=settings.seconds),
        "allow_http": settings.endpoint is not None and settings.endpoint.startswith("http://"),
    }
    if settings.ca_file is not None:
        try:
            client["root_certificate"] = settings.ca_file.read_bytes()
        except OSError as error:
            faults.append(f"[bodies.s3] ca_file: {settings.ca_file}: {error.strerror}")
    if faults:
        raise ConfigurationError(faults)
    more: dict[str, Any] = {} if settings.endpoint is None else {"endpoint": settings.endpoint}
    if token := os.environ.get("AWS_SESSION_TOKEN"):
        more["session_token"] = token
    try:
        store = S3Store(
            settings.bucket,
            region=settings.region,
            access_key_id=access,
            secret_access_key=secret,
            virtual_hosted_style_request=settings.virtual_hosts,
            client_options=client,  # type: ignore[arg-type]
            retry_config={"max_retries": _RETRIES, "retry_timeout": timedelta(seconds=settings.seconds)},
            **more,
        )
    except (BaseError, ValueError) as error:
        raise ConfigurationError([f"[bodies.s3] {_told(error)}"]) from None
    return BucketBlobs(store, settings.prefix, over_bytes)


class BucketBlobs:
    """Fulfils `blobs.Blobs`. Durable is what the object store has answered 200 to."""

    def __init__(self, store: S3Store, prefix: str, over_bytes: int) -> None:
        self.over_bytes = over_bytes
        self._store = store
        self._prefix = prefix

    def put(self, digest: str, octets: bytes) -> str:
        """See `Blobs.put`: in one request, so that there is all of it or nothing."""
        name = f"{digest}-{secrets.token_hex(8)}"
        with _as_os_errors():
            obstore.put(self._store, self._key(name), octets, use_multipart=False)
        return name

    def get(self, name: str) -> bytes:
        """See `Blobs.get`."""
        with _as_os_errors():
            return bytes(obstore.get(self._store, self._key(name)).bytes())

    def require_room(self) -> None:
        """See `Blobs.require_room`: a small object is put, and removed."""
        key = f"{self._prefix}probe-{secrets.token_hex(8)}"
        with _as_os_errors():
            obstore.put(self._store, key, b".", use_multipart=False)
            obstore.delete(self._store, key)

    def aged(self) -> Iterator[Sequence[Lying]]:
        """See `Blobs.aged`. By the object store's clock and ours; objects that are not ours are left alone."""
        with _as_os_errors():
            for page in obstore.list(self._store, prefix=self._prefix.rstrip("/") or None, chunk_size=_PAGE):
                oldest = datetime.now(UTC) - timedelta(seconds=ORPHANED_SECONDS)
                names = [(meta["path"].removeprefix(self._prefix), meta["last_modified"]) for meta in page]
                yield [(name, at) for name, at in names if _NAME.match(name) and at < oldest]

    def remove(self, lying: Sequence[Lying]) -> int:
        """See `Blobs.remove`: nobody puts them again."""
        removed = 0
        for name, _ in lying:
            with suppress(FileNotFoundError), _as_os_errors():
                obstore.delete(self._store, self._key(name))
                removed += 1
        return removed

    def _key(self, name: str) -> str:
        if not _NAME.match(name):
            raise ValueError(f"{name!r} is no object of ours")
        return self._prefix + name


def _secret(file: Path | None, variable: str, key: str, faults: list[str]) -> str:
    if file is None:
        value = os.environ.get(variable, "")
        if not value:
            faults.append(f"[bodies.s3] {key}: neither a file nor {variable} in the environment")
        return value
    try:
        return file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        faults.append(f"[bodies.s3] {key}: {file}: {getattr(error, 'strerror', None) or 'not ASCII'}")
        return ""


@contextmanager
def _as_os_errors() -> Iterator[None]:
    """What the object store or the network does to us, as OSError: nothing is known then, and nothing is lost."""
    try:
        yield
    except FileNotFoundError as error:
        raise FileNotFoundError(_told(error)) from None
    except (BaseError, OSError) as error:
        raise OSError(_told(error)) from None


def _told(error: Exception) -> str:
    """The kind and what the server called it: the library's own text shows requests at length."""
    said = [found[1] or found[2] for found in _STATUS.finditer(str(error)[:4000])]
    return " ".join(dict.fromkeys(["object store:", type(error).__name__, *said]))
