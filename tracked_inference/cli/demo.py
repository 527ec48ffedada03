"""`tracked-inference demo`: watch what five features cost, without a key and without a bill."""

from __future__ import annotations

import contextlib
import json

import click
from rich.console import Console
from rich.live import Live

from tracked_inference.cli import COMMANDS, INTERRUPTED, TERMINATED
from tracked_inference.demo.prometheus import require_prometheus, scraping
from tracked_inference.demo.report import as_json, ending, table
from tracked_inference.demo.run import Demo, Plan, require_sdks

__all__ = ["command"]


@click.command(name="demo")
@click.option(
    "--seconds",
    type=click.FloatRange(min=0),
    default=60.0,
    show_default=True,
    help="How long to run; 0 runs until Ctrl-C.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    help="Serve /metrics on this port; default: a free one.",
)
@click.option("--once", is_flag=True, help="Make one fixed round of calls and end.")
@click.option("--json", "as_json_", is_flag=True, help="Print the result as JSON, and nothing else.")
@click.option(
    "--prometheus", is_flag=True, help="Start a Prometheus that scrapes the demo, if one is installed."
)
@click.option("--seed", type=int, default=3, show_default=True, help="The seed of all chance.")
def command(*, seconds: float, port: int, once: bool, as_json_: bool, prometheus: bool, seed: int) -> None:
    """
    Watch what five features of three teams cost, without a key.

    A vendor on this machine answers the real SDKs, at the real list prices; nothing leaves it and nothing is billed.
    At the end every recorded dollar is checked against the vendor's own bill.

    Exits 0 when they agree and 1 when they do not.
    """
    require_sdks()
    program = require_prometheus() if prometheus else None
    if not as_json_:
        click.echo("Five features of three teams call a vendor on this machine: no key, no bill.")
    console = Console(stderr=as_json_, highlight=False, soft_wrap=not Console(stderr=as_json_).is_terminal)
    demo = Demo(Plan(seconds=seconds or None, once=once, port=port, seed=seed))
    with contextlib.ExitStack() as stack:

        def start(demo: Demo) -> None:
            console.print(f"Metrics: {demo.metrics_url}", style="bold")
            if program is not None:
                url = stack.enter_context(scraping(program, demo.metrics_url.split("/")[2]))
                console.print(f"Prometheus: {url}/graph", style="bold")

        live: Live | None = None
        if console.is_terminal and not as_json_:
            live = stack.enter_context(Live(console=console, auto_refresh=False, transient=True))

        def show(demo: Demo) -> None:
            if live is not None:
                live.update(table(demo, title=_title(demo), width=console.width), refresh=True)

        demo.run(start, show)
    if as_json_:
        click.echo(json.dumps(as_json(demo), indent=2))
    else:
        console.print(ending(demo, dashboards="grafana" in COMMANDS, width=console.width))
    if demo.stopped is not None:
        raise SystemExit(TERMINATED if demo.stopped == "SIGTERM" else INTERRUPTED)
    raise SystemExit(0 if demo.check is not None and not demo.check.faults else 1)


def _title(demo: Demo) -> str:
    plan = demo.plan
    until = (
        "one round" if plan.once else "until Ctrl-C" if plan.seconds is None else f"of {plan.seconds:.0f} s"
    )
    return f"tracked-inference demo · {demo.elapsed_seconds:.0f} s {until} · {demo.metrics_url}"
