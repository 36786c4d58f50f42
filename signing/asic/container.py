"""Opening a ZIP that strangers made: every octet accounted for, every name harmless, nothing inflated beyond limits."""

from __future__ import annotations

import struct
import zipfile
import zlib
from io import BytesIO

MAX_ENTRIES = 256
MAX_FILE_BYTES = 64 << 20
"""All files of a container together, inflated."""
MAX_RATIO = 200
RATIO_FREE_BYTES = 1 << 20
"""Small files may compress as well as they like."""
MAX_NAME = 240

_LOCAL = struct.Struct("<4sHHHHHIIIHH")
_END = struct.Struct("<4sHHHHIIH")
_DESCRIPTOR_BYTES = 24
_ENCRYPTED, _UTF8 = 0x1, 0x800


class ContainerRefused(Exception):
    """The octets are no acceptable container; the text says why."""


def open_container(data: bytes) -> dict[str, bytes]:
    """Every file by its name, in the order of the container. Raises ContainerRefused."""
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            entries = archive.infolist()
            _check_layout(data, entries, archive.start_dir)
            _check_names([entry.filename for entry in entries])
            _check_sizes(data, entries)
            return {
                entry.filename: _inflated(data, entry)
                for entry in entries
                if not entry.filename.endswith("/")
            }
    except ContainerRefused:
        raise
    except Exception as error:  # zipfile raises several types for files that are broken
        raise ContainerRefused(f"not a readable ZIP: {error}"[:300]) from None


def _check_layout(data: bytes, entries: list[zipfile.ZipInfo], directory: int) -> None:
    """Entry after entry from the first octet to the directory: readers may differ on what lies between."""
    if not entries:
        raise ContainerRefused("it is empty")
    if len(entries) > MAX_ENTRIES:
        raise ContainerRefused(f"{len(entries)} entries, at most {MAX_ENTRIES} are taken")
    end = 0
    for entry in sorted(entries, key=lambda each: each.header_offset):
        gap = entry.header_offset - end
        if gap < 0 or gap > (_DESCRIPTOR_BYTES if end else 0):
            raise ContainerRefused(f"entries overlap, or something lies between them, at {end}")
        end = _end_of(data, entry)
    if not end <= directory <= end + _DESCRIPTOR_BYTES:
        raise ContainerRefused("something lies before the directory")
    record = data.rfind(b"PK\x05\x06")
    _, _, _, here, all_entries, size, _, comment = _END.unpack_from(data, record)
    whole = record + _END.size + comment == len(data) and directory + size == record
    if not whole or not here == all_entries == len(entries) or data.count(b"PK\x05\x06", directory) != 1:
        raise ContainerRefused("something lies behind the directory")


def _end_of(data: bytes, entry: zipfile.ZipInfo) -> int:
    start = _data_start(data, entry)
    return start + entry.compress_size


def _data_start(data: bytes, entry: zipfile.ZipInfo) -> int:
    """Where the entry's data begin; its local header must say what the directory says."""
    header = data[entry.header_offset : entry.header_offset + _LOCAL.size]
    if len(header) != _LOCAL.size:
        raise ContainerRefused("truncated")
    signature, _, flags, method, _, _, _, packed, size, name_length, extra = _LOCAL.unpack(header)
    start = entry.header_offset + _LOCAL.size
    name = data[start : start + name_length].decode("utf-8" if flags & _UTF8 else "cp437", "replace")
    descriptor = bool(flags & 0x8)
    sizes = (packed, size) == (entry.compress_size, entry.file_size) or (descriptor and not packed)
    if (
        signature != b"PK\x03\x04"
        or name != entry.orig_filename
        or method != entry.compress_type
        or not sizes
    ):
        raise ContainerRefused(f"{entry.filename[:60]!r}: header and directory differ")
    if flags & _ENCRYPTED or entry.flag_bits & _ENCRYPTED:
        raise ContainerRefused(f"{entry.filename[:60]!r} is encrypted")
    if method not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ContainerRefused(f"{entry.filename[:60]!r}: compression method {method}")
    return int(start + name_length + extra)


def _check_names(names: list[str]) -> None:
    seen: set[str] = set()
    for name in names:
        parts = name.removesuffix("/").split("/")
        harmless = (
            len(name) <= MAX_NAME
            and "\\" not in name
            and ":" not in parts[0]
            and name.isprintable()
            and all(part not in ("", ".", "..") for part in parts)
        )
        if not harmless:
            raise ContainerRefused(f"the name {name[:60]!r}")
        if name.casefold() in seen:
            raise ContainerRefused(f"two files of the name {name[:60]!r}")
        seen.add(name.casefold())


def _check_sizes(data: bytes, entries: list[zipfile.ZipInfo]) -> None:
    total = sum(entry.file_size for entry in entries)
    if total > MAX_FILE_BYTES:
        raise ContainerRefused(f"{total} octets inflated, at most {MAX_FILE_BYTES} are taken")
    if total > RATIO_FREE_BYTES and total > MAX_RATIO * len(data):
        raise ContainerRefused("it inflates more than files do")
    if any(entry.file_size or entry.compress_size for entry in entries if entry.is_dir()):
        raise ContainerRefused("a folder with content of its own")


def _inflated(data: bytes, entry: zipfile.ZipInfo) -> bytes:
    start = _data_start(data, entry)
    packed = data[start : start + entry.compress_size]
    octets = packed
    if entry.compress_type == zipfile.ZIP_DEFLATED:
        inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        octets = inflater.decompress(packed, entry.file_size + 1)
        if not inflater.eof or inflater.unused_data:
            raise ContainerRefused(
                f"{entry.filename[:60]!r}: the compressed data do not end where they should"
            )
    if len(octets) != entry.file_size or zlib.crc32(octets) != entry.CRC:
        raise ContainerRefused(f"{entry.filename[:60]!r}: size or checksum differ")
    return octets
