"""What a benchmark has to do: the curated clips that may stand in it, and those that stand there already."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from jobs.bench_choice import COLUMNS, Candidate, Place
from jobs.export_plan import NUMBERED
from jobs.speakers import clip_speakers
from schemas.codes import RETRYABLE
from schemas.duck import connect
from schemas.lake import Lake
from schemas.manifest import released_record
from schemas.policy import Policy
from schemas.videos import REGISTERED
from udfs.bench_cutting import face_square
from udfs.registered import Registered
from udfs.staging import gone

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

STAGE = "bench"
SETTING = "bench"
"""Setting that says with which seed, length and axes the table was made."""
_FACES = "(SELECT clip_id, arg_max(head, scored_at) FILTER (head IS NOT NULL) AS head FROM scores GROUP BY clip_id)"


@dataclass
class Pool:
    """Clips to choose from, in the policy's own order; all curated ones (`clips`), and how many were passed over and why.

    `kept` are the places of the benchmark as it stands that are still worth keeping; `stale` is true where the table holds others, or says of a
    place another speaker.
    """

    candidates: list[Candidate] = field(default_factory=list)
    clips: set[str] = field(default_factory=set)
    too_short: int = 0
    unknown: int = 0
    kept: list[Place] = field(default_factory=list)
    stale: bool = False


def make_pool(lake: Lake, policy: Policy, clip_s: float, settings: Mapping[str, Any], fingerprint: str) -> Pool:
    """Look at what the policy keeps, and at the benchmark as it is: it stays when it was made with the same settings."""
    who = clip_speakers(lake)
    pool = Pool()
    with connect(lake.ledger, policy) as engine:
        rows = engine.sql(
            f"SELECT clip_id, video_id, start_s, end_s, {', '.join(COLUMNS.values())} FROM curated ORDER BY video_id, start_s, clip_id"
        ).to_arrow_table()
        failed = _failed(engine, fingerprint)
    for row in rows.to_pylist():
        pool.clips.add(row["clip_id"])
        clip_id, speaker = row["clip_id"], who.get(row["clip_id"])
        if row["end_s"] - row["start_s"] < clip_s - 1e-6:
            pool.too_short += 1
        elif speaker is None:
            pool.unknown += 1
        elif clip_id not in failed:
            start_s = round(row["start_s"] + max(0.0, row["end_s"] - row["start_s"] - clip_s) / 2, 3)
            labels = {name: row[name] for name in COLUMNS.values()}
            pool.candidates.append(Candidate(clip_id, row["video_id"], speaker.speaker_id, speaker.source, start_s, start_s + clip_s, labels))
    same = lake.ledger.setting(SETTING) == json.dumps(dict(settings), sort_keys=True)
    groups = {one.clip_id: one for one in pool.candidates}
    written = lake.ledger.read("bench").to_pylist()
    stands = [Place(row["clip_id"], row["axis"], row["group"], row["rank"]) for row in written]
    pool.kept = [place for place in stands if same and place.clip_id in groups and groups[place.clip_id].group(place.axis) == place.group]
    pool.kept.sort(key=lambda place: (place.axis, place.group, place.rank))
    told = {row["clip_id"]: row["speaker_id"] for row in written}
    pool.stale = len(pool.kept) < len(stands) or any(told[place.clip_id] != groups[place.clip_id].speaker_id for place in pool.kept)
    return pool


def media_facts(lake: Lake, places: Mapping[str, Candidate]) -> dict[str, dict[str, Any]]:
    """By clip what is needed to cut it: `uri, registered, audio_uri, crop, has_audio`, and `face`, the square around the faces seen in its span, if any."""
    with connect(lake.ledger) as engine:
        engine.execute("CREATE TEMP TABLE wanted AS SELECT unnest(?) AS clip_id", [list(places)])
        rows = engine.sql(
            "SELECT m.clip_id, v.uri, r.registered, v.audio_uri, m.crop, m.width, m.height, m.has_audio, m.start_s, h.head.faces AS faces "
            f"FROM wanted JOIN clip_metadata m USING (clip_id) JOIN videos v ON v.video_id = m.video_id "
            f"LEFT JOIN {REGISTERED} r ON r.video_id = m.video_id LEFT JOIN {_FACES} h ON h.clip_id = m.clip_id"
        ).to_arrow_table()
    found = {}
    for row in rows.to_pylist():
        one, crop = places[row["clip_id"]], row["crop"]
        size = (crop["right"] - crop["left"], crop["bottom"] - crop["top"]) if crop else (row["width"], row["height"])
        inside = [face["box"] for face in row["faces"] or () if one.start_s - 0.5 <= row["start_s"] + face["time_s"] <= one.end_s + 0.5]
        found[row["clip_id"]] = {name: row[name] for name in ("uri", "registered", "audio_uri", "crop", "has_audio")} | {"face": face_square(inside, *size)}
    return found


def records(lake: Lake, axis: str, places: Mapping[str, tuple[Place, Candidate]], files: Mapping[str, str | None]) -> list[dict[str, Any]]:
    """Released records of one subset's clips by group and rank; times and frames are those of the span, `Person ID` is empty as published."""
    with connect(lake.ledger) as engine:
        engine.execute("CREATE TEMP TABLE wanted AS SELECT unnest(?) AS clip_id", [list(places)])
        rows = engine.sql(f"SELECT n.* FROM (SELECT *, {NUMBERED} FROM clip_metadata) n JOIN wanted USING (clip_id)").to_arrow_table().to_pylist()
    made = []
    for row in sorted(rows, key=lambda row: (places[row["clip_id"]][0].group, places[row["clip_id"]][0].rank)):
        place, one = places[row["clip_id"]]
        first = (row["start_frame"] or 0) + round((one.start_s - row["start_s"]) * row["fps"])
        span = {"start_s": one.start_s, "end_s": one.end_s, "duration_s": one.end_s - one.start_s}
        span |= {"start_frame": first, "end_frame": first + round((one.end_s - one.start_s) * row["fps"]), "speaker_id": None}
        record = released_record(row | span, files[row["clip_id"]])
        head = record["head_detail"]
        made.append(record | {"head_detail": head and head | {"passed": True}, "subset": axis, "group": place.group, "rank": place.rank})
    return made


def _failed(engine: "DuckDBPyConnection", fingerprint: str) -> set[str]:
    """Clips that could not be cut and will not be by trying again: of those whose file had vanished, the ones for which it is not back as it was."""
    rows = engine.execute(
        'SELECT entity, code, uri, registered FROM (SELECT entity, arg_max(code, "at") AS code FROM failures WHERE stage = ? AND fingerprint = ? GROUP BY ALL) '
        f"JOIN clip_metadata ON clip_id = entity LEFT JOIN {REGISTERED} USING (video_id)",
        [STAGE, fingerprint],
    ).fetchall()
    return {
        entity
        for entity, code, uri, registered in rows
        if code not in RETRYABLE or (code == "vanished" and gone(uri, Registered.read(registered), failed_before=True))
    }
