"""The units that rates are given in."""

from __future__ import annotations

__all__ = ["UNITS"]

UNITS = {
    "input": 1_000_000,
    "cache_read": 1_000_000,
    "cache_write_5m": 1_000_000,
    "cache_write_30m": 1_000_000,
    "cache_write_1h": 1_000_000,
    "cache_write_12h": 1_000_000,
    "input_audio": 1_000_000,
    "cache_read_audio": 1_000_000,
    "input_image": 1_000_000,
    "cache_read_image": 1_000_000,
    "output": 1_000_000,
    "output_audio": 1_000_000,
    "output_image": 1_000_000,
    "web_search": 1_000,
    "web_search_preview": 1_000,
    "file_search": 1_000,
    "second": 3_600,
    "character": 1_000_000,
    "image": 1,
    "video_second": 1,
}
"""How many of a unit a rate is for: tokens and characters by the million, calls by the thousand, seconds by the hour."""
