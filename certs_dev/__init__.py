"""A throw-away PKI for development, described in `pki.toml` and made on demand. Never for production."""

from certs_dev.issuing import MARK, subject
from certs_dev.making import make
from certs_dev.pki import PKCS12_PASSWORD, DevPki, Identity, Issued, PkiError, load

__all__ = ["MARK", "PKCS12_PASSWORD", "DevPki", "Identity", "Issued", "PkiError", "load", "make", "subject"]
