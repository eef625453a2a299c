"""The nodes of a cluster: what killed workers and lost trainings leave in the scratch folders of their machines is known to no table."""

import os
from functools import partial
from typing import TYPE_CHECKING

from cluster.census import census
from jobs.removal import copies
from jobs.removal.target import Target
from jobs.text_table import escaped
from schemas.scratch import swept

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def on_cluster(master: str | None) -> bool:
    """True where a verb with this `--master` works on other machines too, or may: under spark-submit, which names the master itself."""
    return not master.startswith("local") if master else "PYSPARK_GATEWAY_PORT" in os.environ


def sweep_here(target: Target) -> dict[str, str]:
    """Sweep this machine's scratch folder, of copies that name the target too; answers as `cluster.census` wants it."""
    copies.take_out(target)
    return swept()


def sweep(spark: "SparkSession", target: Target) -> list[str]:
    """Sweep the scratch folder of every executor's machine; returns a sentence when some could not be reached."""
    found = census(spark, partial(sweep_here, target), int)
    hosts = {told["host"] for told in found.answers}
    if not found.error and len(found.answers) >= len(found.hosts):
        return []
    why = f": {escaped(found.error)}" if found.error else ""
    return [f"remove: the scratch folders of {len(hosts)} machines were swept, {len(found.hosts)} executors are there; run it again to reach the others{why}"]
