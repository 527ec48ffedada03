"""
The vendor's bill beside our records: how much of it we saw, and whether we priced that as the vendor did.

Tokens are compared first. What the vendor charged for a token of a day, model and kind is its rate; our tokens at that rate
are the part of the bill that we saw. So the difference of the two totals falls apart, exactly, into

    bill - recorded = calls that we did not see + what our prices are too low by + charges without tokens that we did not see
"""

from __future__ import annotations

import tomllib
from collections import defaultdict
from dataclasses import dataclass, fields
from decimal import Decimal
from typing import TYPE_CHECKING

from tracked_inference.errors import ConfigurationError
from tracked_inference.reporting.bill import KINDS
from tracked_inference.reporting.database import Calls
from tracked_inference.reporting.figures import ratio

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import date
    from pathlib import Path

    from tracked_inference.reporting.bill import Bill, Charge, Used
    from tracked_inference.reporting.periods import Period

__all__ = ["Cell", "Reconciliation", "Side", "names_keys", "read_mapping", "reconcile", "recorded"]

Cell = tuple[str, str, str, str]
"""Day, model, kind, team."""


@dataclass(slots=True)
class Side:
    """
    Tokens and dollars by day, model, kind and team.

    Attributes:
        tokens: The count of each cell.
        usd: The dollars of each cell.
        unpriced_calls: Calls without a price, ours only.
        unmeasured_calls: Calls whose usage nobody knows, ours only.
    """

    tokens: dict[Cell, int]
    usd: dict[Cell, Decimal]
    unpriced_calls: int = 0
    unmeasured_calls: int = 0


@dataclass(frozen=True, slots=True)
class Compared:
    """
    One group of cells, both sides.

    Attributes:
        billed_tokens: What the vendor counted.
        recorded_tokens: What we counted.
        billed_usd: What the vendor charged.
        recorded_usd: What we estimated.
        seen_usd: Our tokens at the vendor's rates: the part of the bill that we saw, charges without tokens left out.
        missed_usd: Charges for tokens that we did not see; negative where we saw more than was billed.
        price_usd: How much too low our prices are for what we saw; negative where they are too high.
        other_usd: Charges without tokens that we did not see.
    """

    billed_tokens: int = 0
    recorded_tokens: int = 0
    billed_usd: Decimal = Decimal(0)
    recorded_usd: Decimal = Decimal(0)
    seen_usd: Decimal = Decimal(0)
    missed_usd: Decimal = Decimal(0)
    price_usd: Decimal = Decimal(0)
    other_usd: Decimal = Decimal(0)

    def __add__(self, other: Compared) -> Compared:
        return Compared(*(getattr(self, one.name) + getattr(other, one.name) for one in fields(self)))

    @property
    def coverage(self) -> Decimal | None:
        """The part of the charges for tokens that we saw, 1 for all; None where there were none."""
        return ratio(self.seen_usd, self.seen_usd + self.missed_usd)

    @property
    def price_error(self) -> Decimal | None:
        """Our estimate of what we saw against the vendor's charge for it: 0.02 for two per cent too high."""
        return None if not self.seen_usd else -self.price_usd / self.seen_usd


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """
    A bill and our records of the same days.

    Attributes:
        vendor: Whose bill.
        period: The days.
        total: All of it.
        by_model: By canonical model; the empty model has charges that name none.
        by_day: By day.
        by_team: By team, where a mapping says whose the vendor's accounts are; else empty.
        notes: What may explain a difference, and what could not be compared.
    """

    vendor: str
    period: Period
    total: Compared
    by_model: Mapping[str, Compared]
    by_day: Mapping[str, Compared]
    by_team: Mapping[str, Compared]
    notes: tuple[str, ...] = ()

    def outside(self, tolerance: Decimal) -> list[str]:
        """
        What is further off than the tolerance, in words; empty where the bill is confirmed.

        A total that agrees does not confirm a bill of which one model is missing and another is there twice.
        """
        told = []
        total = self.total
        if total.coverage is not None and abs(total.coverage - 1) > tolerance:
            told.append(f"coverage is {total.coverage:.2%}")
        else:
            told += self._by_model("missed_usd", total.seen_usd + total.missed_usd, tolerance, "coverage")
        if total.price_error is not None and abs(total.price_error) > tolerance:
            told.append(f"prices are off by {total.price_error:+.2%}")
        else:
            told += self._by_model("price_usd", total.seen_usd, tolerance, "price error")
        if total.billed_usd and abs(total.other_usd / total.billed_usd) > tolerance:
            told.append(
                f"charges without tokens differ by {total.other_usd / total.billed_usd:+.2%} of the bill"
            )
        if total.coverage is None and total.recorded_usd:
            told.append("calls were recorded and nothing was billed")
        return told

    def _by_model(self, figure: str, whole: Decimal, tolerance: Decimal, what: str) -> list[str]:
        """Differences of models that cancel out in the total. Those of days may: a batch runs over midnight."""
        off = ratio(sum((abs(getattr(one, figure)) for one in self.by_model.values()), Decimal(0)), whole)
        if off is None or off <= tolerance:
            return []
        return [f"{what} is right in total and not by model: {off:.2%} cancel out"]


def recorded(
    places: Iterable[str | Path],
    vendor: str,
    period: Period,
    *,
    cache: bool = True,
    progress: Callable[[int, int], object] | None = None,
) -> Side:
    """
    Our side: calls that this vendor sold itself, by the day on which they started.

    Calls through Azure, Bedrock and Vertex are on those sellers' bills and are left out.

    Raises:
        ConfigurationError: A source cannot be used, or holds log lines, which say no kinds of tokens.
    """
    sold = f"provider = '{vendor}'"
    day = "strftime(started_at, '%Y-%m-%d')"
    with Calls(places, [period], lines=True, cache=cache, progress=progress) as calls:
        if calls.logs:
            raise ConfigurationError(
                "reconcile needs a ledger: log lines do not say what a call used in enough detail"
            )
        lines = calls.ask(
            f"SELECT {day}, line.model, line.unit, team, sum(TRY_CAST(line.quantity AS DECIMAL(38,6))),"
            " sum(TRY_CAST(line.amount_usd AS DECIMAL(38,18)))"
            f" FROM (SELECT started_at, team, unnest(lines) AS line FROM calls WHERE {sold}) GROUP BY ALL"
        )
        without = calls.ask(
            f"SELECT {day}, model, team, sum(input_tokens - cache_read_tokens - cache_write_tokens), sum(cache_read_tokens),"
            f" sum(cache_write_tokens), sum(output_tokens), sum(cost_usd) FROM calls WHERE {sold} AND len(lines) = 0 GROUP BY ALL"
        )
        missing = calls.ask(
            "SELECT count(*) FILTER (status = 'unpriced'), count(*) FILTER (cost_usd IS NULL AND status <> 'unpriced')"
            f" FROM calls WHERE {sold}"
        )
    tokens: defaultdict[Cell, int] = defaultdict(int)
    usd: defaultdict[Cell, Decimal] = defaultdict(Decimal)
    for on, model, unit, team, quantity, amount in lines:
        kind = kind_of(unit)
        if kind != "other":
            tokens[on, model, kind, team] += int(quantity)
        usd[on, model, kind, team] += amount
    for on, model, team, *counts, amount in without:
        for kind, count in zip(KINDS, counts, strict=False):
            if count:
                tokens[on, model, kind, team] += int(count)
        if amount:  # a gateway's own price has no lines
            usd[on, model, "other", team] += amount
    return Side(dict(tokens), dict(usd), *map(int, missing[0]))


def reconcile(
    bill: Bill,
    ours: Side,
    vendor: str,
    period: Period,
    canonical: Callable[[str, date], str],
    accounts: Mapping[str, str] | None = None,
) -> Reconciliation:
    """
    Compare a bill with our records.

    Args:
        bill: The vendor's reports.
        ours: Our side, from `recorded`.
        vendor: Whose bill.
        period: The days of both.
        canonical: The price table's name of a vendor's model on a day.
        accounts: Team by the vendor's workspace, project or key, of which the key goes first; without it teams are not compared.
    """
    theirs = Side({}, {})

    def cell(one: Used | Charge) -> Cell:
        teams = accounts or {}
        team = teams.get(one.key or one.account, teams.get(one.account, ""))
        return str(one.day), canonical(one.model, one.day) if one.model else "", one.kind, team

    for used in bill.used:
        key = cell(used)
        theirs.tokens[key] = theirs.tokens.get(key, 0) + used.tokens
    for charge in bill.charges:
        key = cell(charge)
        theirs.usd[key] = theirs.usd.get(key, Decimal(0)) + charge.usd
    notes = [*bill.notes]
    if ours.unpriced_calls:
        notes.append(
            f"{ours.unpriced_calls:,} recorded calls have no price: their tokens count, their dollars do not."
        )
    if ours.unmeasured_calls:
        notes.append(
            f"{ours.unmeasured_calls:,} recorded calls have no usage (cut streams, for instance): the vendor billed them."
        )
    plain = _compare(_without_teams(theirs), _without_teams(ours))
    unknown = sorted(
        {
            used.account or "(default)"
            for used in bill.used
            if accounts and used.key not in accounts and used.account not in accounts
        }
    )
    if unknown:
        notes.append(f"Accounts without a team in the mapping: {', '.join(unknown)}.")
    total = _sum(plain.values())
    return Reconciliation(
        vendor,
        period,
        total,
        _grouped(plain, 1),
        _grouped(plain, 0),
        _grouped(_compare(theirs, ours), 3) if accounts else {},
        (*notes, *_causes(total)),
    )


def read_mapping(path: Path) -> dict[str, str]:
    """
    Team by the vendor's workspace, project or key, from the table `[accounts]` of a TOML file; `""` is the default workspace.

    Raises:
        ConfigurationError: The file cannot be read or says something else.
    """
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8")).get("accounts")
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{path}: cannot be used as a mapping: {error}") from error
    if not isinstance(found, dict) or not found or not all(isinstance(team, str) for team in found.values()):
        raise ConfigurationError(f'{path}: write [accounts] and under it "wrkspc_01AB" = "team"')
    return found


def names_keys(accounts: Mapping[str, str] | None) -> bool:
    """Whether a mapping tells teams apart by key: the vendors' ids of keys begin with `apikey_` or `key_`."""
    return any(name.startswith(("apikey_", "key_")) for name in accounts or ())


def kind_of(unit: str) -> str:
    """The kind that a unit of ours is on a vendor's bill."""
    for prefix, kind in (
        ("cache_read", "cache_read"),
        ("cache_write", "cache_write"),
        ("input", "input"),
        ("output", "output"),
    ):
        if unit.startswith(prefix):
            return kind
    return "other"


def _compare(theirs: Side, ours: Side) -> dict[Cell, Compared]:
    found = {}
    for cell in {*theirs.tokens, *theirs.usd, *ours.tokens, *ours.usd}:
        billed_tokens, recorded_tokens = theirs.tokens.get(cell, 0), ours.tokens.get(cell, 0)
        billed, mine = theirs.usd.get(cell, Decimal(0)), ours.usd.get(cell, Decimal(0))
        seen = missed = price = other = Decimal(0)
        if cell[2] == "other":
            other = billed - mine
        elif billed_tokens:
            seen = billed * recorded_tokens / billed_tokens
            missed, price = billed - seen, seen - mine
        elif recorded_tokens:  # nothing was billed, so there is no rate but our own
            seen = mine
            missed = billed - mine
        else:
            missed = billed - mine  # dollars without tokens on either side
        found[cell] = Compared(billed_tokens, recorded_tokens, billed, mine, seen, missed, price, other)
    return found


def _without_teams(side: Side) -> Side:
    tokens: defaultdict[Cell, int] = defaultdict(int)
    usd: defaultdict[Cell, Decimal] = defaultdict(Decimal)
    for (day, model, kind, _), count in side.tokens.items():
        tokens[day, model, kind, ""] += count
    for (day, model, kind, _), amount in side.usd.items():
        # Searches and sessions are not always charged to a model: they are compared by day alone.
        usd[day, "" if kind == "other" else model, kind, ""] += amount
    return Side(dict(tokens), dict(usd))


def _grouped(cells: Mapping[Cell, Compared], part: int) -> dict[str, Compared]:
    groups: dict[str, Compared] = {}
    for cell, one in cells.items():
        groups[cell[part]] = groups.get(cell[part], Compared()) + one
    order = sorted(groups) if part == 0 else sorted(groups, key=lambda name: (-groups[name].billed_usd, name))
    return {name: groups[name] for name in order}


def _sum(found: Iterable[Compared]) -> Compared:
    total = Compared()
    for one in found:
        total += one
    return total


def _causes(total: Compared) -> Sequence[str]:
    """What usually is behind a difference of this kind."""
    told = []
    small = Decimal("0.005")
    if total.coverage is not None and total.coverage < 1 - small:
        told.append(
            "The vendor billed more tokens than were recorded: calls outside the wrapper (consoles, other services, batches"
            " fetched elsewhere), cut streams, or a ledger that is not all there."
        )
    if total.coverage is not None and total.coverage > 1 + small:
        told.append(
            "More was recorded than billed: failed requests, calls recorded twice, or calls at the edges of the days."
        )
    if total.price_error is not None and abs(total.price_error) > small:
        told.append(
            "The tokens agree better than the dollars: a price table that is out of date, a discount without an overlay,"
            " a service tier or long context."
        )
    if total.billed_usd and abs(total.other_usd / total.billed_usd) > small:
        told.append("Charges without tokens differ: searches, code execution, containers, sessions.")
    return told
