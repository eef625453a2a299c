"""Latents of samples that are there already: a worker of `jobs.batches`, places of rows in, files with the same rows and latents out."""

import sys
import tempfile
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from schemas import storage
from schemas.codes import Rejected
from schemas.scratch import own, scratch_folder
from udfs import media
from udfs.device import claim
from udfs.sample_files import Result, SampleFiles, failed

if TYPE_CHECKING:
    from training.model.image_coder import ImageCoder

FRAMES_AT_ONCE = 8


@dataclass(frozen=True)
class LatentPlan:
    """What the workers of a run do. `root` is the address of `samples`; `device` is `cpu` or `cuda`."""

    root: str
    fingerprint: str
    device: str = "cpu"
    smoke: bool = False


def latents_fingerprint(*, smoke: bool) -> str:
    """The fingerprint that the image coder will have. Raises `MissingError` where its weights are not there, in one sentence."""
    from training.model.image_coder import WEIGHTS
    from udfs import weights

    return f"random:{WEIGHTS}-smoke-v1" if smoke else f"{WEIGHTS}-{weights.sha256(WEIGHTS)[:16]}"


@lru_cache(maxsize=1)
def _coder(device: str, smoke: bool) -> "ImageCoder":
    """The VAE, once per process; in half precision on a GPU."""
    import torch

    from training.model.image_coder import ImageCoder

    claimed = claim(device)
    return ImageCoder.load(claimed.torch_name, torch.float16 if claimed.kind == "cuda" else torch.float32, smoke)


def cache_latents(plan: LatentPlan, items: list[dict[str, Any]]) -> Iterator[Result]:
    """Add latents to each item's row (`clip_id`, and `file`, `group`, `row` as `schemas.row_groups.GroupedTable.places` gives them)."""
    coder = _coder(plan.device, plan.smoke)
    files = SampleFiles(plan.root)
    group, rows = None, pa.table({})
    for index, item in enumerate(items):
        if group != (item["file"], item["group"]):
            group, rows = (item["file"], item["group"]), _row_group(plan.root, item["file"], item["group"])
        try:
            row = rows.slice(item["row"], 1).to_pylist()[0]
            latents = moments_of(row["video"], row["frames"], row["side_px"], coder)
        except Rejected as rejection:
            yield index, failed(item["clip_id"], rejection)
        except Exception as error:  # noqa: BLE001 - one clip must not end the job; the row names what happened
            traceback.print_exc(file=sys.stderr)
            yield index, failed(item["clip_id"], Rejected("internal", f"{type(error).__name__}: {error}"))
        else:
            yield from files.put(index, row | {"latents": latents, "latents_fingerprint": plan.fingerprint})
    yield from files.close()


def moments_of(video: bytes, frames: int, side_px: int, coder: "ImageCoder") -> bytes:
    """Means and log-variances of a sample's frames: (frames, 8, side / 8, side / 8) in fp16. Raises `Rejected` where frames are missing."""
    import torch

    found = []
    with tempfile.TemporaryDirectory(prefix=own("latents-"), dir=scratch_folder()) as folder:
        path = Path(folder, "sample.mp4")
        path.write_bytes(video)
        times_s = media.frame_times(path)
        if len(times_s) != frames:
            raise Rejected("truncated", f"the sample's video has {len(times_s)} frames, not {frames}")
        waiting: list[np.ndarray] = []
        for index, picture in media.frames(path, times_s, 0.0, float(times_s[-1]) + 1.0, range(frames)):
            waiting.append(picture)
            if len(waiting) == FRAMES_AT_ONCE or index == frames - 1:
                pixels = torch.from_numpy(np.stack(waiting)).permute(0, 3, 1, 2).float() / 127.5 - 1.0
                found.append(coder.moments(pixels).to("cpu", torch.float16).numpy())
                waiting = []
    moments = np.concatenate(found)
    if moments.shape != (frames, 8, side_px // 8, side_px // 8):
        raise Rejected("decode_error", f"{frames - len(moments)} of {frames} frames of the sample's video could not be decoded")
    return moments.tobytes()


def _row_group(root: str, file: str, group: int) -> pa.Table:
    from pyarrow.parquet import ParquetFile

    with storage.open_file(storage.at(root, file)) as stream:
        return ParquetFile(stream).read_row_group(group)


def died(item: dict[str, Any]) -> list[dict[str, Any]]:
    """The row of a sample that killed its Python process twice."""
    return failed(item["clip_id"], Rejected("worker_died", "the process that coded this clip's pictures died, and again when it had the clip alone"))
