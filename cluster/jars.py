"""Delta's jars: their Maven coordinate, where they are kept, and how set-up brings them.

`python -m cluster.jars` fetches them through Spark's own Ivy and puts them into Spark's folder, so that every session and
every `spark-submit` of this environment has them without the network. `--s3a` brings those for `s3a://` too.
"""

import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from cluster import s3a

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


IVY = Path.home() / ".ivy2.5.2"
"""Where Spark's Ivy keeps what it fetched."""


def spark_jars_folder() -> Path:
    """Folder of the jars that every session loads; a container of YARN has pyspark as a zip and names the folder in its class path."""
    import pyspark

    home = os.environ.get("SPARK_HOME") or str(Path(pyspark.__file__).parent)
    named = [Path(entry).parent for entry in os.environ.get("CLASSPATH", "").split(os.pathsep) if entry.endswith("/*")]
    return next((folder for folder in [Path(home, "jars"), *named] if any(folder.glob("spark-core_*.jar"))), Path(home, "jars"))


def jars_installed() -> list[Path]:
    """Delta's jars in Spark's own folder; empty unless all are there."""
    return _all_needed(spark_jars_folder(), "*{name}-[0-9]*.jar")


def jars_in_cache() -> list[Path]:
    """Delta's jars in Ivy's cache; empty unless all are there."""
    return _all_needed(IVY / "jars", "*{name}-[0-9]*.jar")


def _all_needed(folder: Path, pattern: str) -> list[Path]:
    found = [sorted(folder.glob(pattern.format(name=name))) for name in NEEDED]
    return [jars[-1] for jars in found] if all(found) else []


def install(with_s3a: bool = False) -> bool:
    """Put Delta's jars, and those for `s3a://`, into Spark's folder, fetching what Ivy's cache lacks; jars that Spark has stay as they are.

    Returns whether all are there.
    """
    folder, cache = spark_jars_folder(), IVY / "jars"
    missing = [] if jars_installed() or jars_in_cache() else [DELTA_COORDINATE]
    missing += s3a.coordinates(folder) if with_s3a and not s3a.installed(folder) and not s3a.installed(cache) else ()
    if missing:
        _fetch(missing)
    if not jars_installed():
        _keep(jars_in_cache())
    if with_s3a and not s3a.installed(folder):
        _keep(s3a.lacking(s3a.installed(cache), folder))
    return bool(jars_installed()) and bool(s3a.installed(folder) or not with_s3a)


def _fetch(coordinates: Sequence[str]) -> None:
    """Bring jars and what they need into Ivy's cache, by a Spark session that asks for them (a process can do that once)."""
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").config("spark.jars.packages", ",".join(coordinates))
    builder.config("spark.jars.excludes", ",".join(s3a.EXCLUDED)).getOrCreate().stop()


def _keep(jars: Sequence[Path]) -> None:
    for jar in jars:
        partial = spark_jars_folder() / f"{jar.name}.partial"
        shutil.copyfile(jar, partial)
        partial.replace(spark_jars_folder() / jar.name)


if __name__ == "__main__":
    wants_s3a = "--s3a" in sys.argv[1:]
    if not install(wants_s3a):
        sys.exit(f"Delta's jars ({DELTA_COORDINATE})" + " or those for s3a://" * wants_s3a + " could not be had")
    print(f"Delta {DELTA_VERSION}: {len(jars_installed())} jars in {spark_jars_folder()}; s3a: {len(s3a.installed(spark_jars_folder()))} jars")
