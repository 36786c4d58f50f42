"""What the reading process and its parent agree on; imports nothing heavy."""

from __future__ import annotations

import struct

LENGTH = struct.Struct(">Q")
"""Before every file and every answer: its length in octets."""
