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
    """Folder of the jars that every session loads."""
    import pyspark

    home = os.environ.get("SPARK_HOME") or str(Path(pyspark.__file__).parent)
    return Path(home, "jars")


def jars_installed() -> list[Path]:
    """Delta's jars in Spark's own folder; empty unless all are there."""
    return _all_needed(spark_jars_folder(), "*{name}-[0-9]*.jar")


def jars_in_cache() -> list[Path]:
    """Delta's jars in Ivy's cache; empty unless all are there."""
    return _all_needed(IVY / "jars", "*{name}-[0-9]*.jar")


def _all_needed(folder: Path, pattern: str) -> list[Path]:
    found = [sorted(folder.glob(pattern.format(name=name))) for name in NEEDED]
    return [jars[-1] for jars in found] if all(found) else []


def install() -> list[Path]:
    """Put Delta's jars into Spark's folder, fetching them through a Spark session when the cache lacks them."""
    if jars_installed():
        return jars_installed()
    if not jars_in_cache():
        _fetch((DELTA_COORDINATE,))
    _keep(jars_in_cache())
    return jars_installed()


def install_s3a() -> list[Path]:
    """Put the jars for `s3a://` into Spark's folder, fetching them when Ivy's cache lacks them; those that Spark has stay as they are."""
    folder, cache = spark_jars_folder(), IVY / "jars"
    if not s3a.installed(folder):
        if not s3a.installed(cache):
            _fetch(s3a.coordinates(folder), s3a.EXCLUDED)
        _keep(s3a.lacking(s3a.installed(cache), folder))
    return s3a.installed(folder)


def _fetch(coordinates: Sequence[str], excluded: Sequence[str] = ()) -> None:
    """Bring jars and what they need into Ivy's cache, by a Spark session that asks for them."""
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").config("spark.jars.packages", ",".join(coordinates))
    if excluded:
        builder = builder.config("spark.jars.excludes", ",".join(excluded))
    builder.getOrCreate().stop()


def _keep(jars: Sequence[Path]) -> None:
    for jar in jars:
        partial = spark_jars_folder() / f"{jar.name}.partial"
        shutil.copyfile(jar, partial)
        partial.replace(spark_jars_folder() / jar.name)


if __name__ == "__main__":
    if not install():
        sys.exit(f"Delta's jars ({DELTA_COORDINATE}) could not be had")
    print(f"Delta {DELTA_VERSION}: {len(jars_installed())} jars in {spark_jars_folder()}")
    if "--s3a" in sys.argv[1:]:
        if not install_s3a():
            sys.exit("the jars for s3a:// could not be had: " + ", ".join(s3a.coordinates(spark_jars_folder())))
        print(f"s3a: {len(s3a.installed(spark_jars_folder()))} jars")
