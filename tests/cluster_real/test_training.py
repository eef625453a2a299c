"""Two ranks on two nodes that share no folder, lake and output in a store: a lost node costs steps since the last whole one, and nothing else."""

from collections.abc import Iterator

import pytest

from benchmarks.train_nodes import EVERY, Place, Trained, compared, disturbed, raised, undisturbed
from tests.cluster_real.nodes import ROOT
from training.checkpoints import FROZEN
from training.stage_files import CONFIG, LAUNCH, OUTCOME, SNAPSHOT

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Nodes, store and lake."""
    with raised(tmp_path_factory.mktemp("train") / "nodes") as place:
        yield place


@pytest.fixture(scope="module")
def whole(place: Place) -> Trained:
    """A run that nothing happens to."""
    return undisturbed(place)


def test_ranks_on_two_nodes_leave_all_that_a_stage_has_in_the_store_and_nothing_on_the_nodes(place, whole):
    assert whole.restarts == 0
    assert {rank: sorted(steps) for rank, steps in whole.seen.items()} == {rank: list(range(1, place.steps + 1)) for rank in (0, 1)}
    stage = place.stage("whole")
    steps = [f"step-{step:08d}" for step in range(place.steps, 0, -EVERY)][:3]
    names = {path.name.split(".")[0] if path.name.startswith("events") else path.name for path in stage.iterdir()}
    assert names == {*steps, CONFIG, SNAPSHOT, OUTCOME, LAUNCH, FROZEN, "seen", "model", "events"}
    for node in place.cluster.worker_nodes:
        assert place.cluster.run(node, ["ls", str(ROOT)]).stdout == ""
        assert place.cluster.run(node, ["ls", str(place.server.folder)]).returncode != 0


def test_every_step_of_ranks_elsewhere_is_told_to_tensorboard(place, whole):
    assert told(place, "whole") == pytest.approx({step: records[-1]["train/loss"] for step, records in whole.seen[0].items()})


@pytest.mark.parametrize("moment", ["while a step is written"])
def test_a_training_whose_node_is_killed_goes_on_by_itself_as_if_undisturbed(place, whole, moment):
    ended = disturbed(place, moment, "killed")
    found = compared(whole, ended.left)
    assert ended.left.restarts == 1
    assert ended.whole_step == ended.left.resumed_after == EVERY, "the half-written step was not gone on from"
    assert found.steps == place.steps - EVERY
    assert found.same_clips and found.apart == 0
    assert ended.left.fingerprint == whole.fingerprint
    assert told(place, "killed") == told(place, "whole")


def told(place: Place, output: str) -> dict[int, float]:
    """The losses that TensorBoard shows of a run, by step."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(place.stage(output)))
    events.Reload()
    return {event.step: event.value for event in events.Scalars("train/loss")}


def test_no_rank_is_left_on_a_node_and_the_secret_is_found_nowhere(place, whole):
    assert [pid for node in place.cluster.worker_nodes for pid in place.cluster.pids(node, "torch")] == []
    files = [path for path in place.cluster.folder.rglob("*") if path.is_file()]
    assert any(path.name == "stderr" and "/work/w1/" in str(path) for path in files)
    assert [path for path in files if place.server.secret.encode() in path.read_bytes()] == []
