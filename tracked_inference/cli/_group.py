"""The click group that imports a command when it is used, and no sooner."""

from __future__ import annotations

import importlib
import os
from difflib import get_close_matches
from typing import TYPE_CHECKING

import click
from click.shell_completion import shell_complete

from tracked_inference import __version__
from tracked_inference.cli import COMMANDS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracked_inference.cli import Entry

__all__ = ["LazyGroup", "invoke"]


class LazyGroup(click.Group):
    """A group whose commands are known by name and imported on use."""

    def __init__(self, entries: Mapping[str, Entry], **options: object) -> None:
        super().__init__(**options)  # type: ignore[arg-type]  # click's own options, passed through
        self._entries = entries

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Name every command."""
        return sorted(self._entries)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import a command; None if there is none of that name."""
        entry = self._entries.get(cmd_name)
        if entry is None:
            return None
        module, _, attribute = entry.at.partition(":")
        try:
            found = getattr(importlib.import_module(module), attribute)
        except ModuleNotFoundError as missing:
            name = missing.name or ""
            if name.partition(".")[0] == "tracked_inference":
                raise
            raise click.UsageError(
                f"{cmd_name!r} needs {name}, which is not installed;"
                f" install it with: pip install 'tracked-inference[{entry.extra}]'"
            ) from None
        assert isinstance(found, click.Command)
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or say which one may have been meant."""
        name = args[0]
        if name not in self._entries and not name.startswith("-"):
            near = get_close_matches(name, self._entries, n=2)
            hint = (
                f" Did you mean {' or '.join(near)}?"
                if near
                else f" There are: {', '.join(sorted(self._entries))}."
            )
            ctx.fail(f"No such command {name!r}.{hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List the commands from their summaries, without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, self._entries[name].summary) for name in sorted(self._entries)])


def _group() -> LazyGroup:
    group = LazyGroup(
        COMMANDS,
        name="tracked-inference",
        help="See what every LLM call costs, per feature and team: before, while and after it is spent.",
        no_args_is_help=True,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    return click.version_option(__version__, prog_name="tracked-inference")(group)


def invoke(program: str, args: list[str]) -> int:
    """
    Run the group and return its exit code.

    This is click's own `main` without its treatment of broken pipes, which ends with the code of a failed check.

    Raises:
        KeyboardInterrupt: The user pressed Ctrl-C.
        BrokenPipeError: The reader of the output went away.
    """
    group = _group()
    variable = f"_{program.replace('-', '_').upper()}_COMPLETE"
    if instruction := os.environ.get(variable):
        return shell_complete(group, {}, program, variable, instruction)
    try:
        with group.make_context(program, args) as context:
            result = group.invoke(context)
    except click.exceptions.Exit as leaving:
        return leaving.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.Abort:
        raise KeyboardInterrupt from None
    except SystemExit as leaving:
        if isinstance(leaving.__context__, BrokenPipeError):  # rich leaves so
            raise leaving.__context__ from None
        if isinstance(leaving.code, str):
            click.echo(leaving.code, err=True)
            return 1
        return leaving.code or 0
    return result if isinstance(result, int) else 0
