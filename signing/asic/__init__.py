"""Signed containers (EN 319 162-1): opened within limits, their signatures judged over their files."""

from signing.asic.verify import verify_asic

__all__ = ["verify_asic"]
