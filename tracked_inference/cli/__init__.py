"""
The command line: one thin file a command over the library.

Nothing of click or rich is imported before `main` runs, and then only the command that is used.

Exit codes: 0 all is well; 1 a check failed; 2 bad input or usage; 3 incomplete.
130 is Ctrl-C, 143 a request to terminate, 141 a reader of the output that went away.
"""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING, NamedTuple

from tracked_inference.errors import TrackedInferenceError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["COMMANDS", "Entry", "main"]

PROGRAM = "tracked-inference"
INTERRUPTED = 130  # 128 and the number of the signal, as shells have it
READER_GONE = 141
TERMINATED = 143


class Entry(NamedTuple):
    """
    Where a command is and what it needs.

    Attributes:
        at: `module:attribute` of its click command.
        summary: What `--help` says of it, one line.
        extra: The extra of this package that brings what it imports.
    """

    at: str
    summary: str
    extra: str = "cli"


COMMANDS: dict[str, Entry] = {
    "demo": Entry("tracked_inference.cli.demo:command", "Watch what five features cost, without a key."),
    "estimate": Entry("tracked_inference.cli.estimate:command", "Estimate what a feature will cost."),
    "export": Entry("tracked_inference.cli.export:command", "Write the ledger as FOCUS rows.", "report"),
    "features": Entry("tracked_inference.cli.features:command", "Check and list the registry file."),
    "grafana": Entry("tracked_inference.cli.grafana:command", "Export dashboards and alert rules."),
    "orphans": Entry("tracked_inference.cli.orphans:command", "Find cloud resources nobody uses.", "aws"),
    "prices": Entry("tracked_inference.cli.prices:command", "List, explain and check prices."),
    "reconcile": Entry(
        "tracked_inference.cli.reconcile:command", "Compare the ledger with the vendor's bill.", "report"
    ),
    "report": Entry(
        "tracked_inference.cli.report:command", "Show what calls cost, from the ledger.", "report"
    ),
    "tags": Entry("tracked_inference.cli.tags:command", "Check tags of cloud resources.", "aws"),
}
"""Every command, by name."""


def main(args: Sequence[str] | None = None) -> int:
    """Run the command line with these arguments (default: the process's own) and return its exit code."""
    try:
        from tracked_inference.cli._group import invoke
    except ModuleNotFoundError as missing:
        if missing.name not in ("click", "rich"):
            raise
        return _refuse(
            f"the command line needs {missing.name}; install it with: pip install '{PROGRAM}[cli]'"
        )
    with contextlib.suppress(AttributeError, ValueError):  # an output of somebody else's making
        sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]  # a letter that it lacks is no traceback
    try:
        code = invoke(PROGRAM, list(sys.argv[1:] if args is None else args))
        sys.stdout.flush()
    except TrackedInferenceError as error:
        return _refuse(str(error))
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        _forget_output()
        return READER_GONE
    except OSError as error:  # a name that no file can have, a disk that went away: what no command foresaw
        where = "" if error.filename is None else f"{str(error.filename)[:_SHOWN]!r}: "
        return _refuse(f"{where}{error.strerror or error}")
    return code


_SHOWN = 200
"""Characters of a file's name in a message: a longer one is no name."""


def _refuse(message: str) -> int:
    print(f"{PROGRAM}: {message}", file=sys.stderr)
    return 2


def _forget_output() -> None:
    """Send what is still in the buffer nowhere, lest Python complain of the closed pipe when it exits."""
    with contextlib.suppress(OSError, ValueError):  # an output that is no file has no such buffer
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
