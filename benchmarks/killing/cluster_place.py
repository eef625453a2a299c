"""A cluster of two workers in network namespaces, and an S3 server in another one; lake, export and videos lie in the store."""

import subprocess
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from benchmarks.killing.place import Place, Strike
from benchmarks.killing.processes import Seen, all_processes, below, is_executor
from tests.cluster_real.nodes import Cluster, address
from tests.cluster_real.s3_server import S3Server

BUCKET = "kills-bucket"
NODES, DRIVERS, STORE = ("w1", "w2"), "d", "s"
CUT_S, AWAY_S, DEAD_S = 30.0, 20.0, 10.0
"""How long a node's network is cut, the store stopped, a killed node gone before its Spark worker is started again."""


@dataclass
class OnCluster(Place):
    """Drivers run on node `d`. The store's buckets are folders here, so that `work` can be read, saved and restored without it."""

    name: str = "cluster"
    kinds: tuple[str, ...] = ("driver", "executor", "worker", "ffmpeg", "node", "cut", "store")
    launcher: str = "spark"
    namespace: str = "tvkill"
    _ends: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> "OnCluster":
        cluster = Cluster(self.root / "cluster", name=self.namespace)
        server = S3Server(self.root / "store", host=address(STORE), port=7070, prefix=cluster.inside(STORE))
        (server.bucket(BUCKET) / "work").mkdir(exist_ok=True)
        cluster.environment = self.environment | server.environment
        self._server, self._cluster = server, self._ends.enter_context(cluster)
        self._ends.callback(server.stop)
        server.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ends.close()

    @property
    def work(self) -> Path:
        """As `Place.work`: the folder behind the bucket."""
        return self.root / "store" / BUCKET / "work"

    @property
    def address(self) -> str:
        """As `Place.address`: in the store."""
        return f"s3a://{BUCKET}/work"

    def _popen(self, command: Sequence[str], log: Path) -> subprocess.Popen:
        whole = self._cluster.talkvid_words(*command)
        with log.open("wb") as out:
            return self._cluster.popen(DRIVERS, whole, stdout=out, stderr=out, stdin=subprocess.DEVNULL, start_new_session=True)

    def look(self) -> dict[int, Seen]:
        """Also what Spark's workers started on their nodes."""
        nodes = {pid: process for node in NODES for pid, process in self._on(node).items()}
        return super().look() | self._noted(nodes)

    def _on(self, node: str) -> dict[int, Seen]:
        """What the Spark worker of a node started."""
        everything, folder = all_processes(), str(self._cluster.folder / "work" / node)
        daemons = [process.pid for process in everything.values() if "deploy.worker.Worker" in process.command and folder in process.command]
        return {pid: process for pid, process in below(everything, daemons).items() if pid not in daemons}

    def victims(self, kind: str, seen: dict[int, Seen]) -> list[str]:
        """As `Place.victims`; also nodes that run an executor, and the store while a verb runs."""
        if kind == "store":
            return ["store"] if super().victims("driver", seen) else []
        if kind in ("node", "cut"):
            return [node for node in NODES if any(is_executor(process, seen) for process in self._on(node).values())]
        return super().victims(kind, seen)

    def strike(self, kind: str, victim: str) -> Strike | None:
        """As `Place.strike`; nodes and the store come back by themselves."""
        began = time.monotonic()
        if kind == "node":
            self._cluster.kill(victim)
            return Strike(victim, partial(self._cluster.start, victim), began + DEAD_S)
        if kind == "cut":
            self._cluster.cut(victim)
            return Strike(victim, partial(self._cluster.heal, victim), began + CUT_S)
        if kind == "store":
            self._server.stop()
            return Strike(victim, lambda: self._server.start() and None, began + AWAY_S)
        return super().strike(kind, victim)

    def settle(self) -> None:
        """As `Place.settle`; also until all nodes are back."""
        super().settle()
        self._cluster.await_workers(len(NODES))
