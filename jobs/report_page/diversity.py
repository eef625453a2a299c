"""Who and what is in the clips, before and after the policy."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

NOT_STATED = "not stated"
MOST_GROUPS = 12
_SHORT_SIDE = "least(width, height)"

DIMENSIONS: dict[str, tuple[str, str]] = {
    "Language": (f"coalesce(language, '{NOT_STATED}')", "clips DESC"),
    "Age group": (f"coalesce(age_group, '{NOT_STATED}')", "name"),
    "Gender": (f"coalesce(gender, '{NOT_STATED}')", "clips DESC"),
    "Ethnicity": (f"coalesce(ethnicity, '{NOT_STATED}')", "clips DESC"),
    "Resolution (short side, px)": (
        f"CASE WHEN {_SHORT_SIDE} < 360 THEN 'under 360' WHEN {_SHORT_SIDE} < 480 THEN '360 to 479' WHEN {_SHORT_SIDE} < 720 THEN '480 to 719' "
        f"WHEN {_SHORT_SIDE} < 1080 THEN '720 to 1079' ELSE '1080 and more' END",
        f"min({_SHORT_SIDE})",
    ),
    "Duration": (
        "CASE WHEN duration_s < 3 THEN 'under 3 s' WHEN duration_s < 5 THEN '3 to 5 s' WHEN duration_s < 10 THEN '5 to 10 s' "
        "WHEN duration_s < 20 THEN '10 to 20 s' WHEN duration_s < 30 THEN '20 to 30 s' ELSE '30 s and more' END",
        "min(duration_s)",
    ),
}
"""Title to the SQL expression that names a clip's group, and to the groups' order."""


@dataclass(frozen=True)
class Group:
    """Clips and hours of one group, before and after the policy."""

    name: str
    clips: int
    kept: int
    hours: float
    kept_hours: float


def groups(engine: "DuckDBPyConnection") -> dict[str, list[Group]]:
    """The groups of each dimension, in its order; the last are joined when there are many."""
    return {title: _groups(engine, name, order) for title, (name, order) in DIMENSIONS.items()}


def _groups(engine: "DuckDBPyConnection", name: str, order: str) -> list[Group]:
    rows = engine.execute(
        f"SELECT {name} AS name, count(*) AS clips, count(*) FILTER (kept), sum(duration_s) / 3600, "
        f"coalesce(sum(duration_s) FILTER (kept), 0) / 3600 FROM judged GROUP BY 1 ORDER BY {order}, 1"
    ).fetchall()
    found = [Group(*row) for row in rows]
    shown, rest = found[:MOST_GROUPS], found[MOST_GROUPS:]
    if rest:
        sums = [sum(values) for values in zip(*((group.clips, group.kept, group.hours, group.kept_hours) for group in rest), strict=True)]
        shown.append(Group(f"{len(rest)} others", *sums))
    return shown
