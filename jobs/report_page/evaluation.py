"""The page of an evaluation: all videos, then each axis by groups, with intervals drawn; every text is escaped."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from inference.metrics.catalogue import BY_NAME, Metric
from jobs.evaluation_items import ALL, Items
from jobs.report_page import plots, render
from jobs.text_table import escaped, table

Row = Mapping[str, Any]
MOST_LETTERS = 80
"""Of a reason in a table of text."""
_WIDTH, _HEIGHT = 220, 16


@dataclass(frozen=True)
class Panel:
    """One metric on one axis: the rows of its groups, those without a value last."""

    metric: Metric
    rows: Sequence[Row]

    @property
    def ends(self) -> tuple[float, float] | None:
        """The least and the greatest number to draw; None when there is none, or just one."""
        found = [row[name] for row in self.rows for name in ("value", "low", "high") if row[name] is not None and math.isfinite(row[name])]
        return (min(found), max(found)) if found and min(found) < max(found) else None


def page(videos: Items, metrics: Sequence[Metric], facts: Mapping[str, Any]) -> str:
    """One self-contained HTML page. `facts`: `rows` of `evaluations`, `made_at`, `lake`, and `failures` (name, code, detail)."""
    rows: Sequence[Row] = facts["rows"]
    whole = [row for row in rows if row["group_axis"] == ALL]
    axes = list(dict.fromkeys(row["group_axis"] for row in rows if row["group_axis"] != ALL))
    panels = {axis: [panel for metric in metrics if (panel := _panel(metric, axis, rows)) is not None] for axis in axes}
    told = {
        "metrics": BY_NAME,
        "whole": [row for row in whole if row["value"] is not None],
        "absent": [row for row in whole if row["value"] is None],
        "reasons": _reasons(whole),
        "panels": {axis: found for axis, found in panels.items() if found},
        "alone": [axis for axis in axes if not panels[axis]],
        "source": videos.source,
        "models": videos.models,
        "unmade": videos.unmade,
        "videos": sum(1 for item in videos.items if item.generated),
        "pairs": sum(1 for item in videos.items if item.generated and item.real),
        "random": random_sentence(videos),
        "interval": interval,
        "shown": shown,
    }
    return render.page(dict(facts) | told, "evaluation.html")


def random_sentence(videos: Items) -> str:
    """What must be said first of videos from random weights; empty where there are none."""
    of_random = sum(1 for item in videos.items if (item.model or "").startswith("random:"))
    return (
        f"RANDOM WEIGHTS: {of_random} of {len(videos.items)} videos were made by a model with random weights; their numbers mean nothing" if of_random else ""
    )


def as_text(rows: Sequence[Row]) -> str:
    """The metrics of all videos as an aligned table."""
    cells = []
    for row in rows:
        if row["group_axis"] == ALL:
            bounds = f"{shown(row['low'])} to {shown(row['high'])}" if row["low"] is not None else ""
            note = row["reason"] or BY_NAME[row["metric"]].unit
            cells.append((row["metric"], shown(row["value"]), bounds, f"{row['n']} of {row['clips']}", _in_short(note)))
    return escaped(table(("metric", "value", "95 % interval", "videos", ""), cells, (False, True, True, True, False)), keep="\n")


def _in_short(reason: str) -> str:
    """What fits into a line: a long reason ends where its details begin, and is left without what stands in brackets."""
    if len(reason) <= MOST_LETTERS:
        return reason
    first = reason.partition(": ")[0]
    return f"{first.partition(' (')[0]}{first.rpartition(')')[2]}"


def shown(value: float | None) -> str:
    """A number for people; a dash for none."""
    if value is None:
        return "–"
    return "∞" if math.isinf(value) else plots.number(value)


def interval(panel: Panel, row: Row) -> Markup:
    """A dot at the value and a line over its interval, on the panel's scale; nothing where the value cannot be drawn."""
    if panel.ends is None or row["value"] is None or not math.isfinite(row["value"]):
        return Markup("")
    low, high = panel.ends

    def place(value: float) -> float:
        return 6 + (_WIDTH - 12) * (value - low) / (high - low)

    parts = [Markup('<svg class="interval" viewBox="0 0 {} {}" role="img" aria-label="{}">').format(_WIDTH, _HEIGHT, row["group_value"])]
    parts.append(Markup('<line class="axis" x1="0" x2="{0}" y1="8" y2="8"/>').format(_WIDTH))
    if row["low"] is not None and math.isfinite(row["low"]) and math.isfinite(row["high"]):
        parts.append(Markup('<rect class="bar" x="{:.1f}" y="6" width="{:.1f}" height="4"/>').format(place(row["low"]), place(row["high"]) - place(row["low"])))
    parts.append(Markup('<circle class="bar" cx="{:.1f}" cy="8" r="5"/></svg>').format(place(row["value"])))
    return Markup("").join(parts)


def _reasons(whole: Sequence[Row]) -> dict[str, list[str]]:
    """By reason, the titles of the metrics that have no value for it."""
    found: dict[str, list[str]] = {}
    for row in whole:
        if row["value"] is None:
            found.setdefault(row["reason"] or "", []).append(BY_NAME[row["metric"]].title)
    return found


def _panel(metric: Metric, axis: str, rows: Sequence[Row]) -> Panel | None:
    """None where no group has a value, or nothing tells groups apart."""
    ours = [row for row in rows if row["group_axis"] == axis and row["metric"] == metric.name]
    if not any(row["value"] is not None for row in ours) or len({row["group_value"] for row in ours}) < 2:
        return None
    return Panel(metric, sorted(ours, key=lambda row: (row["value"] is None, row["group_value"] == "not stated", row["group_value"])))
