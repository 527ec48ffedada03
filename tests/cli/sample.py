"""Commands that end in every way a command can end."""

import sys

import click
from rich.console import Console

from tracked_inference.errors import PriceTableError


@click.command()
@click.option("--colour", type=click.Choice(["red", "blue"]))
def fine(colour):
    """Do well."""
    click.echo(f"fine {colour}")


@click.command()
def wrong():
    """Find bad input."""
    raise PriceTableError("prices.toml: models.gpt-9.input: -1 is negative; give a price of 0 or more")


@click.command()
def interrupted():
    """Be stopped by Ctrl-C."""
    raise KeyboardInterrupt


@click.command()
@click.argument("how")
@click.pass_context
def ends(ctx, how):
    """End with a code."""
    match how:
        case "context":
            ctx.exit(3)
        case "system":
            raise SystemExit(1)
        case "words":
            sys.exit("said why")
        case "bare":
            sys.exit()
    return 3


@click.command()
def aborted():
    """Be stopped at a prompt."""
    raise click.Abort


@click.command()
def drawn():
    """Draw more than a pipe holds."""
    console = Console()
    for number in range(100_000):
        console.print(f"line {number}")


@click.command()
def flood():
    """Write more than a pipe holds."""
    for number in range(100_000):
        click.echo(f"line {number}")
