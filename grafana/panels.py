"""Small functions that return Grafana's classic panel models as dicts, and the grid that lays them out."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = [
    "GREEN_TO_RED",
    "RED_TO_GREEN",
    "Row",
    "bar_gauge",
    "heatmap",
    "lay_out",
    "query",
    "stat",
    "table",
    "text",
    "timeseries",
]

DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
GREEN_TO_RED = ("green", "orange", "red")
RED_TO_GREEN = ("red", "orange", "green")
NEEDS_RULES = "needs the recording rules"


@dataclass(frozen=True, slots=True)
class Row:
    """A titled row: panels from left to right, going on below where 24 columns are full."""

    title: str
    panels: tuple[dict[str, object], ...]
    collapsed: bool = False


def lay_out(rows: list[Row]) -> list[dict[str, object]]:
    """Panels with ids and places; every panel of one line is as high as the highest."""
    placed: list[dict[str, object]] = []
    y, number = 0, 1

    def numbered(panel: dict[str, object], box: dict[str, int]) -> dict[str, object]:
        nonlocal number
        number += 1
        return {"id": number - 1, **panel, "gridPos": box}

    for row in rows:
        head = {"type": "row", "title": row.title, "collapsed": row.collapsed, "panels": []}
        placed.append(numbered(head, {"h": 1, "w": 24, "x": 0, "y": y}))
        y += 1
        inside: list[dict[str, object]] = head["panels"] if row.collapsed else placed  # type: ignore[assignment]
        x = line = 0
        for panel in row.panels:
            size: tuple[int, int] = panel["size"]  # type: ignore[assignment]
            if x + size[0] > 24:
                x, y, line = 0, y + line, 0
            bare = {key: value for key, value in panel.items() if key != "size"}
            inside.append(numbered(bare, {"h": size[1], "w": size[0], "x": x, "y": y}))
            x, line = x + size[0], max(line, size[1])
        y += line
    return placed


def query(
    expr: str, legend: str = "", *, instant: bool = False, form: str = "time_series", exemplar: bool = False
) -> dict[str, object]:
    """A Prometheus target; its `refId` is set by the panel."""
    return {
        "datasource": DATASOURCE,
        "editorMode": "code",
        "expr": expr,
        "legendFormat": legend or "__auto",
        "instant": instant,
        "range": not instant,
        "format": form,
        "exemplar": exemplar,
    }


def _panel(
    kind: str,
    title: str,
    description: str,
    size: tuple[int, int],
    targets: list[dict[str, object]],
    *,
    defaults: dict[str, object],
    options: dict[str, object],
    overrides: list[dict[str, object]] | None = None,
    **more: object,
) -> dict[str, object]:
    return {
        "type": kind,
        "title": title,
        "description": description,
        "size": size,
        "datasource": DATASOURCE,
        "targets": [{"refId": chr(65 + place), **target} for place, target in enumerate(targets)],
        "fieldConfig": {"defaults": defaults, "overrides": overrides or []},
        "options": options,
        **more,
    }


def _steps(colours: tuple[str, ...], limits: tuple[float, ...]) -> dict[str, object]:
    values: tuple[float | None, ...] = (None, *limits)
    return {
        "mode": "absolute",
        "steps": [{"color": colour, "value": value} for colour, value in zip(colours, values, strict=True)],
    }


def stat(
    title: str,
    description: str,
    expr: str,
    unit: str,
    *,
    size: tuple[int, int] = (4, 4),
    decimals: int | None = None,
    limits: tuple[float, ...] = (),
    colours: tuple[str, ...] = GREEN_TO_RED,
    none: str = "no data",
    legend: str = "",
    spark: bool = False,
    links: list[dict[str, object]] | None = None,
) -> dict[str, object]:
    """One number, taken at the end of the time range; with `spark` its course behind it."""
    colour = {"mode": "thresholds"} if limits else {"mode": "fixed", "fixedColor": "text"}
    defaults: dict[str, object] = {
        "unit": unit,
        "noValue": none,
        "color": colour,
        "thresholds": _steps(colours, limits) if limits else _steps(("text",), ()),
        "links": links or [],
        # Nothing is neither good nor bad: without this it has the colour of the lowest threshold.
        "mappings": [
            {
                "type": "special",
                "options": {"match": "null+nan", "result": {"text": none, "color": "text", "index": 0}},
            }
        ],
    }
    if decimals is not None:
        defaults["decimals"] = decimals
    return _panel(
        "stat",
        title,
        description,
        size,
        [query(expr, legend, instant=not spark)],
        defaults=defaults,
        options={
            "colorMode": "value",
            "graphMode": "area" if spark else "none",
            "justifyMode": "center",
            "orientation": "auto",
            "textMode": "auto" if legend else "value",
            "wideLayout": True,
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        },
    )


def timeseries(
    title: str,
    description: str,
    targets: list[dict[str, object]],
    unit: str,
    *,
    size: tuple[int, int] = (8, 8),
    stack: bool = False,
    fill: int = 0,
    decimals: int | None = None,
    low: float | None = 0,
    high: float | None = None,
    calcs: tuple[str, ...] = (),
    right: bool = False,
    dashed: str = "",
    painted: dict[str, str] | None = None,
    line_at: float | None = None,
    interval: str = "",
    none: str = "no data",
) -> dict[str, object]:
    """
    Lines, or stacked areas.

    Series whose name matches `dashed` (a regular expression) are drawn dashed and grey, those of `painted` in its colours.
    """
    custom: dict[str, object] = {
        "drawStyle": "line",
        "lineInterpolation": "linear",
        "lineWidth": 0 if stack else 2,
        "fillOpacity": 70 if stack else fill,
        "showPoints": "never",
        "spanNulls": False,
        "stacking": {"mode": "normal" if stack else "none", "group": "A"},
        "thresholdsStyle": {"mode": "line" if line_at is not None else "off"},
    }
    defaults: dict[str, object] = {
        "unit": unit,
        "custom": custom,
        "color": {"mode": "palette-classic"},
        "noValue": none,
    }
    bounds = {"min": low, "max": high, "decimals": decimals}
    defaults |= {name: value for name, value in bounds.items() if value is not None}
    if line_at is not None:
        defaults["thresholds"] = _steps(("transparent", "red"), (line_at,))
    overrides: list[dict[str, object]] = [
        {
            "matcher": {"id": "byName", "options": name},
            "properties": [{"id": "color", "value": {"mode": "fixed", "fixedColor": colour}}],
        }
        for name, colour in (painted or {}).items()
    ]
    if dashed:
        properties = [
            {"id": "custom.lineStyle", "value": {"fill": "dash", "dash": [6, 6]}},
            {"id": "custom.lineWidth", "value": 1},
            {"id": "custom.fillOpacity", "value": 0},
            {"id": "color", "value": {"mode": "fixed", "fixedColor": "#8e8e8e"}},
            {"id": "custom.stacking", "value": {"mode": "none", "group": "B"}},
        ]
        overrides.append(
            {"matcher": {"id": "byRegexp", "options": f"/.*{dashed}/"}, "properties": properties}
        )
    return _panel(
        "timeseries",
        title,
        description,
        size,
        targets,
        defaults=defaults,
        overrides=overrides,
        options={
            "legend": {
                "showLegend": True,
                "displayMode": "table" if calcs else "list",
                "placement": "right" if right else "bottom",
                "calcs": list(calcs),
                **({"sortBy": _CALC_NAMES[calcs[0]], "sortDesc": True} if calcs else {}),
            },
            "tooltip": {"mode": "multi", "sort": "desc"},
        },
        **({"interval": interval} if interval else {}),
    )


_CALC_NAMES = {"lastNotNull": "Last *", "mean": "Mean", "max": "Max", "sum": "Total"}


@dataclass(frozen=True, slots=True)
class Column:
    """
    A column of a table.

    Attributes:
        source: The label's name, or the letter of the query whose value it is.
        title: Its heading.
        unit: Of its numbers.
        decimals: Of its numbers.
        width: In pixels; 0 takes what is left.
        limits: Thresholds that colour its text.
        colours: One more than the limits.
        links: Data links.
        gauge: Draw the number over a bar.
        none: What a row without a value says; without it Grafana writes there what an empty table says.

    """

    source: str
    title: str
    unit: str = ""
    decimals: int | None = None
    width: int = 0
    limits: tuple[float, ...] = ()
    colours: tuple[str, ...] = GREEN_TO_RED
    links: list[dict[str, object]] = field(default_factory=list)
    gauge: bool = False
    none: str = " "

    def override(self) -> dict[str, object]:
        """The field override that Grafana applies to the renamed column."""
        properties: list[dict[str, object]] = [{"id": "noValue", "value": self.none}]
        if self.unit:
            properties.append({"id": "unit", "value": self.unit})
        if self.decimals is not None:
            properties.append({"id": "decimals", "value": self.decimals})
        if self.width:
            properties.append({"id": "custom.width", "value": self.width})
        if self.limits:
            properties.append({"id": "thresholds", "value": _steps(self.colours, self.limits)})
            cell = (
                {"type": "gauge", "mode": "basic", "valueDisplayMode": "text"}
                if self.gauge
                else {"type": "color-text"}
            )
            properties.append({"id": "custom.cellOptions", "value": cell})
            if self.gauge:
                properties += [{"id": "min", "value": 0}, {"id": "max", "value": self.limits[-1]}]
        if self.links:
            properties.append({"id": "links", "value": self.links})
        return {"matcher": {"id": "byName", "options": self.title}, "properties": properties}


def table(
    title: str,
    description: str,
    exprs: list[str],
    columns: list[Column],
    *,
    size: tuple[int, int] = (24, 10),
    sort: str = "",
    none: str = "no data",
) -> dict[str, object]:
    """Instant queries joined on their common labels, one row each; columns in the order given, all others hidden."""
    shown = {
        column.source if len(column.source) > 1 else f"Value #{column.source}": column for column in columns
    }
    if len(exprs) == 1:
        shown = {name.replace("Value #A", "Value"): column for name, column in shown.items()}
    return _panel(
        "table",
        title,
        description,
        size,
        [query(expr, instant=True, form="table") for expr in exprs],
        defaults={
            "custom": {"align": "auto", "inspect": False, "filterable": False},
            "noValue": none,
            "mappings": [],
        },
        overrides=[column.override() for column in columns],
        options={
            "showHeader": True,
            "cellHeight": "sm",
            "sortBy": [{"displayName": sort, "desc": True}] if sort else [],
        },
        transformations=[
            {"id": "merge", "options": {}},
            {
                "id": "organize",
                "options": {
                    "excludeByName": {"Time": True},
                    "indexByName": {name: place for place, name in enumerate(shown)},
                    "renameByName": {name: column.title for name, column in shown.items()},
                },
            },
        ],
    )


def bar_gauge(
    title: str,
    description: str,
    expr: str,
    unit: str,
    legend: str,
    *,
    size: tuple[int, int] = (8, 8),
    decimals: int = 2,
) -> dict[str, object]:
    """One horizontal bar for each series."""
    return _panel(
        "bargauge",
        title,
        description,
        size,
        [query(expr, legend, instant=True)],
        defaults={
            "unit": unit,
            "decimals": decimals,
            "min": 0,
            "noValue": "no data",
            "color": {"mode": "fixed", "fixedColor": "blue"},
            "thresholds": _steps(("blue",), ()),
        },
        options={
            "displayMode": "basic",
            "orientation": "horizontal",
            "showUnfilled": False,
            "valueMode": "text",
            "namePlacement": "left",
            "minVizHeight": 16,
            "maxVizHeight": 40,
            "sizing": "auto",
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        },
    )


def heatmap(
    title: str, description: str, expr: str, unit: str, *, size: tuple[int, int] = (12, 8)
) -> dict[str, object]:
    """Buckets of a histogram over time."""
    return _panel(
        "heatmap",
        title,
        description,
        size,
        [query(expr, "{{le}}", form="heatmap")],
        defaults={
            "custom": {
                "scaleDistribution": {"type": "linear"},
                "hideFrom": {"legend": False, "tooltip": False, "viz": False},
            }
        },
        options={
            "calculate": False,
            "cellGap": 1,
            "color": {
                "mode": "scheme",
                "scheme": "Blues",
                "exponent": 0.5,
                "steps": 64,
                "reverse": False,
                "fill": "blue",
            },
            "exemplars": {"color": "rgba(255,0,255,0.7)"},
            "filterValues": {"le": 1e-9},
            "legend": {"show": True},
            "rowsFrame": {"layout": "auto"},
            "showValue": "never",
            "tooltip": {"mode": "single", "showColorScale": False, "yHistogram": True},
            "yAxis": {"axisPlacement": "left", "reverse": False, "unit": unit},
        },
        interval="15m",
    )


def text(content: str, *, size: tuple[int, int] = (24, 3)) -> dict[str, object]:
    """A note in Markdown."""
    return {
        "type": "text",
        "title": "",
        "description": "",
        "size": size,
        "transparent": True,
        "options": {"mode": "markdown", "content": content},
    }
