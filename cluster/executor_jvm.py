"""SQL expressions that an executor's JVM answers of itself: what a Python worker there cannot know."""

_DELTA = "reflect('org.apache.spark.util.Utils', 'classIsLoadable', 'io.delta.tables.DeltaTable')"

JAVA = "reflect('java.lang.System', 'getProperty', 'java.version')"
"""Version of the Java that the executor runs in, which need not be the one on its machine's path."""
DELTA = f"CASE WHEN {_DELTA} = 'true' THEN reflect('io.delta.package', 'VERSION') END"
"""Version of Delta as the executor's tasks load it, wherever its jars come from; null when they cannot load it."""
