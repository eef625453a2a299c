"""Speakers of a lake's clips, and which clips the benchmark keeps out of training."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from schemas.lake import Lake
from schemas.snapshot import snapshot
from udfs.speakers import Sighting, Speaker, speakers

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_SEEN = """
    SELECT c.clip_id, c.video_id, nullif(trim(v.labels.speaker_id), '') AS label, h.head.backend AS backend, h.head.embedding AS embedding
    FROM (SELECT DISTINCT clip_id, video_id FROM clips) c JOIN videos v USING (video_id)
    LEFT JOIN (SELECT clip_id, arg_max(head, scored_at) FILTER (head.embedding IS NOT NULL) AS head FROM scores GROUP BY clip_id) h USING (clip_id)
    ORDER BY c.video_id, c.clip_id"""


def clip_speakers(lake: Lake) -> dict[str, Speaker]:
    """The speaker of every clip, of any preset, that has a label or a measured face."""
    with snapshot(lake.ledger, ("clips", "videos", "scores")) as engine:
        return speakers(_sightings(engine))


def bench_excluded_clips(lake: Lake) -> set[str]:
    """Clips that may not be trained on: all that show a speaker of the benchmark, and all of a benchmark clip's video.

    Worked out from the tables as they are, so that a video that came later is kept out too. Empty without a benchmark.
    """
    if lake.place.version("bench") < 0:
        return set()
    bench = lake.ledger.read("bench", ("clip_id", "speaker_id")).to_pylist()
    return excluded(lake, {row["clip_id"] for row in bench}, {row["speaker_id"] for row in bench}) if bench else set()


def excluded(lake: Lake, chosen: Iterable[str], named: Iterable[str]) -> set[str]:
    """Clips that show whom the `chosen` clips show now, or one of the `named` speakers, or that lie in a chosen clip's video."""
    held = set(chosen)
    who = clip_speakers(lake)
    # A cluster's name may change when clips come or go, its clips' company does not.
    persons = set(named) | {who[clip_id].speaker_id for clip_id in held if clip_id in who}
    with snapshot(lake.ledger, ("clips",)) as engine:
        videos = dict(engine.execute("SELECT DISTINCT clip_id, video_id FROM clips").fetchall())
    shown = {videos[clip_id] for clip_id in held if clip_id in videos}
    alike = {clip_id for clip_id, speaker in who.items() if speaker.speaker_id in persons}
    return held | alike | {clip_id for clip_id, video_id in videos.items() if video_id in shown}


def _sightings(engine: "DuckDBPyConnection") -> list[Sighting]:
    table = engine.sql(_SEEN).to_arrow_table().combine_chunks()
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
