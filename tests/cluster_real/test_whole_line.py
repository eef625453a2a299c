"""The whole line, from footage to evaluated videos, on workers that share no folder with anyone, its lake in a store: as on one machine, bit for bit."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from schemas.lake import Lake
from tests.cluster_real.lakes import talkvid_alone
from tests.cluster_real.nodes import ROOT, Cluster, address
from tests.cluster_real.pages import Pages
from tests.cluster_real.s3_server import S3Server
from training.metrics_log import seen
from udfs.footage import make_footage

pytestmark = pytest.mark.cluster

CANARY = "canary-9c41d07be2f8a653"
BUCKET = "s3a://line-bucket"
FOOTAGE = ("talking.mp4", "three shots.mp4", "silent.mp4", "talking_copy.mp4", "broken.mp4")
TABLES = ("videos", "clips", "scores", "clip_metadata", "verdicts", "failures", "exports", "samples", "generations", "evaluated", "evaluations")
OF_ONE_RUN = ("at", "run_id", "generation_run", "source", "entity", "out", "seconds", "mtime_ns", "item_id")
"""Columns with addresses, times, run ids, and what is made of them."""
RANK_A_NODE = {"spark.executor.cores": "1", "spark.cores.max": "2"}


@dataclass(frozen=True)
class Made:
    """What a line left below `base`, in folders, and in the folder `wishes` of the driver's machine."""

    base: Path
    wishes: Path

    @property
    def lake(self) -> Path:
        """Its lake."""
        return self.base / "lake"


def contents(folder: Path) -> dict[str, bytes]:
    """Videos and pictures below a folder, by name."""
    found = [path for path in folder.rglob("*") if path.suffix in (".mp4", ".jpg")]
    assert len({path.name for path in found}) == len(found) > 0
    return {path.name: path.read_bytes() for path in found}


def line(footage: Path, base: str, wishes: Path, launcher: str) -> list[list[str]]:
    """The verbs from footage to evaluated videos, below an address; `launcher` starts the two ranks of a training. `WISHES` stands for the program
    that writes the table to generate, with its portraits, into a folder of the driver's machine."""
    lake, model = f"{base}/lake", f"{base}/model"
    train = ["train", "--smoke", "--output", model, "--set", "steps=4", "--device", "cpu", "--num-gpus", "2", "--launcher", launcher]
    verbs = [
        ["run", str(footage), "--labels", str(footage.parent / "labels.csv"), "--export", f"{base}/out"],
        ["prepare", "--smoke"],
        [*train, "--stage", "1"],
        [*train, "--stage", "2"],
        ["WISHES", lake, f"{base}/out", str(wishes)],
        ["generate", "--table", f"{wishes}/wishes.csv", "--checkpoint_path", model, "--fps", "25", "--num_inference_steps", "2"],
        ["evaluate", "--bootstrap", "50"],
    ]
    return [words if words[0] == "WISHES" else [*words, "--lake", lake, "--quiet"] for words in verbs]


@pytest.fixture(scope="module")
def footage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A face that talks, in one shot and in three, without sound, twice the same, and half a file; with labels beside the folder."""
    folder = tmp_path_factory.mktemp("talk") / "footage"
    every = folder.with_name("every")
    make_footage(every, seconds=4)
    folder.mkdir()
    for name in FOOTAGE:
        shutil.copy(every / name, folder / name)
    rows = [f"footage/{name},en,eileen-collins,31-45,Female,sample" for name in FOOTAGE]
    folder.with_name("labels.csv").write_text("\n".join(["uri,language,speaker_id,age_group,gender,category", *rows, ""]))
    return folder


@pytest.fixture(scope="module")
def alone(footage: Path, tmp_path_factory: pytest.TempPathFactory) -> Made:
    """The line on two slots of this machine, in folders."""
    base = tmp_path_factory.mktemp("alone")
    for words in line(footage, str(base), base / "wishes", "local"):
        if words[0] == "WISHES":
            subprocess.run([sys.executable, "-m", "tests.cluster_real.wishes", *words[1:]], cwd=ROOT, check=True, timeout=200)
        else:
            talkvid_alone(*words)
    return Made(base, base / "wishes")


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the cluster's line leaves outside the store: pages, event logs, what verbs printed."""
    return tmp_path_factory.mktemp("work")


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Cluster, S3Server]]:
    """Two workers with folders of their own, and a store on another node, whose secret is a canary."""
    cluster = Cluster(tmp_path_factory.mktemp("nodes"), apart=True, name=f"tvl{os.getpid()}")
    server = S3Server(cluster.folder / "store", address("s"), 7070, cluster.inside("s"), secret=CANARY)
    cluster.environment = server.environment
    server.bucket("line-bucket")
    with cluster:
        server.start()
        try:
            yield cluster, server
        finally:
            server.stop()


@pytest.fixture(scope="module")
def spread(nodes: tuple[Cluster, S3Server], footage: Path, work: Path) -> Made:
    """The same line on the cluster, with everything in the store, watched."""
    cluster, server = nodes
    (work / "events").mkdir()
    watched = {"spark.ui.enabled": "true", "spark.eventLog.enabled": "true", "spark.eventLog.compress": "false", "spark.eventLog.dir": f"file://{work}/events"}
    with Pages(cluster, work / "pages"):
        for number, words in enumerate(line(footage, BUCKET, work / "wishes", "spark")):
            if words[0] == "WISHES":
                done = cluster.run("d", [sys.executable, "-m", "tests.cluster_real.wishes", *words[1:]], env={"PYTHONPATH": str(ROOT)})
            else:
                done = cluster.talkvid(*words, conf=watched | (RANK_A_NODE if words[0] == "train" else {}), timeout=500)
            (work / f"told-{number}-{words[0]}").write_text(done.stdout + done.stderr)
            assert done.returncode == 0, done.stdout[-1000:] + done.stderr[-3000:]
    return Made(server.folder / "line-bucket", work / "wishes")


def rows(lake: Path, table: str) -> list[str]:
    """A table's rows without times, run ids and addresses, in an order of their own."""
    read = Lake.at(str(lake)).ledger.read(table).to_pylist()
    mine = [{name: value for name, value in row.items() if name not in OF_ONE_RUN and not name.endswith(("_at", "uri"))} for row in read]
    return sorted(map(repr, mine))


@pytest.mark.parametrize("table", TABLES)
def test_the_whole_line_into_a_store_gives_the_rows_that_one_machine_gives(alone, spread, table):
    expected = rows(alone.lake, table)
    assert expected
    assert rows(spread.lake, table) == expected


def test_exported_clips_portraits_and_generated_videos_are_the_same_files(alone, spread):
    for here, there in ((alone.base / "out", spread.base / "out"), (alone.wishes, spread.wishes)):
        assert contents(there) == contents(here)
    assert contents(alone.lake / "generations").items() <= contents(spread.lake / "generations").items()


@pytest.mark.parametrize("stage", ["stage_1", "stage_2"])
def test_two_ranks_on_two_nodes_train_the_same_model(alone, spread, stage):
    expected = seen(alone.base / "model" / stage)
    assert sorted(expected) == [0, 1] and sorted(expected[0]) == [1, 2, 3, 4]
    assert seen(spread.base / "model" / stage) == expected
    notes = [json.loads((line.base / "model" / stage / "model" / "model.json").read_text()) for line in (alone, spread)]
    assert notes[0]["fingerprint"] == notes[1]["fingerprint"]


def test_pages_for_people_lie_in_the_store(spread):
    for name in ("report.html", "evaluation.html"):
        assert (spread.lake / name).read_text().lower().startswith("<!doctype html>")


def test_what_generate_took_from_the_drivers_machine_lies_in_the_lake(spread):
    for row in Lake.at(str(spread.lake)).ledger.read("generations").to_pylist():
        for name in ("reference_uri", "ground_truth_uri"):
            assert row[name].startswith(f"{BUCKET}/lake/generations/inputs/")
            assert (spread.lake / row[name].removeprefix(f"{BUCKET}/lake/")).is_file()


def test_both_workers_worked_and_none_saw_a_folder_of_another_node(nodes, spread, footage, work):
    cluster, _ = nodes
    noted = [json.loads(text) for path in (work / "events").rglob("events_*") for text in path.read_text().splitlines()]
    assert {event["Task Info"]["Host"] for event in noted if event["Event"] == "SparkListenerTaskEnd"} == {address("w1"), address("w2")}
    for node in cluster.worker_nodes:
        assert cluster.run(node, ["ls", str(ROOT)]).stdout == ""
        for elsewhere in (footage, cluster.folder / "store", cluster.folder / "logs"):
            assert elsewhere.exists() and cluster.run(node, ["ls", str(elsewhere)]).returncode != 0


def test_a_second_run_of_every_verb_finds_nothing_new(nodes, spread, footage):
    cluster, _ = nodes
    for words in line(footage, BUCKET, spread.wishes, "spark"):
        if words[0] in ("run", "prepare", "generate", "evaluate"):
            done = cluster.talkvid(*words, timeout=200)
            assert done.returncode == 0, done.stderr[-3000:]
            assert f"{words[0]}: in=0 " in done.stdout


def test_the_secret_is_found_nowhere(nodes, spread, work):
    """What verbs printed, Spark's pages, event logs, logs of master, workers and executors, words of programs, every object, every row."""
    cluster, server = nodes
    found = [path for folder in (work, cluster.folder) for path in folder.rglob("*") if path.is_file()]
    assert not [path for path in found if CANARY.encode() in path.read_bytes()]
    assert not [name for name in TABLES if CANARY in repr(Lake.at(str(spread.lake)).ledger.read(name).to_pylist())]
    names = {str(path) for path in found}
    for node in cluster.worker_nodes:
        assert any(f"/work/{node}/" in name and name.endswith("/stderr") for name in names)
    pages = {path.name.rpartition(".")[0]: path.read_text() for path in (work / "pages").iterdir()}
    shown = [text for name, text in pages.items() if name.endswith("environment") or name.endswith("environment_")]
    assert len(shown) > 1 and all("spark.executor.memory" in text for text in shown)
    assert "CoarseGrainedExecutorBackend" in (work / "pages" / "commands").read_text()
    assert any("SparkListenerEnvironmentUpdate" in path.read_text() for path in (work / "events").rglob("events_*"))
    assert CANARY in "".join(Path(f"/proc/{pid}/environ").read_text() for node in cluster.worker_nodes for pid in cluster.pids(node))
