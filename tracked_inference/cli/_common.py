"""What the commands that read have in common: sources, errors, progress."""

from __future__ import annotations

import contextlib
import functools
import sys
from typing import TYPE_CHECKING, Any

import click

from tracked_inference.errors import ConfigurationError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["LEDGER_VARIABLE", "errors_as_exits", "ledger_argument", "ledgers_or_usage", "progress_of"]

LEDGER_VARIABLE = "TRACKED_INFERENCE_LEDGER"
"""The environment variable that names the ledger where a command is given none."""

BAD_INPUT = 2
INCOMPLETE = 3

_SHOW_AFTER_SECONDS = 1.0


def ledger_argument(command: Callable[..., Any]) -> Callable[..., Any]:
    """LEDGER..., or the variable."""
    return click.argument("ledger", nargs=-1, type=click.Path(), envvar=LEDGER_VARIABLE)(command)


def ledgers_or_usage(ledger: tuple[str, ...]) -> tuple[str, ...]:
    """The places that were named."""
    if not ledger:
        raise click.UsageError(
            f"no ledger is named: give the directory or file that LedgerSink writes to, or set {LEDGER_VARIABLE}"
        )
    return ledger


def errors_as_exits(command: Callable[..., Any]) -> Callable[..., Any]:
    """Our errors as one line and an exit code: 2 for wrong input, 3 for what cannot be reached; never a traceback."""

    @functools.wraps(command)
    def run(*args: Any, **kwargs: Any) -> Any:
        try:
            return command(*args, **kwargs)
        except ConfigurationError as error:
            click.echo(f"Error: {error}", err=True)
            raise SystemExit(BAD_INPUT) from None
        except UnavailableError as error:
            click.echo(f"Error: {error}", err=True)
            raise SystemExit(INCOMPLETE) from None

    return run


@contextlib.contextmanager
def progress_of(what: str) -> Iterator[Callable[[int, int], None] | None]:
    """
    A progress bar on standard error for what takes longer than a second; None where nobody looks at it.

    It shows that something is under way until the first progress is told. Nothing is to be printed while it is there.
    """
    if not sys.stderr.isatty():
        yield None
        return
    import threading

    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    bar = Progress(
        TextColumn(what),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
        redirect_stdout=False,  # or what is written to a file would go to the terminal
        redirect_stderr=False,
    )
    task = bar.add_task(what, total=None)
    start = threading.Timer(_SHOW_AFTER_SECONDS, bar.start)
    start.daemon = True
    start.start()
    try:
        yield lambda done, total: bar.update(task, completed=done, total=total)
    finally:
        start.cancel()
        start.join()
        bar.stop()
