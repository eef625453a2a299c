"""Making videos as a worker of `jobs.batches`: rows of requests in, rows of outcomes out."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from inference.staged_inputs import staged_inputs
from schemas.codes import Rejected
from schemas.errors import TalkvidError
from udfs.device import claim
from udfs.ffmpeg import Killed

if TYPE_CHECKING:
    from inference.generator import TalkVidInference

INPUTS = {"reference_uri": "the portrait", "audio_uri": "the sound", "kps_path": "the key points", "driving_video": "the driving video"}
"""Places in an item, and what to call them."""

ROWS = pa.schema(
    [
        ("generation_id", pa.string()),
        ("bytes", pa.int64()),
        ("frames", pa.int32()),
        ("fps", pa.float64()),
        ("duration_s", pa.float64()),
        ("seconds", pa.float64()),
        ("code", pa.string()),
        ("detail", pa.string()),
    ]
)
"""One row per item: what was written, or the code and the sentence of a failure."""


@dataclass(frozen=True)
class GenerationPlan:
    """Which model makes the videos, and where: `device` is `cpu` or `cuda`."""

    checkpoint_path: str
    device: str = "cpu"
    dtype: str = "auto"
    save_gpu_memory: bool = False


@lru_cache(maxsize=1)
def _loaded(plan: GenerationPlan) -> "TalkVidInference":
    """The model, once per process."""
    from inference.generator import TalkVidInference

    return TalkVidInference(plan.checkpoint_path, claim(plan.device).torch_name, dtype=plan.dtype, save_gpu_memory=plan.save_gpu_memory)


def generate_items(plan: GenerationPlan, items: list[dict[str, Any]]) -> Iterator[tuple[int, list[dict]]]:
    """Make the video of each item: `generation_id, output_uri, options` (by name), and an address or None for each of `INPUTS`.

    A file has its name only when it is whole.
    """
    maker = _loaded(plan)
    for index, item in enumerate(items):
        try:
            try:
                yield index, [_made(maker, item)]
            except Killed:  # somebody killed the encoder or a decoder
                yield index, [_made(maker, item)]
        except Rejected as rejection:
            yield index, [_failed(item, rejection)]
        except TalkvidError:
            raise
        except Exception as error:  # noqa: BLE001 - one video must not end the job; the row names what happened
            yield index, [_failed(item, Rejected("internal", f"{type(error).__name__}: {error}"))]


def died(item: dict[str, Any]) -> list[dict]:
    """The row of an item that killed its Python process twice."""
    return [_failed(item, Rejected("worker_died", "the process that made this video died, and again when it had the video alone"))]


def _made(maker: "TalkVidInference", item: dict[str, Any]) -> dict[str, Any]:
    from inference.options import Options
    from schemas import storage

    inputs = {name: item[name] for name in INPUTS if item.get(name) is not None}
    with staged_inputs(inputs, INPUTS) as places:
        made = maker.generate(
            places["reference_uri"],
            places["audio_uri"],
            item["output_uri"],
            kps_path=places.get("kps_path"),
            driving_video=places.get("driving_video"),
            options=Options(**item["options"]),
        )
    outcome = {name: getattr(made, name) for name in ("frames", "fps", "duration_s", "seconds")}
    return {"generation_id": item["generation_id"], "bytes": storage.size(item["output_uri"]), **outcome}


def _failed(item: dict[str, Any], rejection: Rejected) -> dict[str, Any]:
    return {"generation_id": item["generation_id"], "code": rejection.code, "detail": rejection.detail}
