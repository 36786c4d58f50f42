"""Keys that sign, by one interface: files here, tokens in `token`, remote signing services in `remote`.

The last two are imported where they are used: one loads a device's library, the other speaks HTTPS.
"""

from signing.keys.base import KeyRefused, KeyUnavailable, SigningKey
from signing.keys.file import FileKey

__all__ = ["FileKey", "KeyRefused", "KeyUnavailable", "SigningKey"]
