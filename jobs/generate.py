"""`talkvid generate`: a video from a portrait and a sound, or one for each row of a table."""

import sys
import time
from dataclasses import asdict
from typing import TYPE_CHECKING

from inference.options import Options
from inference.staged_inputs import staged_inputs
from jobs.generation_batch import planned_batch, run_batch
from jobs.generation_config import RANDOM, GenerateConfig, arguments, configure
from jobs.generation_plan import STAGE
from jobs.generation_table import INPUTS, names_table_of_lake, source_of
from jobs.job import Job
from jobs.summary import Summary
from schemas import storage
from schemas.codes import Rejected
from schemas.errors import MissingError, UsageError
from schemas.lake import Lake

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

EVERY_S = 5.0


def check(lake: Lake, config: GenerateConfig) -> None:
    """Raise `MissingError` where there is no model, or a frozen network is missing, before anything starts."""
    from inference.networks import Checkpoint

    Checkpoint.at(config.checkpoint_path).fingerprint()
    if config.is_batch:
        source_of(config.table, lake)


def run(spark: "SparkSession | None", lake: Lake, config: GenerateConfig) -> Summary:
    """Make the one video; or read the table → make what is missing → write videos and rows."""
    if not config.is_batch:
        return _one(config)
    assert spark is not None
    return run_batch(spark, lake, config, planned_batch(lake, config))


def idle(lake: Lake, config: GenerateConfig) -> Summary | None:
    """The batch itself when no video has to be made: then Spark is not needed."""
    if not config.is_batch:
        return None
    planned = planned_batch(lake, config)
    return None if planned.plan.pending else run_batch(None, lake, config, planned)


def _one(config: GenerateConfig) -> Summary:
    from inference.generator import TalkVidInference, all_gpus
    from udfs.device import resolve

    inputs, output = _inputs(config), storage.address(config.output_path)
    storage.check_writable(output)
    several = all_gpus() if config.do_multi_devices_inference and resolve(config.device) == "cuda" else None
    maker = TalkVidInference(config.checkpoint_path, config.device, devices=several, dtype=config.dtype, save_gpu_memory=config.save_gpu_memory)
    try:
        with staged_inputs(inputs, {name: f"--{name}" for name in inputs}) as places:
            made = maker.generate(
                places["reference_image_path"],
                places["audio_path"],
                output,
                kps_path=places.get("kps_path"),
                driving_video=places.get("driving_video_path"),
                options=Options(**config.options),
                told=None if config.quiet else _Told(),
            )
    except Rejected as rejection:
        raise (MissingError if rejection.code == "vanished" else UsageError)(rejection.detail) from rejection
    counts = {"in": 1, "wanted": 1, "written": 1, "present": 0, "failed": 0}
    summary = Summary(STAGE, counts, fingerprint=made.model_fingerprint, outputs=[output])
    summary.extra = {name: value for name, value in asdict(made).items() if name not in ("output_path", "seconds")}
    lines = [RANDOM] if made.random else []
    summary.results = "\n".join([*lines, f"{output}: {made.frames} frames of {made.width}x{made.height} at {made.fps:g} fps"])
    return summary


def _inputs(config: GenerateConfig) -> dict[str, str]:
    """The files that were named, by flag. Raises `MissingError` for one that is not there, before a model is loaded."""
    named = {name: getattr(config, name) for name in INPUTS if getattr(config, name) is not None}
    for name, place in named.items():
        if not storage.is_remote(place) and not storage.exists(place):
            raise MissingError(f"--{name}: there is no file {place}")
    return named


class _Told:
    """A line on stderr every few seconds."""

    def __init__(self) -> None:
        self._started = self._last = time.monotonic()

    def __call__(self, share: float) -> None:
        at = time.monotonic()
        if at - self._last >= EVERY_S:
            self._last = at
            left = (at - self._started) * (1 - share) / max(share, 1e-6)
            print(f"generate: {share:.0%} · {int(left // 60)}:{int(left % 60):02d} left", file=sys.stderr, flush=True)


JOB = Job(
    STAGE,
    "make videos from portraits and sounds",
    arguments,
    configure,
    run,
    check=check,
    idle=idle,
    needs_spark=lambda config: config.is_batch,
    takes_lease=lambda config: config.is_batch,
    creates_lake=lambda config: not names_table_of_lake(config.table),
)

if __name__ == "__main__":
    from jobs.cli import main

    main(["generate", *sys.argv[1:]])
