"""Which videos still lack a segmentation, without Spark."""

from typing import Any

from schemas.lake import Lake
from schemas.snapshot import snapshot
from schemas.videos import REGISTERED
from udfs.registered import Registered
from udfs.staging import gone, local_path

MOST_ATTEMPTS = 3
"""A failure that may go away by itself is tried so often."""

COLUMNS = ("video_id", "uri", "has_audio", "audio_uri", "subtitle_uri", "spans", "duration_s", "width", "height")


def pending_videos(lake: Lake, preset: str, fingerprint: str, limit: int | None = None) -> list[dict[str, Any]]:
    """Videos without a row in `segmentations` of this preset and fingerprint, in the order of their ids, at most `limit`.

    Each with `registered`, which file it was, and `attempts`, how often it failed before. Those that failed with this fingerprint
    are left out, unless the failure may go away by itself: a video that had vanished is tried again when it is back, any other up to `MOST_ATTEMPTS` times.
    """
    engine = snapshot(lake.ledger, ("videos", "sources", "segmentations", "failures"))
    query = f"""
        WITH failed AS (
            SELECT entity, max(attempt) AS attempts, arg_max(code, attempt) AS code, arg_max(retryable, attempt) AS retryable
            FROM failures WHERE stage = 'segment' AND fingerprint = ? GROUP BY entity),
        done AS (SELECT DISTINCT video_id FROM segmentations WHERE preset = ? AND fingerprint = ?)
        SELECT {", ".join(f"v.{name}" for name in COLUMNS)}, registered, coalesce(attempts, 0) AS attempts, code
        FROM videos v ANTI JOIN done USING (video_id) LEFT JOIN {REGISTERED} USING (video_id) LEFT JOIN failed ON entity = v.video_id
        WHERE code IS NULL OR (retryable AND (code = 'vanished' OR attempts < {MOST_ATTEMPTS}))
        ORDER BY v.video_id"""
    rows = engine.sql(query, params=[fingerprint, preset, fingerprint]).to_arrow_table().to_pylist()
    return [row for row in rows if row["code"] != "vanished" or _is_back(row)][:limit]


def with_clips(lake: Lake, preset: str, video_ids: list[str]) -> set[str]:
    """Those of `video_ids` that have clips of a preset."""
    engine = snapshot(lake.ledger, ("clips",))
    query = "SELECT DISTINCT video_id FROM clips WHERE preset = ? AND video_id IN (SELECT unnest(?))"
    return {row[0] for row in engine.execute(query, [preset, video_ids]).fetchall()}


def _is_back(video: dict[str, Any]) -> bool:
    """Whether all files of a video that had vanished can be there, and its own is as it was; of an object store that is not asked here."""
    if gone(video["uri"], Registered.read(video["registered"]), failed_before=True):
        return False
    places = [local_path(uri) for uri in (video["uri"], video["audio_uri"], video["subtitle_uri"]) if uri]
    return all(place.exists() if place is not None else video["attempts"] < MOST_ATTEMPTS for place in places)
