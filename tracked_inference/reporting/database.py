"""DuckDB at the edge: opens sources as one table of calls. Needs the extra `report`."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from tracked_inference.errors import ConfigurationError
from tracked_inference.reporting.calls import COLUMNS, during, ledger_calls, log_calls, quoted
from tracked_inference.reporting.rollup import cache_directory, roll_up
from tracked_inference.reporting.sources import find_sources

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from types import TracebackType

    from tracked_inference.reporting.periods import Period
    from tracked_inference.reporting.sources import SourceFile

__all__ = ["Calls"]

DIRECT_BYTES = 64 << 20
"""Up to this much JSON is read as it is; beyond, files of some size are rolled up first."""

_LARGE_FILE_BYTES = 16 << 20


class Calls:
    """
    The calls of some sources during some periods, to be asked in SQL.

    Args:
        places: Files, directories and globs of ledgers, logs and Parquet.
        periods: What to read; files of other days are not opened.
        lines: Whether the invoice lines and the tokens by kind are needed.
        cache: Whether to make and use roll-ups of large files.
        progress: Called with the bytes that are done with and how many there are.

    Attributes:
        damaged: Lines that could not be read, in the files that were.
        files: The files that were read.
        logs: Whether some of them are logs, whose amounts have six places.

    Raises:
        ConfigurationError: DuckDB is missing, or a source cannot be used.
    """

    def __init__(
        self,
        places: Iterable[str | Path],
        periods: Sequence[Period],
        *,
        lines: bool = False,
        cache: bool = True,
        progress: Callable[[int, int], object] | None = None,
    ) -> None:
        self._sql = _connect()
        self._scratch = Path(tempfile.mkdtemp(prefix="tracked-inference-"))
        self._periods = periods
        self._lines = lines
        self._done = 0
        self._progress = progress
        try:
            self._sql.execute(f"SET temp_directory = {quoted(self._scratch)}")
            self._sql.execute("SET enable_progress_bar = false")
            self.files = [one for one in find_sources(places) if one.may_hold(periods)]
            self.logs = any(one.kind == "log" for one in self.files)
            self._load(cache)
            self.damaged = int(self.ask("SELECT count(*) FROM all_calls WHERE started_at IS NULL")[0][0])
        except BaseException:
            self.close()
            raise

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        """The rows of a query over the view `calls`."""
        with _plainly():
            found: list[tuple[Any, ...]] = self._sql.execute(query).fetchall()
        return found

    def names(self, query: str) -> list[str]:
        """The column names of a query."""
        return [one[0] for one in self._sql.execute(query).description]

    def run(self, statement: str) -> None:
        """
        Run a statement, a COPY for instance.

        Raises:
            OSError: It failed.
        """
        with _plainly(OSError, ""):
            self._sql.execute(statement)

    def close(self) -> None:
        """Give back the memory and remove the copies."""
        self._sql.close()
        shutil.rmtree(self._scratch, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # Loading.

    def _load(self, cache: bool) -> None:
        ledgers = [one for one in self.files if one.kind == "ledger"]
        total = sum(one.size for one in self.files)
        large: list[SourceFile] = []
        if cache and sum(one.size for one in ledgers) > DIRECT_BYTES:
            large = [one for one in ledgers if one.size >= _LARGE_FILE_BYTES and not one.compressed]
        paths = [one.path for one in ledgers if one not in large]
        parts, kept = [], []
        for source in large:
            try:
                rolled = roll_up(
                    source,
                    self.run,
                    lambda count: self._advance(count, total),
                    cache=cache_directory(),
                    scratch=self._scratch,
                )
            except OSError:  # no place to keep anything: read it as it is
                paths.append(source.path)
                continue
            kept += rolled.segments
            if rolled.tail is not None:
                paths.append(rolled.tail)
        columns = ", ".join(name for name in COLUMNS if self._lines or name not in {"lines", "tokens"})
        if kept:
            parts.append(f"SELECT {columns} FROM read_parquet([{', '.join(map(quoted, kept))}])")
        for source in [one for one in self.files if one.kind == "parquet"]:
            if {"cost_usd", "caller"} <= set(self._parquet_columns(source.path)):
                parts.append(f"SELECT {columns} FROM read_parquet({quoted(source.path)})")
            else:
                paths.append(self._as_lines(source.path))
        if paths:
            parts.append(self._kept("direct", ledger_calls(paths, lines=self._lines)))
        logs = [one.path for one in self.files if one.kind == "log"]
        if logs:
            parts.append(self._kept("logged", log_calls(logs, lines=self._lines)))
        nothing = f"SELECT {columns} FROM ({ledger_calls([self._empty()], lines=self._lines)})"
        with _plainly():
            self._sql.execute(
                "CREATE TEMP VIEW all_calls AS " + " UNION ALL BY NAME ".join(parts or [nothing])
            )
            self._sql.execute(
                f"CREATE TEMP VIEW calls AS SELECT * FROM all_calls WHERE {during(self._periods)}"
            )
        self._advance(total - self._done, total)

    def _kept(self, name: str, query: str) -> str:
        """Read JSON once into memory (or the scratch directory), the periods' calls and the damaged lines alone."""
        with _plainly():
            self._sql.execute(
                f"CREATE TEMP TABLE {name} AS SELECT * FROM ({query}) WHERE started_at IS NULL OR {during(self._periods)}"
            )
        return f"SELECT * FROM {name}"

    def _parquet_columns(self, path: Path) -> list[str]:
        with _plainly(ConfigurationError, f"{path}: cannot be read as Parquet: "):
            return self.names(f"SELECT * FROM read_parquet({quoted(path)}) LIMIT 0")

    def _as_lines(self, path: Path) -> Path:
        """Parquet of a ledger's own shape, with whatever types its maker chose, as lines again."""
        if "started_at" not in (names := self._parquet_columns(path)) or "cost" not in names:
            raise ConfigurationError(
                f"{path}: Parquet without the columns of a ledger (started_at, cost, ...): see docs/reference/ledger.md"
            )
        target = self._scratch / f"{path.stem}.{len(list(self._scratch.iterdir()))}.jsonl"
        where = during(self._periods, "CAST(started_at AS TIMESTAMP)")
        with _plainly():
            self._sql.execute(
                f"COPY (SELECT * FROM read_parquet({quoted(path)}) WHERE {where}) TO {quoted(target)} (FORMAT json)"
            )
        return target

    def _empty(self) -> Path:
        path = self._scratch / "empty.jsonl"
        path.touch()
        return path

    def _advance(self, count: int, total: int) -> None:
        self._done += count
        if self._progress is not None:
            self._progress(self._done, total)


@contextlib.contextmanager
def _plainly(
    kind: type[Exception] = ConfigurationError, what: str = "the calls cannot be read: "
) -> Iterator[None]:
    """DuckDB's errors as ours, in one line: a file that is torn or went away, no memory, no room. Ctrl-C stays Ctrl-C."""
    import duckdb

    try:
        yield
    except (duckdb.Error, RuntimeError) as error:
        told = str(error).partition("\n")[0]  # the query that it shows below is ours
        if "interrupted" in told.lower():
            raise KeyboardInterrupt from None
        if isinstance(error, duckdb.Error):
            raise kind(f"{what}{told}") from error
        raise


def _connect() -> Any:
    try:
        import duckdb
    except ImportError as error:
        raise ConfigurationError(
            "reading a ledger needs DuckDB: pip install 'tracked-inference[report]'"
        ) from error
    connection = duckdb.connect(":memory:")
    with contextlib.suppress(
        Exception
    ):  # a version without the setting reads no extensions from the network either
        connection.execute("SET autoinstall_known_extensions = false")
    return connection
