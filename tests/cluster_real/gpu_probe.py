"""Program for the driver node: CPU and GPU stages by turns, each task telling who it was. Prints rows as JSON, the stage first."""

import json
import sys
import time
from collections.abc import Iterator

import pyarrow as pa

from cluster.session import spark_session
from cluster.stages import stage
from jobs.devices import stage_device
from udfs.progress import Reporter
from udfs.spark import map_bins

ROWS = pa.schema(
    [("host", pa.string()), ("pid", pa.int64()), ("claimed", pa.string()), ("given", pa.string()), ("visible", pa.string())]
    + [("began", pa.float64()), ("ended", pa.float64())]
)


def tell(device: str, items: list[dict]) -> Iterator[tuple[int, list[dict]]]:
    """A worker that claims its device and says which."""
    import os
    import socket

    from pyspark import TaskContext

    from udfs.device import claim

    resources = TaskContext.get().resources()
    for index, _ in enumerate(items):
        began = time.time()
        place = claim(device)
        time.sleep(1.5)
        row = {"host": socket.gethostname(), "pid": os.getpid(), "claimed": str(place.index) if place.kind == "cuda" else None}
        row["visible"] = os.environ.get("CUDA_VISIBLE_DEVICES")
        yield index, [row | {"given": resources["gpu"].addresses[0] if "gpu" in resources else None, "began": began, "ended": time.time()}]


def main() -> None:
    """Run the stages."""
    from functools import partial

    settings = dict(word.partition("=")[::2] for word in sys.argv[2:])
    spark = spark_session(sys.argv[1], settings)
    time.sleep(3)
    print("DEVICE", stage_device(spark, "auto"))
    for turn, device in enumerate(("cpu", "cuda", "cpu", "cuda", "cuda")):
        layout = stage(spark, device)
        bins = [[{"n": n}] for n in range(layout.slots * 3)]
        table = map_bins(
            spark, bins, partial(tell, device), schema=ROWS, on_death=lambda item: [], label=lambda item: "", reporter=Reporter(),
            profile=layout.profile, pool=layout.pool,
        )  # fmt: skip
        print("STAGE", json.dumps({"turn": turn, "device": device, "slots": layout.slots, "rows": table.to_pylist()}))
    spark.stop()


if __name__ == "__main__":
    main()
