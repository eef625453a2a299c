"""A training that goes on by itself after a rank or a node was lost, from the last whole step."""

import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from jobs.training_launch import Launch, RankLostError, launched
from schemas.errors import Interrupted
from training import checkpoint_store

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def restarted(most: int, how: str, launch: Launch, spark: "SparkSession | None" = None) -> dict[str, Any]:
    """As `launched`, up to `most` times again. In what is returned `restarts` says how often, and `steps` counts the steps of all launches.

    What a rank said in a sentence is not tried again: the same clips, weights or settings would end it once more.
    """
    begun = _done(launch.stage) if most and launch.resume == "auto" else 0
    for restarts in range(most + 1):
        try:
            told = launched(how, launch, spark)
            return told | {"restarts": restarts} | ({"steps": told["first_step"] + told["steps"] - begun} if restarts else {})
        except RankLostError as error:
            if restarts == most:
                if error.signal:
                    raise Interrupted(error.signal) from None
                raise
            print(f"train: {error}; restart {restarts + 1} of {most}, from step {_done(launch.stage)}", file=sys.stderr, flush=True)
            launch = replace(launch, resume="auto", name=Launch(launch.stage).name)
    raise AssertionError("a loop that returns or raises")


def _done(stage: str) -> int:
    step = checkpoint_store.newest(stage)
    return 0 if step is None else step.manifest.step
