"""The nodes of a cluster: a killed worker leaves pictures and clips in the scratch folder of its machine, where no table knows of them."""

import os
from typing import TYPE_CHECKING

from cluster.census import census
from jobs.text_table import escaped
from schemas.scratch import swept

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def on_cluster(master: str | None) -> bool:
    """True where a verb with this `--master` works on other machines too, or may: under spark-submit, which names the master itself."""
    return not master.startswith("local") if master else "PYSPARK_GATEWAY_PORT" in os.environ


def sweep(spark: "SparkSession") -> list[str]:
    """Sweep the scratch folder of every executor's machine; returns a sentence when some could not be reached."""
    found = census(spark, swept, int)
    hosts = {told["host"] for told in found.answers}
    if not found.error and len(found.answers) >= len(found.hosts):
        return []
    why = f": {escaped(found.error)}" if found.error else ""
    return [f"remove: the scratch folders of {len(hosts)} machines were swept, {len(found.hosts)} executors are there; run it again to reach the others{why}"]
