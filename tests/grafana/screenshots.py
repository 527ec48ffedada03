"""
Pictures of the dashboards over a simulated month.

    python -m tests.grafana.screenshots --preview FOLDER    draws docs/images/*.png
    python -m tests.grafana.screenshots --serve             leaves Prometheus running, for a Grafana of your own

FOLDER holds a `preview.mjs` that takes --dashboard, --prom, --from, --to, --var, --width, --theme and --out; it is no part
of this package.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from grafana.recording import recording_groups
from tests.grafana.backfill import backfill, blocks
from tests.grafana.month import STEP_SECONDS, write
from tests.grafana.servers import prometheus

ROOT = Path(__file__).parents[2]
UNTIL = datetime(2026, 11, 23, 14, 30, tzinfo=UTC)
DAYS = 30
END = int(UNTIL.timestamp())
PICTURES = {
    "spend": ("spend", 7, "dark", ()),
    "spend-light": ("spend", 7, "light", ()),
    "feature": ("feature", 4, "dark", ("feature=document_summarisation",)),
    "trust": ("trust", 7, "dark", ()),
    "orphans": ("orphans", 21, "dark", ()),
}


def simulate(data: Path) -> None:
    """Stores the month and what the recording rules make of it."""
    with tempfile.TemporaryDirectory() as folder:
        text = Path(folder) / "month.txt"
        with text.open("w") as out:
            write(UNTIL, DAYS, out)
        data.mkdir(parents=True, exist_ok=True)
        blocks(text, data)
    backfill(data, recording_groups(), END - DAYS * 86400, END, STEP_SECONDS)


def smaller(picture: Path) -> None:
    """Reduces a picture to 256 colours, which is nearly all that dashboards are drawn with."""
    from PIL import Image

    with Image.open(picture) as drawn:
        drawn.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(picture, optimize=True)


def main() -> int:
    """Exit code 0, or 2 where the preview is not at hand."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--preview", type=Path, default=os.environ.get("DASHBOARD_PREVIEW"))
    parser.add_argument("--serve", action="store_true")
    parser.add_argument("--data", type=Path, help="keep the simulated month here and use it again")
    chosen = parser.parse_args()
    if not chosen.serve and (chosen.preview is None or not (Path(chosen.preview) / "preview.mjs").is_file()):
        print(
            "no preview at hand: name its folder with --preview or DASHBOARD_PREVIEW, or use --serve and your own Grafana"
        )
        return 2
    with tempfile.TemporaryDirectory() as folder:
        data = chosen.data or Path(folder) / "data"
        if not data.exists():
            simulate(data)
        with prometheus(
            data, "global: {}\n", "--web.cors.origin=.*", port=9090 if chosen.serve else 0
        ) as url:
            if chosen.serve:
                print(
                    f"Prometheus is on {url}; choose a time range that ends at {UNTIL:%Y-%m-%d %H:%M} UTC. Enter ends it."
                )
                input()
                return 0
            for name, (dashboard, days, theme, variables) in PICTURES.items():
                picture = ROOT / f"docs/images/{name}.png"
                picture.parent.mkdir(exist_ok=True)
                command = [
                    "node",
                    Path(chosen.preview) / "preview.mjs",
                    "--prom",
                    url,
                    "--theme",
                    theme,
                    "--width",
                    "1200",
                ]
                command += ["--dashboard", ROOT / f"grafana/dashboards/{dashboard}.json", "--out", picture]
                command += ["--from", str((END - days * 86400) * 1000), "--to", str(END * 1000)]
                command += [part for variable in variables for part in ("--var", variable)]
                subprocess.run(command, check=True)
                picture.with_suffix(".json").unlink(missing_ok=True)
                smaller(picture)
    return 0


if __name__ == "__main__":
    sys.exit(main())
