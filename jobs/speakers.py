"""Speakers of a lake's clips, and which clips the benchmark keeps out of training."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from schemas.ids import video_of
from schemas.lake import Lake
from schemas.snapshot import snapshot
from udfs.speakers import Sighting, Speaker, speakers

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_SEEN = """
    SELECT c.clip_id, c.video_id, nullif(trim(v.labels.speaker_id), '') AS label, h.head.backend AS backend, h.head.embedding AS embedding
    FROM (SELECT DISTINCT clip_id, video_id FROM clips UNION SELECT unnest(?::VARCHAR[]), unnest(?::VARCHAR[])) c JOIN videos v USING (video_id)
    LEFT JOIN (SELECT clip_id, arg_max(head, scored_at) FILTER (head.embedding IS NOT NULL) AS head FROM scores GROUP BY clip_id) h USING (clip_id)
    ORDER BY c.video_id, c.clip_id"""


@dataclass(frozen=True)
class Exclusion:
    """What a benchmark keeps out of training: `clips`. `untold` clips stay in, though nobody can tell whom they show: no label, no face measured."""

    clips: frozenset[str] = frozenset()
    untold: frozenset[str] = frozenset()


def clip_speakers(lake: Lake) -> dict[str, Speaker]:
    """The speaker of every clip, of any preset, that has a label or a measured face."""
    with snapshot(lake.ledger, ("clips", "videos", "scores")) as engine:
        return speakers(_sightings(engine, {}))


def bench_exclusion(lake: Lake) -> Exclusion:
    """Clips that may not be trained on: all that show a speaker of the benchmark, and all of a benchmark clip's video.

    Worked out from the tables as they are, so that a video that came later is kept out too. Nothing without a benchmark.
    """
    if lake.place.version("bench") < 0:
        return Exclusion()
    bench = lake.ledger.read("bench", ("clip_id", "speaker_id")).to_pylist()
    return excluded(lake, {row["clip_id"] for row in bench}, {row["speaker_id"] for row in bench}) if bench else Exclusion()


def excluded(lake: Lake, chosen: Iterable[str], named: Iterable[str]) -> Exclusion:
    """Clips that show whom the `chosen` clips show, or one of the `named` speakers, or that lie in a chosen clip's video.

    A chosen clip that another segmentation replaced counts still: its id names its video, and its face lies in `scores`.
    """
    held = set(chosen)
    with snapshot(lake.ledger, ("clips", "videos", "scores")) as engine:
        videos = dict(engine.execute("SELECT DISTINCT clip_id, video_id FROM clips").fetchall())
        gone = {clip_id: video_id for clip_id in held - set(videos) if (video_id := video_of(clip_id))}
        who = speakers(_sightings(engine, gone))
    # A cluster's name may change when clips come or go, its clips' company does not.
    persons = set(named) | {who[clip_id].speaker_id for clip_id in held if clip_id in who}
    shown = {videos[clip_id] for clip_id in held if clip_id in videos} | set(gone.values())
    alike = {clip_id for clip_id, speaker in who.items() if speaker.speaker_id in persons}
    out = held | alike | {clip_id for clip_id, video_id in videos.items() if video_id in shown}
    return Exclusion(frozenset(out), frozenset(videos.keys() - who.keys() - out))


def _sightings(engine: "DuckDBPyConnection", gone: Mapping[str, str]) -> list[Sighting]:
    """Of all clips, and of those that are `gone` (to their videos)."""
    table = engine.sql(_SEEN, params=[list(gone), list(gone.values())]).to_arrow_table().combine_chunks()
    faces = table["embedding"].combine_chunks()
    flat = faces.values.to_numpy(zero_copy_only=False)
    ends = faces.offsets.to_pylist()
    known = faces.is_valid().to_pylist()
    columns = (table[name].to_pylist() for name in ("clip_id", "video_id", "label", "backend"))
    found = []
    for index, (clip_id, video_id, label, backend) in enumerate(zip(*columns, strict=True)):
        vector = _unit(flat[ends[index] : ends[index + 1]]) if known[index] and ends[index] < ends[index + 1] else None
        found.append(Sighting(clip_id, video_id, label, backend, vector))
    return found


def _unit(values: np.ndarray) -> np.ndarray:
    vector = np.asarray(values, np.float64)
    return vector / (np.linalg.norm(vector) or 1.0)
