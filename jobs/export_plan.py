"""What an export has to do: which clips are wanted, which of them are there already, which are no longer wanted."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from jobs.layouts import Layout
from jobs.random_weights import random_scorers
from schemas.codes import RETRYABLE
from schemas.duck import connect
from schemas.lake import Lake
from schemas.manifest import released_record
from schemas.policy import Policy
from schemas.policy_sql import keeps_sql
from schemas.videos import REGISTERED
from udfs.fingerprint import fingerprint
from udfs.registered import Registered
from udfs.staging import gone

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

VERSION = 1
"""Raised when the files that an export writes change for the same settings."""

STAGE = "export"
NUMBERED = "row_number() OVER (PARTITION BY video_id, shot_index ORDER BY start_s, end_s) AS part, coalesce(shot_index, 0) + 1 AS scene"
"""Columns that number a video's scenes, and the clips of each, in the released ids."""


@dataclass(frozen=True)
class Settings:
    """What shapes the files of an export. `fps` None keeps the source's frames."""

    layout: str
    fps: float | None
    media: bool

    def json(self) -> str:
        """As it is kept in `exports`."""
        return json.dumps({"version": VERSION, "layout": self.layout, "fps": self.fps, "media": self.media}, sort_keys=True)

    @property
    def fingerprint(self) -> str:
        """As failures are kept under."""
        return fingerprint(STAGE, VERSION, self)


@dataclass
class Plan:
    """Clips by what happens to them; `present`, `new` and `failed` (with their failures' codes) together are all that is wanted.

    `files` says where the media of present clips are, below the export's folder. `vanished` failures, with
    what they say, are not in the ledger yet.
    `random` counts the clips by scorer whose scores come from random weights.
    """

    present: set[str] = field(default_factory=set)
    new: list[dict[str, Any]] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    vanished: dict[str, str] = field(default_factory=dict)
    attempts: dict[str, int] = field(default_factory=dict)
    stale: list[dict[str, Any]] = field(default_factory=list)
    files: dict[str, str | None] = field(default_factory=dict)
    random: dict[str, int] = field(default_factory=dict)


def make_plan(lake: Lake, policy: Policy, settings: Settings, layout: Layout, limit: int | None) -> Plan:
    """Compare the clips that a policy keeps with what was exported to the layout's folder."""
    with connect(lake.ledger, policy) as engine:
        kept = kept_sql(engine, policy)
        wanted = engine.sql(_wanted_sql(kept)).to_arrow_table().to_pylist()
        random = random_scorers(engine, kept)
        rows = engine.sql("SELECT * FROM exports WHERE out = ?", params=[str(layout.out)]).to_arrow_table().to_pylist()
        failures = engine.execute(
            'SELECT entity, max(attempt), arg_max(code, "at") FROM failures WHERE stage = ? AND fingerprint = ? GROUP BY entity',
            [STAGE, settings.fingerprint],
        ).fetchall()
    plan = Plan(random=random, attempts={entity: attempt for entity, attempt, _ in failures})
    ids = {clip["clip_id"] for clip in wanted}
    same = [row for row in rows if row["clip_id"] in ids and row["settings"] == settings.json()]
    plan.present = layout.present(same)
    plan.files = {row["clip_id"]: row["file"] for row in same if row["clip_id"] in plan.present}
    plan.stale = [row for row in rows if row["clip_id"] not in plan.present]
    codes = {entity: code for entity, _, code in failures}
    for clip in wanted:
        clip_id = clip["clip_id"]
        if clip_id in plan.present:
            continue
        has_vanished = codes.get(clip_id) == "vanished"
        lost = gone(clip["uri"], Registered.read(clip["registered"]), failed_before=has_vanished) if settings.media else None
        if lost is not None:
            plan.failed[clip_id] = "vanished"
            plan.vanished |= {} if has_vanished else {clip_id: lost}
        elif codes.get(clip_id) is not None and codes[clip_id] not in RETRYABLE:
            plan.failed[clip_id] = codes[clip_id]
        elif limit is None or len(plan.new) < limit:
            plan.new.append(clip)
    return plan


def records(lake: Lake, policy: Policy, files: dict[str, str | None]) -> Iterator[dict[str, Any]]:
    """The released records of the clips in `files`, sorted by clip."""
    with connect(lake.ledger, policy) as engine:
        rows = engine.sql(f"SELECT * FROM (SELECT *, {NUMBERED} FROM clip_metadata) ORDER BY clip_id").to_arrow_reader(10_000)
        for batch in rows:
            for clip in batch.to_pylist():
                if clip["clip_id"] in files:
                    yield released_record(clip, files[clip["clip_id"]])


def kept_sql(engine: "DuckDBPyConnection", policy: Policy) -> str:
    """Clips that the policy's verdicts keep; judged now when the policy was never saved in this lake."""
    decided = engine.execute("SELECT count(*) FROM verdicts WHERE policy = ? AND policy_hash = ?", [policy.name, policy.policy_hash]).fetchall()[0][0]
    return "curated" if decided else f"(SELECT * FROM clip_metadata WHERE {keeps_sql(policy)})"


def _wanted_sql(kept: str) -> str:
    columns = ", ".join(f"kept.{name}" for name in ("clip_id", "video_id", "uri", "start_s", "end_s", "crop", "width", "height"))
    joined = f"{kept} kept JOIN videos USING (video_id) LEFT JOIN {REGISTERED} USING (video_id)"
    return f"SELECT {columns}, videos.audio_uri, registered FROM {joined} ORDER BY kept.video_id, kept.start_s, kept.clip_id"
