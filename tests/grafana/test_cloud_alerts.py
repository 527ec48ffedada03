"""The alerts on orphaned cloud resources, by promtool."""

from __future__ import annotations

from tests.grafana.promtool import DAY, HOUR, World, needs_promtool

pytestmark = needs_promtool
CLOUD = ("cloud-alerts",)
COST, GAPS, SCANNED = (
    "cloud_orphaned_resource_monthly_cost_usd",
    "cloud_orphan_scan_gaps",
    "cloud_orphan_scan_timestamp_seconds",
)
BEFORE, AFTER = 8 * DAY, DAY


def course(before: str, after: str) -> str:
    """A gauge that stands at one value for eight days and at another for one; `_` is no series."""
    return f"{before}x{BEFORE} {after}x{AFTER}"


def daily(days: int) -> str:
    """The time of a scan each midnight."""
    return " ".join(f"{day * 86400}x{DAY - 1}" for day in range(days))


def team(name: str, before: str, after: str) -> tuple[str, dict[str, str], str]:
    """A team's cost, of two kinds, of which one never changes."""
    return (COST, {"team": name, "kind": "ebs_volume", "region": "r"}, course(before, after))


def growth(*, gaps: str = "0x13000", scanned: str = "") -> World:
    """Six teams, before and after."""
    world = World(groups=CLOUD, every="15m")
    for one in (
        team("grown", "100", "190"),
        team("from_nothing", "_", "60"),
        team("a_little", "1000", "1100"),
        team("small", "1", "40"),
        team("shrunk", "500", "100"),
        team("gone", "500", "_"),
    ):
        world.add(*one)
    world.add(COST, {"team": "grown", "kind": "elastic_ip", "region": "r"}, "10x13000")
    world.add(GAPS, {}, gaps)
    world.add(SCANNED, {}, scanned or daily(9))
    return world


def test_growth_is_reported(tmp_path) -> None:
    """A fifth and 50 USD more than a week ago is reported for the team, one that had nothing too; less of either is not."""
    world = growth()

    world.firing("CloudOrphanCostGrowth", BEFORE - HOUR)
    at = BEFORE + 3 * HOUR
    teams = ({"team": name, "severity": "warning"} for name in ("grown", "from_nothing"))
    world.firing("CloudOrphanCostGrowth", at, *teams)
    world.value('round(max(ALERTS_FOR_STATE{alertname="CloudOrphanCostGrowth"}) / 60)', at, ({}, BEFORE + 15))
    world.check(tmp_path)


def test_growth_says_how_much(tmp_path) -> None:
    """The dollars are the growth of all the team's kinds."""
    world = World(groups=CLOUD, every="15m")
    world.add(*team("data", "100", "190"))
    world.add(SCANNED, {}, daily(9))
    world.says(
        "CloudOrphanCostGrowth",
        BEFORE + 3 * HOUR,
        {"team": "data", "severity": "warning"},
        "Orphaned cloud resources of team data cost 90 USD a month more than a week ago.",
        "Resources of team data that nothing seems to use cost 90.00 USD a month more than a week ago, by the scanner's prices:"
        " more than 20% and 50 USD.",
    )
    world.check(tmp_path)


def test_growth_needs_a_sound_week_before(tmp_path) -> None:
    """The first scan of all is no growth, nor is one that saw more than a scan with gaps did."""
    for name, world in (
        ("first", growth(scanned=f"_x{BEFORE - HOUR} {(BEFORE - HOUR) * 60}x{AFTER}")),
        ("gaps", growth(gaps=f"3x{3 * DAY} 0x{6 * DAY}")),
    ):
        world.firing("CloudOrphanCostGrowth", BEFORE + 3 * HOUR)
        folder = tmp_path / name
        folder.mkdir()
        world.check(folder)


def _by_instance(world: World, alert: str, minute: int, *instances: str) -> None:
    expr = f'count by (instance, severity) (ALERTS{{alertname="{alert}", alertstate="firing"}})'
    found = ({"severity": "warning", **({"instance": name} if name else {})} for name in instances)
    world.value(expr, minute, *((labels, 1.0) for labels in found))


def test_stale_scan(tmp_path) -> None:
    """A scan of three days ago is reported for the machine that made it, though another scans on; a daily one is not."""
    world = World(groups=CLOUD, every="15m")
    world.add(SCANNED, {"instance": "stopped"}, f"0x{6 * DAY}")
    world.add(SCANNED, {"instance": "daily"}, daily(6))
    world.add(SCANNED, {"instance": "retired"}, f"0x{DAY} _x{5 * DAY}")

    _by_instance(world, "CloudOrphanScanStale", 2 * DAY)
    _by_instance(world, "CloudOrphanScanStale", 3 * DAY, "stopped")
    _by_instance(world, "CloudOrphanScanStale", 5 * DAY, "stopped")
    world.check(tmp_path)


def test_scan_that_is_gone(tmp_path) -> None:
    """Where the only file is gone it is reported all the same, and once; where there never was one nothing is."""
    world = World(groups=CLOUD, every="15m")
    world.add(SCANNED, {"instance": "gone"}, f"0x{DAY} _x{5 * DAY}")

    _by_instance(world, "CloudOrphanScanStale", 2 * DAY)
    _by_instance(world, "CloudOrphanScanStale", 3 * DAY, "")
    world.check(tmp_path)
    world = World(groups=CLOUD, every="15m")
    world.add(COST, {"team": "t"}, f"1x{3 * DAY}")
    world.value("ALERTS", 3 * DAY)
    (tmp_path / "never").mkdir()
    world.check(tmp_path / "never")
    world = World(groups=CLOUD, every="15m")
    world.add(SCANNED, {"instance": "old"}, f"0x{3 * DAY}")
    _by_instance(world, "CloudOrphanScanStale", 3 * DAY - HOUR, "old")
    (tmp_path / "old").mkdir()
    world.check(tmp_path / "old")


def test_incomplete_scan(tmp_path) -> None:
    """A scan with gaps is reported after an hour, with their number; one without is not."""
    world = World(groups=CLOUD, every="5m")
    world.add(GAPS, {"instance": "a"}, "2x180")
    world.add(GAPS, {"instance": "b"}, "0x180")

    _by_instance(world, "CloudOrphanScanIncomplete", 30)
    _by_instance(world, "CloudOrphanScanIncomplete", 120, "a")
    world.says(
        "CloudOrphanScanIncomplete",
        120,
        {"job": "api", "instance": "a", "severity": "warning"},
        "The last scan for orphaned cloud resources did not see everything.",
        "Regions, accounts or kinds of resource that the last scan for orphaned cloud resources was not allowed to read, or that"
        " gave no answer: 2. Its figures are a floor.",
    )
    world.check(tmp_path)
