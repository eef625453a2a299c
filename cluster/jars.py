"""Delta's jars: their Maven coordinate, where they are kept, and how set-up brings them.

`python -m cluster.jars` fetches them through Spark's own Ivy and puts them into Spark's folder, so that every session and
every `spark-submit` of this environment has them without the network.
"""

import os
import shutil
import sys
from pathlib import Path

DELTA_VERSION = "4.4.0"
DELTA_COORDINATE = f"io.delta:delta-spark_4.2_2.13:{DELTA_VERSION}"
NEEDED = (
    "delta-spark_4.2_2.13",
    "delta-storage",
    "delta-kernel-api",
    "delta-kernel-defaults",
    "delta-kernel-unitycatalog",
    "unitycatalog-client",
    "unitycatalog-hadoop",
)
"""The jars that Spark itself lacks; the rest of Delta's dependencies are in pyspark."""


def spark_jars_folder() -> Path:
    """Folder of the jars that every session loads."""
    import pyspark

    home = os.environ.get("SPARK_HOME") or str(Path(pyspark.__file__).parent)
    return Path(home, "jars")


def jars_installed() -> list[Path]:
    """Delta's jars in Spark's own folder; empty unless all are there."""
    return _all_needed(spark_jars_folder(), "*{name}-[0-9]*.jar")


def jars_in_cache() -> list[Path]:
    """Delta's jars in Ivy's cache; empty unless all are there."""
    return _all_needed(Path.home() / ".ivy2.5.2" / "jars", "*{name}-[0-9]*.jar")


def _all_needed(folder: Path, pattern: str) -> list[Path]:
    found = [sorted(folder.glob(pattern.format(name=name))) for name in NEEDED]
    return [jars[-1] for jars in found] if all(found) else []


def install() -> list[Path]:
    """Put Delta's jars into Spark's folder, fetching them through a Spark session when the cache lacks them."""
    if jars_installed():
        return jars_installed()
    if not jars_in_cache():
        from pyspark.sql import SparkSession

        SparkSession.builder.master("local[1]").config("spark.jars.packages", DELTA_COORDINATE).config("spark.ui.enabled", "false").getOrCreate().stop()
    for jar in jars_in_cache():
        target = spark_jars_folder() / jar.name
        partial = target.with_suffix(".partial")
        shutil.copyfile(jar, partial)
        partial.replace(target)
    return jars_installed()


if __name__ == "__main__":
    jars = install()
    if not jars:
        sys.exit(f"Delta's jars ({DELTA_COORDINATE}) could not be had")
    print(f"Delta {DELTA_VERSION}: {len(jars)} jars in {spark_jars_folder()}")
