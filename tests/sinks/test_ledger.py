"""The ledger sink: lines of many processes, whole, in the files of their days."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.sinks.test_ledger_line import a_record
from tracked_inference.errors import ConfigurationError
from tracked_inference.sinks import ledger
from tracked_inference.sinks.ledger import LedgerSink


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines() if line]


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_a_file_takes_every_call(tmp_path: Path) -> None:
    """A path that names a file is that file, one line a call."""
    sink = LedgerSink(tmp_path / "calls.jsonl")

    sink(a_record(user="u_1"))
    sink(a_record(user="u_2", started_at=datetime(2026, 1, 1, tzinfo=UTC)))

    assert [line["user"] for line in lines(tmp_path / "calls.jsonl")] == ["u_1", "u_2"]
    assert names(tmp_path) == ["calls.jsonl"]


def test_a_directory_has_a_file_for_each_day(tmp_path: Path) -> None:
    """A call goes to the file of the UTC day on which it started, whatever the order."""
    sink = LedgerSink(tmp_path / "ledger")
    before = datetime(2026, 11, 22, 23, 59, 59, 999999, tzinfo=UTC)
    after = datetime(2026, 11, 23, tzinfo=UTC)

    for at in (before, after, before):
        sink(a_record(started_at=at))

    assert names(tmp_path / "ledger") == ["ledger-2026-11-22.jsonl", "ledger-2026-11-23.jsonl"]
    assert len(lines(tmp_path / "ledger/ledger-2026-11-22.jsonl")) == 2


def test_few_files_are_open_at_once(tmp_path: Path) -> None:
    """Batches of many days do not use up the process's descriptors, and their lines are all there."""
    sink = LedgerSink(tmp_path)
    descriptors = Path("/proc/self/fd")
    before = len(list(descriptors.iterdir())) if descriptors.exists() else 0

    for _ in range(2):
        for day in range(1, 29):
            sink(a_record(started_at=datetime(2026, 2, day, tzinfo=UTC)))

    assert all(len(lines(path)) == 2 for path in tmp_path.iterdir())
    assert len(names(tmp_path)) == 28
    if before:
        assert len(list(descriptors.iterdir())) <= before + 4


def test_a_full_file_is_followed_by_another(tmp_path: Path) -> None:
    """A file that has reached its size takes no more; nothing is renamed and nothing is lost."""
    sink = LedgerSink(tmp_path / "calls.jsonl", max_bytes=2000)

    for number in range(10):
        sink(a_record(user=str(number)))

    found = [tmp_path / "calls.jsonl", *sorted(tmp_path.glob("calls.0*.jsonl"))]
    assert [line["user"] for path in found for line in lines(path)] == [str(number) for number in range(10)]
    assert len(found) > 2
    assert all(path.stat().st_size < 2000 + 1000 for path in found)


def test_another_process_goes_on_where_the_last_stopped(tmp_path: Path) -> None:
    """A sink that is made anew appends to the newest file of its day."""
    LedgerSink(tmp_path, max_bytes=1)(a_record())
    LedgerSink(tmp_path, max_bytes=1)(a_record())

    LedgerSink(tmp_path)(a_record())

    assert names(tmp_path) == ["ledger-2026-11-22.0001.jsonl", "ledger-2026-11-22.jsonl"]
    assert len(lines(tmp_path / "ledger-2026-11-22.0001.jsonl")) == 2


def test_files_are_their_owners_alone(tmp_path: Path) -> None:
    """A ledger holds user ids: 0600, its directory 0700."""
    LedgerSink(tmp_path / "new" / "ledger")(a_record())

    assert stat.S_IMODE((tmp_path / "new/ledger").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "new/ledger/ledger-2026-11-22.jsonl").stat().st_mode) == 0o600


def test_a_moved_file_is_begun_again(tmp_path: Path) -> None:
    """Somebody's log rotation moves the file away: the next line goes to a new one under the old name."""
    sink = LedgerSink(tmp_path / "calls.jsonl")
    sink(a_record(user="before"))
    (tmp_path / "calls.jsonl").rename(tmp_path / "moved")

    sink(a_record(user="after"))

    assert [line["user"] for line in lines(tmp_path / "calls.jsonl")] == ["after"]
    assert [line["user"] for line in lines(tmp_path / "moved")] == ["before"]


def test_a_removed_directory_is_made_again(tmp_path: Path) -> None:
    """The place itself goes away: it is made again."""
    sink = LedgerSink(tmp_path / "ledger")
    sink(a_record())
    (tmp_path / "ledger/ledger-2026-11-22.jsonl").unlink()
    (tmp_path / "ledger").rmdir()

    sink(a_record())

    assert names(tmp_path / "ledger") == ["ledger-2026-11-22.jsonl"]


def test_a_line_cut_by_a_dying_process_costs_no_other(tmp_path: Path) -> None:
    """Whoever writes next starts a line of its own: only the cut line is damaged."""
    sink = LedgerSink(tmp_path / "calls.jsonl")
    sink(a_record(user="first"))
    with (tmp_path / "calls.jsonl").open("ab") as file:
        file.write(b'{"schema":1,"started_at":"2026-11-')

    sink(a_record(user="last"))

    first, cut, last = (tmp_path / "calls.jsonl").read_text().splitlines()
    assert json.loads(first)["user"] == "first"
    assert cut == '{"schema":1,"started_at":"2026-11-'
    assert json.loads(last)["user"] == "last"


FULL = """
import resource, sys
from tests.sinks.test_ledger_line import a_record
from tracked_inference.sinks.ledger import LedgerSink
sink = LedgerSink(sys.argv[1])
sink(a_record(user="fits"))
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
for _ in range(2):
    try:
        sink(a_record(user="does not fit"))
    except OSError as fault:
        print("refused", fault.errno)
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
sink(a_record(user="fits again"))
"""


def test_a_full_disk_fails_loudly_and_is_recovered_from(tmp_path: Path) -> None:
    """No room for a line: the sink raises, for its client to count, and goes on when there is room again."""
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path / "calls.jsonl")],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )

    assert done.stdout.count("refused") == 2
    whole = [line for line in (tmp_path / "calls.jsonl").read_text().splitlines() if line.endswith("}}")]
    assert [json.loads(line)["user"] for line in whole] == ["fits", "fits again"]


def test_a_line_that_is_still_being_written_is_not_taken_for_a_torn_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The size of a file grows while another process's line is copied into it; no empty line may stand between the two."""
    path = tmp_path / "calls.jsonl"
    path.write_text('{"user": "another ')

    def goes_on(_: float) -> None:
        with path.open("a") as file:
            file.write('process"}\n')

    monkeypatch.setattr(ledger, "_pause", goes_on)
    LedgerSink(path)(a_record(user="u_1"))

    assert [json.loads(line)["user"] for line in path.read_text().splitlines()] == ["another process", "u_1"]


def test_a_torn_line_is_waited_for_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its writer may be alive for 50 milliseconds; then it is dead, also for the next line, where a full disk takes none."""
    now = [100.0]
    monkeypatch.setattr(ledger, "_clock", lambda: now[0])
    monkeypatch.setattr(ledger, "_pause", lambda seconds: now.append(now.pop() + seconds))
    path = tmp_path / "calls.jsonl"
    path.write_text('{"user": "dead')
    sink = LedgerSink(path)

    with monkeypatch.context() as full:
        full.setattr(os, "write", lambda descriptor, line: 0)
        for _ in range(2):
            with pytest.raises(OSError, match="the disk may be full"):
                sink(a_record())
    sink(a_record(user="u_1"))

    assert now[0] == pytest.approx(100.05, abs=0.002)
    assert path.read_text().splitlines()[0] == '{"user": "dead'
    assert json.loads(path.read_text().splitlines()[1])["user"] == "u_1"


MANY = """
import sys
from tests.sinks.test_ledger_line import a_record
from tracked_inference.sinks.ledger import LedgerSink
sink = LedgerSink(sys.argv[1], max_bytes=50_000)
print("ready", flush=True)
sys.stdin.readline()
number = 0
while sys.argv[3] == "endless" or number < int(sys.argv[3]):
    sink(a_record(user=f"{sys.argv[2]}:{number}", tags={"padding": "x" * (number % 5000)}))
    number += 1
"""


def start(path: Path, name: str, count: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", MANY, str(path), name, count],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert process.stdout is not None
    process.stdout.readline()
    return process


def test_several_processes_share_a_ledger_through_its_rotation(tmp_path: Path) -> None:
    """Three processes write and rotate at once: every line is whole, there once, and in its writer's order within a file."""
    processes = [start(tmp_path, name, "300") for name in "abc"]

    for process in processes:
        process.communicate("go\n", timeout=60)

    assert [process.returncode for process in processes] == [0, 0, 0]
    found = [line["user"] for path in sorted(tmp_path.iterdir()) for line in lines(path)]
    assert sorted(found) == sorted(f"{name}:{number}" for name in "abc" for number in range(300))
    assert len(names(tmp_path)) > 5


def test_a_killed_process_damages_nothing(tmp_path: Path) -> None:
    """A process that is killed while it writes leaves whole lines, without a gap, and at most one cut at the end of a file."""
    process = start(tmp_path / "calls.jsonl", "killed", "endless")
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()
    while not any(tmp_path.glob("calls.0003*")):
        assert process.poll() is None
    process.kill()
    process.communicate()

    LedgerSink(tmp_path / "calls.jsonl")(a_record(user="killed:after"))

    texts = [path.read_text() for path in [tmp_path / "calls.jsonl", *sorted(tmp_path.glob("calls.0*"))]]
    damaged, users = 0, []
    for line in "".join(text if text.endswith("\n") else f"{text}\n" for text in texts).splitlines():
        try:
            users.append(json.loads(line)["user"])
        except ValueError:
            damaged += 1
    assert users == [*(f"killed:{number}" for number in range(len(users) - 1)), "killed:after"]
    assert damaged <= 1


def test_threads_share_a_sink_while_it_rotates(tmp_path: Path) -> None:
    """No thread writes to a descriptor that another has closed."""
    sink = LedgerSink(tmp_path, max_bytes=3000)

    def write(name: str) -> None:
        for number in range(100):
            sink(a_record(user=f"{name}:{number}"))

    threads = [threading.Thread(target=write, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    found = [line["user"] for path in tmp_path.iterdir() for line in lines(path)]
    assert sorted(found) == sorted(f"{name}:{number}" for name in "abcd" for number in range(100))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_fork_writes_although_a_thread_held_the_lock(tmp_path: Path) -> None:
    """A worker that is forked while another thread writes does not wait for that thread for ever."""
    script = (
        "import os, sys\n"
        "from tests.sinks.test_ledger_line import a_record\n"
        "from tracked_inference.sinks.ledger import LedgerSink\n"
        "sink = LedgerSink(sys.argv[1])\n"
        "sink(a_record(user='parent'))\n"
        "sink._lock.acquire()\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    sink(a_record(user='child'))\n"
        "    os._exit(0)\n"
        "sink._lock.release()\n"
        "assert os.waitpid(child, 0)[1] == 0\n"
        "sink(a_record(user='parent'))\n"
    )

    subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "c.jsonl")],
        check=True,
        timeout=20,
        cwd=Path(__file__).parents[2],
    )

    assert [line["user"] for line in lines(tmp_path / "c.jsonl")] == ["parent", "child", "parent"]


def test_a_closed_sink_opens_again(tmp_path: Path) -> None:
    """Closing gives the descriptors back and loses no later record."""
    sink = LedgerSink(tmp_path / "calls.jsonl")
    sink(a_record())

    sink.close()
    sink(a_record())

    assert len(lines(tmp_path / "calls.jsonl")) == 2


def test_a_place_that_cannot_be_is_said_at_construction(tmp_path: Path) -> None:
    """A wrong path is found when the service starts and not at its first call."""
    (tmp_path / "file").write_text("")

    with pytest.raises(ConfigurationError, match="cannot be written"):
        LedgerSink(tmp_path / "file" / "ledger")


def test_a_size_must_be_one() -> None:
    """`max_bytes=0` would begin a file for each line."""
    with pytest.raises(ConfigurationError, match="max_bytes=0"):
        LedgerSink("ledger", max_bytes=0)
