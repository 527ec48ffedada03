"""What a request is to us: a call of its own, lines of a batch, a look at something that runs in the background."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

__all__ = ["BATCH_FILE", "CALL", "COUNTED_FREE", "LINES", "MAYBE", "RETRIEVE", "Operation"]

CALL: Final = "call"  # one record
LINES: Final = "lines"  # one record for each line, once per id
BATCH_FILE: Final = "batch_file"  # likewise, of a downloaded file that may be something else
RETRIEVE: Final = "retrieve"  # a record when a background call is seen finished for the first time
MAYBE: Final = "maybe"  # an endpoint we do not know: a record if its answer reports token usage


@dataclass(frozen=True, slots=True)
class Operation:
    """
    What a request is to us.

    Attributes:
        name: The vendor's word for it, `chat.completions` for instance.
        kind: How its records come about.
        subject: The id it looks at: a batch, a background response.
    """

    name: str
    kind: str
    subject: str | None = None

    @classmethod
    def unknown(cls, path: str) -> Operation:
        """A POST that no table names, by its path without ids, so that a new billable endpoint is no silent hole."""
        words = [word for word in path.split("/") if _WORD.fullmatch(word)]
        return cls(".".join(words[-2:]) or "unknown", MAYBE)


COUNTED_FREE: Final = Operation("free", "free")
"""A known request that never bills: counting tokens, making a batch."""

_WORD = re.compile(r"(?!v\d+$)[a-z_]{2,32}")
