"""
Workers under load, while things go wrong: does what was recorded agree with what the vendor billed?

    python -m tests.reliability.scale --workers 8 --rate 300 --seconds 30        (or `make scale`)

uvicorn workers share a ledger and prometheus_client's multiprocess folder, and call a vendor on this machine through tracked
clients.  Each phase breaks something; when it is over, and nothing is in flight, the sums are compared:

- asked and answered, by whoever asked the application;
- billed, by the vendor: calls, tokens;
- recorded, by the ledger (calls, tokens, dollars) and by `/metrics` (calls, dollars, faults of the ledger).

A call that was answered must be in the ledger, and in the metrics, exactly once; what is missing must be explained by a worker
that was killed in the middle of it or by a fault that was counted.  Exit codes: 0 all agree, 1 they do not.
"""

import argparse
import asyncio
import contextlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from decimal import Decimal
from pathlib import Path

from tests.reliability import page

CONNECTIONS = 64
INPUT, OUTPUT = 11, 7
CALL_USD = Decimal("0.000138")  # 11 x $3 + 7 x $15 a million calls


# The vendor, a process of its own that answers each line of its input with its sums.


def vendor_main():
    from tracked_inference.loopback import Answer, LoopbackVendor

    bills = tokens = 0
    with LoopbackVendor() as vendor:
        vendor.always(Answer.using({"input": INPUT, "output": OUTPUT}, text="ok"))
        print(vendor.anthropic_url, flush=True)
        for _ in sys.stdin:
            for bill in vendor.take_bills():
                bills += 1
                tokens += sum(bill.usage.tokens().values())
            print(json.dumps([bills, tokens]), flush=True)


class Vendor:
    def __init__(self):
        command = [sys.executable, "-m", "tests.reliability.scale", "--vendor"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.url = self.process.stdout.readline().strip()

    def sums(self):
        self.process.stdin.write("?\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())


# Those who ask.


class Load:
    """Asks the application at a rate, through connections that are opened again when they break."""

    def __init__(self, port, rate):
        self.port, self.rate = port, rate
        self.asked = self.answered = self.broken = 0
        self.slowest = 0.0

    async def run(self, seconds):
        self.end = time.monotonic() + seconds
        self.next = time.monotonic()
        await asyncio.gather(*[self._ask() for _ in range(CONNECTIONS)])

    async def _ask(self):
        reader = writer = None
        while True:
            at, self.next = self.next, self.next + 1 / self.rate
            if at >= self.end:
                break
            if (pause := at - time.monotonic()) > 0:
                await asyncio.sleep(pause)
            elif time.monotonic() >= self.end:
                break
            self.asked += 1
            began = time.monotonic()
            try:
                if writer is None:
                    reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
                writer.write(b"GET /ask HTTP/1.1\r\nhost: x\r\n\r\n")
                head = await reader.readuntil(b"\r\n\r\n")
                if not head.startswith(b"HTTP/1.1 200"):
                    raise OSError(head)
                await reader.readexactly(2)
                self.answered += 1
            except (OSError, asyncio.IncompleteReadError):
                self.broken += 1
                if writer is not None:
                    writer.close()
                writer = None
                await asyncio.sleep(0.05)
            self.slowest = max(self.slowest, time.monotonic() - began)
        if writer is not None:
            writer.close()


async def fetched(port, path):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    return answer.partition(b"\r\n\r\n")[2].decode()


# What goes wrong, each while the load is on.


class Trouble:
    def __init__(self, port, server, ledger, seconds):
        self.port, self.server, self.ledger, self.seconds = port, server, ledger, seconds
        self.kills = 0

    async def nothing(self):
        """Nothing goes wrong."""

    def _workers(self):
        children = Path(f"/proc/{self.server.pid}/task/{self.server.pid}/children").read_text().split()
        return [pid for pid in children if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]

    async def kills_of_workers(self):
        """Workers are killed at random with SIGKILL, six times."""
        for _ in range(6):
            await asyncio.sleep(self.seconds / 7)
            with contextlib.suppress(OSError):
                os.kill(int(random.choice(self._workers())), signal.SIGKILL)
                self.kills += 1

    async def full_disk(self):
        """For half of the time the kernel says ENOSPC to each line of the ledger."""
        kept = self.ledger.with_suffix(".kept")
        await asyncio.sleep(self.seconds / 4)
        self.ledger.rename(kept)
        self.ledger.symlink_to("/dev/full")
        await asyncio.sleep(self.seconds / 2)
        self.ledger.unlink()
        # Whoever writes now begins a new file: what was kept is put before it at the end.
        await asyncio.sleep(self.seconds / 8)
        self.kept = kept

    async def steps_of_the_clock(self):
        """The wall clocks of workers step by an hour forward, a day back and 100 days forward."""
        for step in (3600, -86400, 8640000, 0):
            await asyncio.sleep(self.seconds / 5)
            await asyncio.gather(*[fetched(self.port, f"/clock?{step}") for _ in range(16)])

    async def scrapers_that_hang(self):
        """Twenty scrapers ask for the metrics and never read the answer, and twenty never finish their question."""
        held = []
        for number in range(40):
            one = socket.create_connection(("127.0.0.1", self.port))
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            one.sendall(b"GET /metrics HTTP/1.1\r\nhost: x\r\n" + (b"\r\n" * (number % 2)))
            held.append(one)
        await asyncio.sleep(self.seconds * 0.8)
        for one in held:
            one.close()

    async def reloads(self):
        """The modules of the metrics are reloaded and clients made anew in workers that go on."""
        for _ in range(8):
            await asyncio.sleep(self.seconds / 9)
            await asyncio.gather(*[fetched(self.port, "/reload") for _ in range(8)])


PHASES = ("nothing", "kills_of_workers", "full_disk", "steps_of_the_clock", "scrapers_that_hang", "reloads")


# The sums.


def ledger_sums(paths):
    calls = tokens = damaged = 0
    usd = Decimal(0)
    for path in paths:
        if path.is_file():
            for line in path.read_text(encoding="utf-8").splitlines():
                try:
                    read = json.loads(line)
                except ValueError:
                    damaged += 1
                    continue
                if read["tokens"] is not None:
                    calls += 1
                    tokens += sum(read["tokens"].values())
                    usd += Decimal(read["cost"]["total_usd"] or 0)
    return {"calls": calls, "tokens": tokens, "usd": usd, "damaged": damaged}


async def metric_sums(port):
    sums = {"calls": 0.0, "usd": 0.0, "ledger_faults": 0.0, "other_faults": 0.0}
    for line in (await fetched(port, "/metrics")).splitlines():
        if line.startswith("ai_inference_calls_total") and 'outcome="ok"' in line:
            sums["calls"] += float(line.rpartition(" ")[2])
        elif line.startswith("ai_inference_estimated_cost_usd_total"):
            sums["usd"] += float(line.rpartition(" ")[2])
        elif line.startswith("ai_inference_tracking_errors_total"):
            sums["ledger_faults" if 'stage="ledger"' in line else "other_faults"] += float(
                line.rpartition(" ")[2]
            )
    return sums


def less(now, before):
    return {name: now[name] - before[name] for name in now}


def verdict(load, billed, ledger, metrics):
    """What does not agree, as sentences; nothing when all is well."""
    wrong = []
    calls, tokens = billed
    missing = calls - ledger["calls"] - metrics["ledger_faults"]
    if not 0 <= missing <= load.broken:
        wrong.append(f"{missing:.0f} billed calls are not in the ledger, {load.broken} requests broke")
    if not 0 <= calls - metrics["calls"] <= load.broken:
        wrong.append(
            f"{calls - metrics['calls']:.0f} billed calls are not in the metrics, {load.broken} broke"
        )
    if load.answered > ledger["calls"] + metrics["ledger_faults"]:
        wrong.append("a call that was answered is not in the ledger")
    if load.answered > metrics["calls"]:
        wrong.append("a call that was answered is not in the metrics")
    if ledger["tokens"] != (INPUT + OUTPUT) * ledger["calls"] or tokens != (INPUT + OUTPUT) * calls:
        wrong.append(f"the vendor billed {tokens} tokens, the ledger has {ledger['tokens']}")
    if ledger["usd"] != CALL_USD * ledger["calls"]:
        wrong.append(f"the ledger has ${ledger['usd']} for {ledger['calls']} calls")
    if abs(metrics["usd"] - float(CALL_USD) * metrics["calls"]) > 1e-9 * max(metrics["calls"], 1):
        wrong.append(f"the metrics have ${metrics['usd']} for {metrics['calls']:.0f} calls")
    if metrics["other_faults"]:
        wrong.append(f"{metrics['other_faults']:.0f} faults of the tracking")
    return wrong


async def settled(vendor, port):
    """Wait until nothing changes any more, and all workers are up."""
    before = None
    while True:
        await asyncio.sleep(0.5)
        with contextlib.suppress(OSError):
            now = (vendor.sums(), await metric_sums(port))
            if now == before:
                return
            before = now


async def measure(port, server, vendor, ledger, arguments):
    rows, all_wrong = [], []
    files = [ledger, ledger.with_suffix(".kept")]
    for phase in PHASES:
        await settled(vendor, port)
        calls, tokens = vendor.sums()
        before = ledger_sums(files), await metric_sums(port)
        load, trouble = Load(port, arguments.rate), Trouble(port, server, ledger, arguments.seconds)
        began = time.monotonic()
        await asyncio.gather(load.run(arguments.seconds), getattr(trouble, phase)())
        took = time.monotonic() - began
        await settled(vendor, port)
        billed = [now - then for now, then in zip(vendor.sums(), (calls, tokens), strict=True)]
        recorded, metrics = less(ledger_sums(files), before[0]), less(await metric_sums(port), before[1])
        wrong = verdict(load, billed, recorded, metrics)
        all_wrong += [f"{phase}: {one}" for one in wrong]
        rows.append(
            [
                getattr(Trouble, phase).__doc__.rstrip("."),
                f"{load.answered / took:.0f}",
                load.asked,
                load.answered,
                load.broken,
                billed[0],
                recorded["calls"],
                f"{metrics['calls']:.0f}",
                f"{metrics['ledger_faults']:.0f}",
                f"{billed[0] - recorded['calls'] - metrics['ledger_faults']:.0f}",
                f"{load.slowest:.2f} s",
                "yes" if not wrong else "NO",
            ]
        )
        print(*rows[-1], sep=" | ", flush=True)
        for one in wrong:
            print("  ", one, flush=True)
    return rows, all_wrong


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as one:
        return one.getsockname()[1]


def main():
    parser = argparse.ArgumentParser(
        prog="python -m tests.reliability.scale", description=__doc__.split("\n\n")[0]
    )
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--rate", type=float, default=300, help="calls a second that are asked for")
    parser.add_argument("--seconds", type=float, default=30, help="of each phase")
    parser.add_argument("--write", action="store_true", help="write the figures to docs/reliability.md")
    parser.add_argument("--vendor", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.vendor:
        vendor_main()
        return 0
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        (folder / "metrics").mkdir()
        vendor, port = Vendor(), free_port()
        environment = {
            **os.environ,
            "PROMETHEUS_MULTIPROC_DIR": str(folder / "metrics"),
            "SCALE_VENDOR": vendor.url,
            "SCALE_LEDGER": str(folder / "ledger.jsonl"),
        }
        command = [
            sys.executable,
            "-m",
            "uvicorn",
            "tests.reliability.scale_app:app",
            "--workers",
            str(arguments.workers),
        ]
        command += ["--port", str(port), "--no-access-log", "--log-level", "error", "--lifespan", "off"]
        with (folder / "server.log").open("wb") as log:
            server = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        try:
            rows, wrong = asyncio.run(measure(port, server, vendor, folder / "ledger.jsonl", arguments))
        finally:
            server.terminate()
            vendor.process.terminate()
            server.wait()
            vendor.process.wait()
    head = [
        "what went wrong",
        "answered a second",
        "asked",
        "answered",
        "broke",
        "billed by the vendor",
        "in the ledger",
    ]
    head += ["in /metrics", "faults of the ledger, counted", "lost uncounted", "slowest", "agree"]
    text = (
        f"`python -m tests.reliability.scale --workers {arguments.workers} --rate {arguments.rate:g} --seconds {arguments.seconds:g} --write`:"
        f" {page.stamp()}\n\n{page.table(head, rows)}\n"
    )
    if arguments.write:
        page.write("scale", text)
    print(text)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
