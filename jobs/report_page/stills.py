"""Contact sheets: real frames of kept clips, and of dropped ones with the rules that dropped them."""

import base64
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from jobs.report_page.facts import FIRST_RULE
from jobs.report_page.plots import number
from schemas.codes import CODES, Rejected
from schemas.policy import Policy, Rule
from schemas.videos import REGISTERED
from udfs.media import still
from udfs.registered import Registered
from udfs.staging import staged

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

MOST_KEPT = 8
MOST_DROPPED = 16
WIDTH_PX = 320
MISSING = ":missing"
"""End of the name of a failed rule whose value is missing."""


@dataclass(frozen=True)
class Tile:
    """One clip. `picture` is a data URI, or `lacks` says why there is none.

    `failed` are (rule, measured value) of the rules that it fails, `missing` the rules that found no value.
    """

    clip_id: str
    name: str
    duration_s: float
    picture: str
    lacks: str
    failed: tuple[tuple[str, str], ...]
    missing: tuple[str, ...]


@dataclass(frozen=True)
class Sheet:
    """Clips of one fate: kept (`rule` is None), or dropped first by `rule`; `clips` of them are in the lake."""

    rule: Rule | None
    clips: int
    tiles: tuple[Tile, ...]


def sheets(engine: "DuckDBPyConnection", policy: Policy) -> list[Sheet]:
    """A sheet for the kept clips, then one for each rule that drops some, in the policy's order."""
    sizes = dict(engine.execute("SELECT fate, count(*) FROM judged GROUP BY fate").fetchall())
    chosen = _chosen(engine, sizes)
    rows = {clip["clip_id"]: clip for clip in _clips(engine, [clip_id for ids in chosen.values() for clip_id in ids])}
    with ThreadPoolExecutor(2) as pool:
        tiles = dict(zip(rows, pool.map(lambda clip: _tile(clip, policy), rows.values()), strict=True))
    return [
        Sheet(policy.rules[fate - FIRST_RULE] if fate else None, sizes[fate], tuple(tiles[clip_id] for clip_id in ids))
        for fate, ids in sorted(chosen.items())
        if ids
    ]


def _chosen(engine: "DuckDBPyConnection", sizes: dict[int, int]) -> dict[int, list[str]]:
    """Clip ids by fate: spread over rules, then over videos; the same clips every time."""
    ranked = engine.execute(
        "SELECT fate, clip_id FROM (SELECT fate, clip_id, row_number() OVER (PARTITION BY fate ORDER BY nth, md5(clip_id)) AS place FROM "
        "(SELECT fate, clip_id, row_number() OVER (PARTITION BY fate, video_id ORDER BY md5(clip_id)) AS nth FROM judged)) "
        "WHERE place <= ? ORDER BY fate, place",
        [max(MOST_KEPT, MOST_DROPPED)],
    ).fetchall()
    by_fate: dict[int, list[str]] = defaultdict(list)
    for fate, clip_id in ranked:
        by_fate[fate].append(clip_id)
    chosen = {fate: ids[:MOST_KEPT] if fate == 0 else [] for fate, ids in by_fate.items()}
    left = MOST_DROPPED
    for place in range(MOST_DROPPED):
        for fate in sorted(by_fate):
            if fate and left and place < len(by_fate[fate]):
                chosen[fate].append(by_fate[fate][place])
                left -= 1
    return chosen


def _clips(engine: "DuckDBPyConnection", clip_ids: list[str]) -> list[dict[str, Any]]:
    return (
        engine.sql(f"SELECT * FROM judged LEFT JOIN {REGISTERED} USING (video_id) WHERE list_contains(?, clip_id)", params=[clip_ids])
        .to_arrow_table()
        .to_pylist()
    )


def _tile(clip: dict[str, Any], policy: Policy) -> Tile:
    picture, lacks = "", ""
    crop = clip["crop"]
    try:
        with staged(clip["uri"], Registered.read(clip["registered"])) as media:
            box = (crop["left"], crop["top"], crop["right"], crop["bottom"]) if crop else None
            jpeg = still(media, (clip["start_s"] + clip["end_s"]) / 2, None, width_px=WIDTH_PX, crop=box)
        picture = "data:image/jpeg;base64," + base64.b64encode(jpeg).decode()
    except Rejected as rejection:
        lacks = CODES[rejection.code]
    rules = {rule.name: rule for rule in policy.rules}
    failed = tuple((name, _value(clip, rules[name])) for name in clip["failed"] if not name.endswith(MISSING))
    missing = tuple(name.removesuffix(MISSING) for name in clip["failed"] if name.endswith(MISSING))
    return Tile(clip["clip_id"], clip["title"] or PurePath(clip["uri"]).name, clip["duration_s"], picture, lacks, failed, missing)


def _value(clip: dict[str, Any], rule: Rule) -> str:
    struct, _, leaf = rule.column.partition(".")
    value = clip[struct][leaf] if leaf else clip[struct]
    return number(value) if isinstance(value, float) else str(value).lower()
