"""
Counts instructions with valgrind's callgrind, which no other work on the machine disturbs.

A process that runs under it switches the count on around what is to be counted; what comes before runs uncounted, and so
much faster.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def installed() -> bool:
    """Whether valgrind is there."""
    return shutil.which("valgrind") is not None and shutil.which("callgrind_control") is not None


def command(folder: str, words: Sequence[str]) -> list[str]:
    """The command that runs another one under valgrind, with the count switched off."""
    return [
        "valgrind",
        "--tool=callgrind",
        "--instr-atstart=no",
        f"--callgrind-out-file={folder}/out",
        *words,
    ]


def control(*words: str) -> None:
    """Tell the valgrind that this process runs under to do something."""
    subprocess.run(["callgrind_control", *words, str(os.getpid())], check=True, capture_output=True)


def count(work: Callable[[], None]) -> None:
    """Count the work, and write the sum to a file of its own."""
    control("-i", "on")
    work()
    control("-d")  # before the count is switched off, which forgets it
    control("-i", "off")


def totals(folder: str) -> list[int]:
    """The sums that were written, in order."""
    files = [file for file in Path(folder).glob("out.*") if file.suffix[1:].isdigit()]
    texts = (
        file.read_text(errors="replace") for file in sorted(files, key=lambda file: int(file.suffix[1:]))
    )
    return [int(found[1]) for text in texts if (found := re.search(r"^totals: (\d+)", text, re.MULTILINE))]
