"""What the reading process and its parent agree on; imports nothing heavy."""

from __future__ import annotations

import struct

REQUEST = struct.Struct(">Qd")
"""Before every file: its length in octets, and how many seconds reading it may take by the clock."""
LENGTH = struct.Struct(">Q")
"""Before every answer: its length in octets."""
WALL_SECONDS = 20.0
"""The most that reading one file may take by the clock."""
