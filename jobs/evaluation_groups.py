"""Groups of videos and their metrics, as rows of `evaluations`."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from inference.evaluating import FRAMES
from inference.metrics.catalogue import Metric, Settings
from inference.metrics.frechet import FID_DDOF, FVD_DDOF
from inference.metrics.gauges import SIDES, Features, Value
from inference.metrics.groups import Group, of_features, of_values
from jobs.evaluation_items import ALL, Item
from schemas.lake import Lake
from schemas.snapshot import snapshot
from udfs.fingerprint import fingerprint

_SIZED = frozenset({"fid", "fvd", "lmd"})
_MOST_SIZES = 3
VERSION = 2
"""Raised when groups have other numbers for the same videos and values."""
_DDOF = {"fid": FID_DDOF, "fvd": FVD_DDOF}


@dataclass
class Measured:
    """What is known of items, by metric and item: values, and features of the metrics that only sets have."""

    values: dict[str, dict[str, Value]] = field(default_factory=dict)
    features: dict[str, dict[str, Features]] = field(default_factory=dict)
    sizes: dict[str, dict[str, str]] = field(default_factory=dict)
    """By item and side, width x height of the frames that were looked at."""

    def has(self, metric: str, item_id: str) -> bool:
        """True where it was measured, be it that there is no value."""
        return item_id in self.values.get(metric, {})

    def add(self, row: Mapping[str, Any], wanted: Mapping[str, str]) -> None:
        """Take a row of `evaluated`; of it the metrics with the wanted fingerprints."""
        taken = [value for value in row["values"] or () if wanted.get(value["metric"]) == value["fingerprint"]]
        for value in taken:
            self.values.setdefault(value["metric"], {})[row["item_id"]] = Value(value["value"], value["reason"])
        names = {value["metric"] for value in taken}
        for one in row["features"] or ():
            rows = np.frombuffer(one["data"], "<f4").reshape(one["rows"], one["width"])
            if one["metric"] == FRAMES:
                self.sizes.setdefault(row["item_id"], {})[one["side"]] = "x".join(f"{px:.0f}" for px in rows[0])
            elif one["metric"] in names:
                self.features.setdefault(one["metric"], {}).setdefault(row["item_id"], {})[one["side"]] = rows


def known(lake: Lake, items: Sequence[Item], wanted: Mapping[str, str]) -> Measured:
    """What `evaluated` has of these items with these fingerprints (metric to fingerprint)."""
    measured = Measured()
    with snapshot(lake.ledger, ("evaluated",)) as engine:
        names = [item.item_id for item in items]
        query = "SELECT * FROM evaluated WHERE item_id IN (SELECT unnest(?::VARCHAR[])) ORDER BY measured_at"
        ours = engine.sql(query, params=[names]).to_arrow_table()
    for row in ours.to_pylist():
        measured.add(row, wanted)
    return measured


def rows(
    items: Sequence[Item],
    metrics: Sequence[Metric],
    lacking: Mapping[str, str],
    measured: Measured,
    axes: Sequence[str],
    settings: Settings,
    resamples: int,
) -> Iterator[dict[str, Any]]:
    """A row for each metric of all videos, and of each group of every axis; `lacking` has the sentence for metrics without weights."""
    models = sorted({item.model for item in items if item.model})
    grouped = {(ALL, ALL): list(items)}
    for axis in axes:
        for item in items:
            grouped.setdefault((axis, item.group(axis)), []).append(item)
    for metric in metrics:
        made = metric.name if metric.name in lacking else metric.fingerprint(settings)
        named = fingerprint("evaluation", VERSION, made, {str(number): model for number, model in enumerate(models)})
        for (axis, group), members in sorted(grouped.items(), key=lambda entry: (entry[0][0] != ALL, entry[0])):
            found = _of(metric, members, lacking, measured, resamples)
            told = metric.told(settings) + _counts_told(found) + _sizes_told(metric, members, measured) + _interval_told(metric, found)
            yield {
                "metric": metric.name,
                "group_axis": axis,
                "group_value": group,
                **{name: getattr(found, name) for name in ("value", "low", "high", "n", "clips", "reason")},
                "convention": told,
                "fingerprint": named,
            }


def _counts_told(found: Group) -> str:
    return f"; N1 = {found.sides[0]} generated, N2 = {found.sides[1]} real" if found.sides else ""


def _sizes_told(metric: Metric, members: Sequence[Item], measured: Measured) -> str:
    """The sizes of frames, the commonest first, for metrics whose numbers depend on them; videos without a noted size are not counted."""
    if metric.name not in _SIZED:
        return ""
    told = ""
    for side in SIDES:
        found = Counter(sizes[side] for item in members if side in (sizes := measured.sizes.get(item.item_id, {})))
        more = f" and {len(found) - _MOST_SIZES} other sizes" if len(found) > _MOST_SIZES else ""
        told += f"; {side} frames of {', '.join(size for size, _ in found.most_common(_MOST_SIZES))}{more}" if found else ""
    return told


def _interval_told(metric: Metric, found: Group) -> str:
    if not found.resamples:
        return ""
    return f"; interval of {found.resamples} resamples of videos" + (", centred on the value" if metric.of_sets else "")


def _of(metric: Metric, members: Sequence[Item], lacking: Mapping[str, str], measured: Measured, resamples: int) -> Group:
    ours = [item for item in members if item.generated or metric.of_sets]
    if metric.name in lacking:
        return Group(None, None, None, 0, len(ours), lacking[metric.name])
    nothing = Value(reason="it could not be measured, see the table failures")
    values = [measured.values.get(metric.name, {}).get(item.item_id, nothing) for item in ours]
    if not metric.of_sets:
        return of_values(values, resamples) if values else Group(None, None, None, 0, 0, "there are no generated videos in the group")
    features = [measured.features.get(metric.name, {}).get(item.item_id, {}) for item in ours]
    return of_features(features, _DDOF[metric.name], resamples, values)
