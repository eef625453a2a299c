"""A node is killed while two nodes train: `python -m benchmarks.train_nodes [--steps 12]` prints the table. Needs root, and an S3 server's program or Go.

Two workers in network namespaces that share no folder and have no checkout, a rank on each (ZeRO-2, loader processes, CPU), lake and output on an S3
server on a third node, `talkvid train --launcher spark --max-restarts 2` on a fourth. An undisturbed run, then one for each moment, in which all that
lives on a node is killed with -9. Nothing but the verb itself starts the ranks again. Compared are losses, clips and frames of every step after the
resume, and the exported model. Exits 1 when anything differs.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.limits import judged, largest
from benchmarks.table import show
from tests.cluster_real.nodes import ROOT, Cluster, address
from tests.cluster_real.s3_server import S3Server
from training import checkpoint_store
from training.checkpoints import MANIFEST, SHARD, step_name
from training.metrics_log import seen

BUCKET = "train-bucket"
EVERY = 4
"""Steps between checkpoints."""
STAGE = "stage_3"
MOMENT_S = 240.0
"""How long a moment is waited for."""


@dataclass(frozen=True)
class Place:
    """Where it is trained: the nodes, the store on one of them, and the steps of a run."""

    cluster: Cluster
    server: S3Server
    steps: int = 12

    def stage(self, output: str) -> Path:
        """The folder of the server in which a run's stage lies."""
        return self.server.folder / BUCKET / output / STAGE

    def start(self, output: str, restarts: int = 2) -> subprocess.Popen:
        """`talkvid train` on the driver's node."""
        settings = {"start": "random", "steps": self.steps, "checkpoint_every": EVERY, "validate_every": 0, "engine": "deepspeed"}
        settings |= {"workers": 1, "batch_per_rank": 1}
        words = ["train", "--stage", "3", "--smoke", "--lake", f"s3a://{BUCKET}/lake", "--output", f"s3a://{BUCKET}/{output}", "--launcher", "spark"]
        words += ["--num-gpus", "2", "--device", "cpu", "--max-restarts", str(restarts), "--json"]
        words += [word for name, value in settings.items() for word in ("--set", f"{name}={value}")]
        one_core_each = {"spark.executor.cores": "1", "spark.cores.max": "2"}
        return self.cluster.popen("d", self.cluster.talkvid_words(*words, conf=one_core_each), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@contextmanager
def raised(folder: Path, steps: int = 12) -> Iterator[Place]:
    """The nodes, and a lake to train on in the store."""
    cluster = Cluster(folder, apart=True, name=f"tvtrain{os.getpid()}")
    server = S3Server(folder / "store", address("s"), 7070, cluster.inside("s"))
    cluster.environment = server.environment
    server.bucket(BUCKET)
    with cluster:
        server.start()
        try:
            made = cluster.run("d", [sys.executable, "-m", "tests.training_lake", f"s3a://{BUCKET}/lake"], env={"PYTHONPATH": str(ROOT)})
            if made.returncode != 0:
                raise RuntimeError(f"no lake could be made: {made.stderr[-2000:]}")
            yield Place(cluster, server, steps)
        finally:
            server.stop()


def in_the_middle_of_steps(place: Place, output: str, node: str) -> bool:
    """Halfway between two checkpoints: the node's own rank has noted the step, which no one else has been told of."""
    time.sleep(0.1)
    return _steps_on(place.cluster, node) >= EVERY + EVERY // 2


def while_a_step_is_written(place: Place, output: str, node: str) -> bool:
    """A rank's part of the second step is there, its manifest is not: the server is held so that it does not come."""
    step = place.stage(output) / step_name(2 * EVERY)
    if not list(step.glob(f"{SHARD}*")):
        return False
    place.server.hold()
    if (step / MANIFEST).exists():
        place.server.go_on()
        raise RuntimeError("the manifest was there before the server could be held")
    return True


def after_the_first_checkpoint(place: Place, output: str, node: str) -> bool:
    """The first manifest is there."""
    return (place.stage(output) / step_name(EVERY) / MANIFEST).exists()


Moment = Callable[[Place, str, str], bool]
MOMENTS: dict[str, tuple[Moment, str, bool]] = {
    "in the middle of steps": (in_the_middle_of_steps, "w2", False),
    "while a step is written": (while_a_step_is_written, "w1", True),
    "after the first checkpoint": (after_the_first_checkpoint, "w2", True),
}
"""For each: when, which node, and whether the node comes back."""


@dataclass(frozen=True)
class Trained:
    """What a run left: what ranks saw by rank and step (each time it was done), the model, and what the verb said. `resumed_after` is the step from
    which the last launch went on, 0 for the first one; `hosts` are the first rank's, launch by launch."""

    seen: dict[int, dict[int, list[dict]]]
    resumed_after: int
    fingerprint: str
    restarts: int
    hosts: list[str]
    seconds: float


def trained(place: Place, output: str, verb: subprocess.Popen, began: float) -> Trained:
    """Wait for a run's end. Raises `RuntimeError` with what it said when it ended badly."""
    out, err = verb.communicate(timeout=900)
    if verb.returncode != 0:
        raise RuntimeError(f"train ended with {verb.returncode}: {err[-6000:]}")
    told, stage = json.loads(out), place.stage(output)
    events = sorted(stage.glob("events.out.tfevents.*"), key=lambda path: path.name.split(".")[3])
    note = json.loads((stage / "model" / "model.json").read_text())
    hosts = [path.name.split(".")[4].rpartition("-")[2] for path in events]
    return Trained(seen(stage), told["first_step"], note["fingerprint"], told["restarts"], hosts, time.monotonic() - began)


def undisturbed(place: Place, output: str = "whole") -> Trained:
    """A run that nothing happens to."""
    began = time.monotonic()
    return trained(place, output, place.start(output), began)


@dataclass(frozen=True)
class Disturbed:
    """A run whose node was killed: the steps that the node's rank had done then, the last whole step in the store, and what it left."""

    steps_done: int
    whole_step: int
    left: Trained


def disturbed(place: Place, name: str, output: str) -> Disturbed:
    """A run in which a node is killed at a moment of `MOMENTS`. Raises `RuntimeError` when the moment does not come."""
    moment, node, comes_back = MOMENTS[name]
    began = time.monotonic()
    verb = place.start(output)
    try:
        while not moment(place, output, node):
            if verb.poll() is not None or time.monotonic() > began + MOMENT_S:
                raise RuntimeError(f"the moment did not come: {verb.communicate()[1][-6000:] if verb.poll() is not None else 'too late'}")
            time.sleep(0.002)
        done = _steps_on(place.cluster, node)
        place.cluster.kill(node)
        place.server.go_on()
        step = checkpoint_store.newest(str(place.stage(output)))
        if comes_back:
            place.cluster.start(node)
        left = trained(place, output, verb, began)
    finally:
        place.server.go_on()
        if verb.poll() is None:
            verb.send_signal(signal.SIGTERM)
            verb.wait(60)
    if not comes_back:
        place.cluster.start(node)
    place.cluster.await_workers(2)
    return Disturbed(done, 0 if step is None else step.manifest.step, left)


@dataclass(frozen=True)
class Compared:
    """Steps after a resume beside those of the undisturbed run: how many, how far losses are apart at most, and whether clips and frames are the same."""

    steps: int
    apart: float
    same_clips: bool


def compared(whole: Trained, left: Trained) -> Compared:
    """Look at what the last launch did: the last record of a step done twice."""
    steps = range(left.resumed_after + 1, max(whole.seen[0]) + 1)
    last = [(rank, step, whole.seen[rank][step][-1], left.seen[rank][step][-1]) for rank in whole.seen for step in steps]
    apart = largest(abs(one["train/loss"] - other["train/loss"]) for _, _, one, other in last)
    return Compared(len(steps), apart, all(one["samples"] == other["samples"] for _, _, one, other in last))


def _steps_on(cluster: Cluster, node: str) -> int:
    """Steps that the rank on a node has noted on that node's own disk."""
    for pid in cluster.pids(node)[:1]:
        notes = Path(f"/proc/{pid}/root/{tempfile.gettempdir()}").glob(f"talkvid-scratch-*/train-*/{STAGE}/seen/rank-*.jsonl")
        return max((json.loads(line)["step"] for note in notes for line in note.read_text().split("\n")[:-1]), default=0)
    return 0


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=12)
    arguments, rows, limits = parser.parse_args(), [], {}
    with tempfile.TemporaryDirectory(prefix="train-nodes-") as folder, raised(Path(folder), arguments.steps) as place:
        whole = undisturbed(place)
        rows.append(("undisturbed", "", "", "", "", 0, " ".join(whole.hosts), "", "", "", "", f"{whole.seconds:.0f}"))
        for number, name in enumerate(MOMENTS):
            ended = disturbed(place, name, f"killed-{number}")
            left, found = ended.left, compared(whole, ended.left)
            node, back = MOMENTS[name][1], "comes back" if MOMENTS[name][2] else "stays away"
            same = ("yes" if found.same_clips else "NO", "yes" if left.fingerprint == whole.fingerprint else "NO")
            limits |= {f"{name}: same losses": found.apart == 0 and found.steps > 0, f"{name}: same clips and frames": found.same_clips}
            limits |= {f"{name}: same model": left.fingerprint == whole.fingerprint, f"{name}: resumed": left.resumed_after == ended.whole_step}
            numbers = (ended.steps_done, ended.whole_step, left.resumed_after, left.restarts)
            rows.append((name, f"{node}, {back}", *numbers, " → ".join(left.hosts), found.steps, f"{found.apart:.1e}", *same, f"{left.seconds:.0f}"))
    headings = ("node killed", "which", "its rank had done", "whole step in store", "resumed after", "restarts", "rank 0 on", "steps compared")
    headings += ("largest difference of losses", "same clips and frames", "same model", "seconds")
    show(f"Two ranks on two nodes, {arguments.steps} steps, a checkpoint every {EVERY}", headings, rows)
    judged(limits)


if __name__ == "__main__":
    main()
