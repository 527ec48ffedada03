"""
Workers under load, while things go wrong: does what was recorded agree with what the vendor billed?

    python -m tests.reliability.scale --workers 8 --rate 2000 --seconds 30 --long 300        (or `make scale`)

uvicorn workers share a ledger and prometheus_client's multiprocess folder, and call a vendor on this machine through tracked
clients.  Whoever asks them, asks for a batch of calls at a time, and the vendor answers with bytes that it has ready, so that most of the
processors' time goes to the calls themselves.  First the SDK is measured alone; then each phase breaks something.
When a phase is over, and nothing is in flight, the sums are compared:

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
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from decimal import Decimal
from pathlib import Path

from tests.reliability import page

CONNECTIONS = 24
BATCH, AT_ONCE = 40, 4
"""Calls that one request asks a worker for, and how many of them are under way at a time."""
INPUT, OUTPUT = 11, 7
CALL_USD = Decimal("0.000138")  # 11 x $3 + 7 x $15 a million tokens
WARM_UP_SECONDS = 5


# The vendor, a process of its own that answers each line of its input with what it billed.


class Billing(asyncio.Protocol):
    """Gives every request the same answer, whose tokens it bills."""

    calls = 0
    length = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
    body = json.dumps(
        {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": "claude-sonnet-4-6",
            "content": [{"type": "text", "text": "ok"}],
            "stop_reason": "end_turn",
            "usage": {"input_tokens": INPUT, "output_tokens": OUTPUT},
        }
    ).encode()
    answer = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (
        len(body),
        body,
    )

    def connection_made(self, transport):
        self.transport, self.buffer = transport, b""

    def data_received(self, data):
        self.buffer += data
        while (head := self.buffer.find(b"\r\n\r\n")) >= 0:
            end = head + 4 + int(self.length.search(self.buffer, 0, head)[1])
            if len(self.buffer) < end:
                return
            self.buffer = self.buffer[end:]
            Billing.calls += 1
            self.transport.write(self.answer)


async def vendor_main():
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Billing, "127.0.0.1", 0, backlog=1024)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    ended = asyncio.Event()

    def told():
        if sys.stdin.readline():
            print(Billing.calls, flush=True)
        else:
            ended.set()

    loop.add_reader(sys.stdin, told)
    await ended.wait()


class Vendor:
    def __init__(self):
        command = [sys.executable, "-m", "tests.reliability.scale", "--vendor"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.url = self.process.stdout.readline().strip()

    def billed(self):
        """How many calls."""
        self.process.stdin.write("?\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())


# Those who ask.


class Load:
    """Asks the application for batches of calls, at a rate, through connections that are opened again when they break."""

    def __init__(self, port, rate, client):
        self.port, self.pause, self.client = port, BATCH / rate, client
        self.asked = self.answered = self.broken = 0
        self.slowest = 0.0

    async def run(self, seconds):
        self.end = time.monotonic() + seconds
        self.next = time.monotonic()
        await asyncio.gather(*[self._ask() for _ in range(CONNECTIONS)])

    async def _ask(self):
        reader = writer = None
        while True:
            at, self.next = self.next, self.next + self.pause
            if at >= self.end:
                break
            if (pause := at - time.monotonic()) > 0:
                await asyncio.sleep(pause)
            elif time.monotonic() >= self.end:
                break
            self.asked += BATCH
            try:
                if writer is None:
                    reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
                writer.write(b"GET /ask?%s HTTP/1.1\r\nhost: x\r\n\r\n" % self.client)
                head = await reader.readuntil(b"\r\n\r\n")
                if not head.startswith(b"HTTP/1.1 200"):
                    raise OSError(head)
                self.slowest = max(self.slowest, float(await reader.readexactly(8)))
                self.answered += BATCH
            except (OSError, asyncio.IncompleteReadError):
                self.broken += 1
                if writer is not None:
                    writer.close()
                writer = None
                await asyncio.sleep(0.05)
        if writer is not None:
            writer.close()


async def fetched(port, path):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    return answer.partition(b"\r\n\r\n")[2].decode()


# What goes wrong, each while the load is on.


def workers_of(server):
    """The process ids of a server's workers."""
    children = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()
    return [pid for pid in children if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def seconds_of(*pids):
    """The processor time that processes have used, and their children that ended."""
    ticks = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            numbers = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += sum(int(one) for one in numbers[11:15])
    return ticks / os.sysconf("SC_CLK_TCK")


def seconds_of_all(server, vendor):
    """The processor time of the workers, of the vendor, and of those who ask."""
    return (
        seconds_of(server.pid, *workers_of(server)),
        seconds_of(vendor.process.pid),
        seconds_of(os.getpid()),
    )


class Trouble:
    def __init__(self, port, server, ledger, seconds):
        self.port, self.server, self.ledger, self.seconds = port, server, ledger, seconds
        self.kills = 0

    async def the_sdk_alone(self):
        """Nothing, and nothing is tracked: the SDK alone."""

    async def nothing(self):
        """Nothing goes wrong."""

    async def kills_of_workers(self):
        """Workers are killed at random with SIGKILL, six times."""
        for _ in range(6):
            await asyncio.sleep(self.seconds / 7)
            with contextlib.suppress(OSError):
                os.kill(int(random.choice(workers_of(self.server))), signal.SIGKILL)
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


PHASES = (
    "the_sdk_alone",
    "nothing",
    "kills_of_workers",
    "full_disk",
    "steps_of_the_clock",
    "scrapers_that_hang",
    "reloads",
)
LONG = ("nothing", "kills_of_workers")


# The sums.


class Ledger:
    """The sums of a ledger's files, which are read on from where they were read to, whatever they are called by now."""

    def __init__(self, *paths):
        self.paths = paths
        self.read = {}
        self.sums = {"calls": 0, "tokens": 0, "usd": Decimal(0), "damaged": 0}

    def now(self):
        for path in self.paths:
            if path.is_file():
                with path.open("rb") as file:
                    inode = os.fstat(file.fileno()).st_ino
                    file.seek(self.read.get(inode, 0))
                    for line in file:
                        self._add(line)
                    self.read[inode] = file.tell()
        return dict(self.sums)

    def _add(self, line):
        try:
            read = json.loads(line)
        except ValueError:
            self.sums["damaged"] += 1
            return
        if read["tokens"] is not None:
            self.sums["calls"] += 1
            self.sums["tokens"] += sum(read["tokens"].values())
            self.sums["usd"] += Decimal(read["cost"]["total_usd"] or 0)


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


def verdict(load, calls, ledger, metrics):
    """What does not agree, as sentences; nothing when all is well."""
    wrong = []
    most = load.broken * AT_ONCE  # were under way when their worker was killed
    missing = calls - ledger["calls"] - metrics["ledger_faults"]
    if not 0 <= missing <= most:
        wrong.append(
            f"{missing:.0f} billed calls are not in the ledger, {most} were under way in requests that broke"
        )
    if not 0 <= calls - metrics["calls"] <= most:
        wrong.append(
            f"{calls - metrics['calls']:.0f} billed calls are not in the metrics, {most} were under way"
        )
    if load.answered > ledger["calls"] + metrics["ledger_faults"]:
        wrong.append("a call that was answered is not in the ledger")
    if load.answered > metrics["calls"]:
        wrong.append("a call that was answered is not in the metrics")
    if ledger["tokens"] != (INPUT + OUTPUT) * ledger["calls"]:
        wrong.append(f"the ledger has {ledger['tokens']} tokens for {ledger['calls']} calls")
    if ledger["usd"] != CALL_USD * ledger["calls"]:
        wrong.append(f"the ledger has ${ledger['usd']} for {ledger['calls']} calls")
    if abs(metrics["usd"] - float(CALL_USD) * metrics["calls"]) > 1e-9 * max(metrics["calls"], 1):
        wrong.append(f"the metrics have ${metrics['usd']} for {metrics['calls']:.0f} calls")
    if metrics["other_faults"]:
        wrong.append(f"{metrics['other_faults']:.0f} faults of the tracking")
    return wrong


def verdict_alone(load, calls, ledger, metrics):
    """The same of the SDK alone: all is billed, and nothing recorded."""
    recorded = ledger["calls"] + metrics["calls"]
    same = load.broken == 0 and calls == load.answered and recorded == 0
    return [] if same else [f"{load.answered} were answered, {calls} billed, {recorded:.0f} recorded"]


async def settled(vendor, port):
    """Wait until nothing changes any more, and all workers are up."""
    before = None
    while True:
        await asyncio.sleep(0.5)
        with contextlib.suppress(OSError):
            now = (vendor.billed(), await metric_sums(port))
            if now == before:
                return
            before = now


async def measure(port, server, vendor, path, arguments):
    rows, all_wrong, shares = [], [], {}
    ledger = Ledger(path, path.with_suffix(".kept"))
    await settled(vendor, port)
    for client in (b"alone", b"tracked"):
        await Load(port, arguments.rate, client).run(WARM_UP_SECONDS)
    for phase in arguments.phases:
        alone = phase == "the_sdk_alone"
        seconds = arguments.long if phase in LONG and arguments.long else arguments.seconds
        await settled(vendor, port)
        before = ledger.now(), await metric_sums(port)
        calls, used = vendor.billed(), seconds_of_all(server, vendor)
        load = Load(port, arguments.rate, b"alone" if alone else b"tracked")
        began = time.monotonic()
        await asyncio.gather(load.run(seconds), getattr(Trouble(port, server, path, seconds), phase)())
        took = time.monotonic() - began
        await settled(vendor, port)
        used = [now - then for now, then in zip(seconds_of_all(server, vendor), used, strict=True)]
        calls = vendor.billed() - calls
        recorded, metrics = less(ledger.now(), before[0]), less(await metric_sums(port), before[1])
        wrong = (verdict_alone if alone else verdict)(load, calls, recorded, metrics)
        all_wrong += [f"{phase}: {one}" for one in wrong]
        lost = 0 if alone else calls - recorded["calls"] - metrics["ledger_faults"]
        shares[phase] = [one / calls * 1000 for one in used], load.answered / took
        row = [getattr(Trouble, phase).__doc__.rstrip("."), f"{took:.0f}", f"{load.answered / took:,.0f}"]
        row += [f"{shares[phase][0][0]:.2f}", f"{load.answered:,}", load.broken, f"{calls:,}"]
        row += [f"{recorded['calls']:,}", f"{metrics['calls']:,.0f}"]
        row += [f"{metrics['ledger_faults']:,.0f}", f"{lost:.0f}", f"{load.slowest:.2f} s"]
        rows.append([*row, "yes" if not wrong else "NO"])
        print(*rows[-1], sep=" | ", flush=True)
        for one in wrong:
            print("  ", one, flush=True)
    return rows, all_wrong, shares


def ceiling(shares):
    """What bounds the calls a second, and how near to the SDK alone a tracked client comes: a sentence for the page."""
    if not {"the_sdk_alone", "nothing"} <= shares.keys():
        return ""
    (alone, vendor, asker), alone_rate = shares["the_sdk_alone"]
    (tracked, *_), rate = shares["nothing"]
    most = os.cpu_count() * 1000 / (alone + vendor + asker)
    return (
        f"A call of the SDK alone takes {alone:.2f} ms of a processor in the workers, {vendor:.2f} ms in the vendor and {asker:.2f} ms in"
        f" whoever asks, so {os.cpu_count()} processors with nothing else to do make at most {most:,.0f} a second; in this run, beside what"
        f" else the machine did, they made {alone_rate:,.0f}, and tracked, with metrics in shared files, a JSON line and a ledger, {rate:,.0f}:"
        f" {tracked:.2f} ms in the workers, {tracked / alone:.2f} times the SDK alone.\n\n"
    )


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as one:
        return one.getsockname()[1]


def main():
    parser = argparse.ArgumentParser(
        prog="python -m tests.reliability.scale", description=__doc__.split("\n\n")[0]
    )
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--rate", type=float, default=2000, help="calls a second that are asked for")
    parser.add_argument("--seconds", type=float, default=30, help="of each phase")
    parser.add_argument("--long", type=float, metavar="SECONDS", help=f"of the phases {' and '.join(LONG)}")
    parser.add_argument(
        "--phases", nargs="+", choices=PHASES, default=PHASES, metavar="PHASE", help="default all"
    )
    parser.add_argument("--write", action="store_true", help="write the figures to docs/reliability.md")
    parser.add_argument("--vendor", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.vendor:
        asyncio.run(vendor_main())
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
            rows, wrong, shares = asyncio.run(
                measure(port, server, vendor, folder / "ledger.jsonl", arguments)
            )
        finally:
            server.terminate()
            vendor.process.terminate()
            server.wait()
            vendor.process.wait()
    head = [
        "what went wrong",
        "seconds",
        "calls a second",
        "processor time of the workers, a call (ms)",
        "answered",
    ]
    head += ["requests that broke", "billed by the vendor", "in the ledger", "in /metrics"]
    head += ["faults of the ledger, counted", "lost uncounted", "slowest call", "agree"]
    long = f" --long {arguments.long:g}" if arguments.long else ""
    text = (
        f"`python -m tests.reliability.scale --workers {arguments.workers} --rate {arguments.rate:g} --seconds {arguments.seconds:g}"
        f"{long} --write`: {page.stamp()}\n\n{ceiling(shares)}{page.table(head, rows)}\n"
    )
    if arguments.write:
        page.write("scale", text)
    print(text)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
