"""A few rows of `samples` from made-up footage, for tests of the data stream: small pictures, key points that move, made-up sound features."""

import io
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

import av
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from schemas.lake import Lake
from training.reading_plan import RowPlace
from training.snapshot import Snapshot, SnapshotFile, stored_rows
from udfs.footage.encoder import write_video

SIDE = 64
WIDTH = 8
X264 = {"c:v": "libx264", "preset": "veryfast", "crf": 12, "pix_fmt": "yuv420p", "threads": 1, "g": 12, "bf": 0}


@lru_cache(64)
def video(frames: int, seed: int = 0, side: int = SIDE) -> bytes:
    """A square video at 25 fps of noise that drifts: no two frames look alike, and left is not right."""
    random = np.random.default_rng(seed)
    wide = np.repeat(np.repeat(random.integers(0, 256, (side // 8, side // 8 + frames, 3), dtype=np.uint8), 8, 0), 8, 1)
    with TemporaryDirectory() as folder:
        pictures = (wide[:, 8 * number : 8 * number + side] for number in range(frames))
        return write_video(Path(folder, "v.mp4"), pictures, 25.0, video_options=X264).read_bytes()


def decoded(row: dict) -> np.ndarray:
    """All pictures of a row's video, (frames, H, W, 3)."""
    with av.open(io.BytesIO(row["video"])) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


def sample(clip_id: str, frames: int = 50, seed: int = 0, side: int = SIDE, **others: object) -> dict:
    """A row of `samples`; `others` replace values."""
    random = np.random.default_rng(seed)
    keypoints = side * np.array([[0.3, 0.3], [0.7, 0.3], [0.5, 0.5], [0.4, 0.8], [0.6, 0.8]]) + random.normal(0, 1, (frames, 5, 2))
    corner = random.uniform(0.2, 0.5, (frames, 2)) * side
    rows = 2 * frames - 1
    row = {"clip_id": clip_id, "video_id": f"video of {clip_id}", "speaker_id": f"speaker of {clip_id}", "language": "English"}
    row |= {"frames": frames, "fps": 25.0, "side_px": side, "video": video(frames, seed, side)}
    row |= {"keypoints": keypoints.astype(np.float32).ravel().tolist(), "boxes": [0.0] * frames * 4, "interpolated": [0] * frames}
    row |= {"lip_boxes": np.hstack([corner, corner + side / 4]).astype(np.float32).ravel().tolist(), "lip_source": "mouth_corners"}
    row |= {"audio_features": random.normal(size=(rows, WIDTH)).astype(np.float16).tobytes(), "audio_rows": rows, "audio_width": WIDTH}
    row |= {"crop": [0, 0, side, side], "face_backend": "made-up", "duration_s": frames / 25, "fingerprint": "random:prepare-v1-0"}
    return row | {"run_id": "prepare-1", "prepared_at": datetime.now(UTC)} | others


COLUMNS = pa.schema(
    [
        ("clip_id", pa.string()),
        ("frames", pa.int32()),
        ("fps", pa.float64()),
        ("side_px", pa.int32()),
        ("video", pa.binary()),
        ("keypoints", pa.list_(pa.float32())),
        ("lip_boxes", pa.list_(pa.float32())),
        ("audio_features", pa.binary()),
        ("audio_rows", pa.int32()),
        ("audio_width", pa.int32()),
        ("latents", pa.binary()),
    ]
)


def snapshot_of(folder: Path, rows: Sequence[dict], rows_per_group: int = 3, groups_per_file: int = 2) -> Snapshot:
    """A snapshot of plain Parquet files that hold these rows, without a lake."""
    files, places = [], []
    per_file = rows_per_group * groups_per_file
    for number, start in enumerate(range(0, len(rows), per_file)):
        part = rows[start : start + per_file]
        path = folder / f"part-{number}.parquet"
        pq.write_table(pa.Table.from_pylist(part, schema=COLUMNS), path, row_group_size=rows_per_group, write_page_checksum=True)
        groups = [len(part[at : at + rows_per_group]) for at in range(0, len(part), rows_per_group)]
        files.append(SnapshotFile(str(path), tuple(groups)))
        places += [RowPlace(number, at // rows_per_group, at % rows_per_group) for at in range(len(part))]
    return made_of(rows, files, places)


def made_of(rows: Sequence[dict], files: Iterable[SnapshotFile], places: Sequence[RowPlace]) -> Snapshot:
    """A snapshot whose rows lie at `places`."""
    from training.snapshot import unit_numbers

    ids, frames = tuple(row["clip_id"] for row in rows), tuple(row["frames"] for row in rows)
    units = tuple(unit_numbers(places).tolist())
    latents = "vae-v1" if all(row.get("latents") for row in rows) else None
    return Snapshot(
        "/nowhere",
        0,
        ids,
        frames,
        units,
        tuple(files),
        tuple(places),
        rows[0]["side_px"],
        25.0,
        rows[0].get("audio_width", WIDTH),
        ("random:prepare-v1-0",),
        latents,
    )


def in_lake(lake: Lake) -> Snapshot:
    """The snapshot of all samples of a lake, as they are now."""
    version = lake.ledger.open("samples").version()
    rows, files = stored_rows(lake.ledger, version, ("frames", "side_px"))
    return replace(made_of(rows, files, [row["place"] for row in rows]), lake=lake.place.root, version=version)
