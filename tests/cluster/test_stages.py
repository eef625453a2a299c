"""How stages lie on executors, by the application's settings."""

from dataclasses import dataclass, field

import pytest

from cluster import stages
from jobs.devices import room, stage_device
from schemas.errors import MissingError, UsageError
from udfs.memory_cap import Room


@dataclass
class Application:
    """A session of a cluster, as far as stages look at it."""

    settings: dict[str, str]
    cores: int = 8
    nodes: int = 2
    master: str = "spark://m:7077"
    applicationId: str = "app-1"  # noqa: N815 - Spark's name
    made: list[tuple[int, bool]] = field(default_factory=list)

    @property
    def sparkContext(self) -> "Application":  # noqa: N802 - Spark's name
        return self

    @property
    def defaultParallelism(self) -> int:  # noqa: N802 - Spark's name
        return self.cores

    @property
    def conf(self) -> dict[str, str]:
        return self.settings


@pytest.fixture
def application(monkeypatch):
    monkeypatch.setattr(stages, "executors", lambda spark: spark.nodes)
    monkeypatch.setattr(stages, "_profile", lambda application, cores, gpu: (cores, gpu))
    return Application


GPU = {"spark.executor.cores": "4", "spark.task.cpus": "4", "spark.task.resource.gpu.amount": "1", "spark.executor.resource.gpu.amount": "1"}


def test_gpu_stages_have_a_task_per_executor_and_python_workers_of_their_own(application):
    made = stages.stage(application(GPU), "cuda")
    assert (made.slots, made.profile, made.pool, made.cores) == (2, (4, True), "cuda", 4)


def test_cpu_stages_on_gpu_executors_take_a_core_a_task_and_no_gpu(application):
    made = stages.stage(application(GPU), "cpu")
    assert (made.slots, made.profile, made.pool) == (8, (1, False), "")


def test_cpu_stages_without_gpus_are_the_default(application):
    made = stages.stage(application({"spark.executor.cores": "4"}), "cpu")
    assert (made.slots, made.profile) == (8, None)


def test_workers_that_need_memory_make_the_stage_narrow(application):
    made = stages.stage(application({"spark.executor.cores": "4", stages.WORKER_GIB: "7"}), "cpu", worker_gib=3.0)
    assert (made.slots, made.profile, made.cores) == (4, (2, False), 2)


@pytest.mark.parametrize(
    ("device", "worker_gib", "shared"),
    [("cpu", 1.0, Room(4, 7.0, 1.5)), ("cpu", 3.0, Room(2, 7.0, 1.5)), ("cpu", 8.0, Room(1, 7.0, 1.5)), ("cuda", 3.0, Room(1, 7.0, 1.5))],
)
def test_a_stage_says_what_its_workers_share_an_executor_with(application, device, worker_gib, shared):
    settings = GPU | {"spark.executor.memory": "1536m", stages.WORKER_GIB: "7"}
    assert room(stages.stage(application(settings), device, worker_gib)) == shared


@pytest.mark.parametrize(("said", "gib"), [(None, 1.0), ("2g", 2.0), ("2GB", 2.0), ("1048576k", 1.0), ("1t", 1024.0), ("512", 0.5)])
def test_heaps_are_read_as_spark_reads_them(application, said, gib):
    settings = {"spark.executor.cores": "4"} | ({} if said is None else {"spark.executor.memory": said})
    assert stages.stage(application(settings)).heap_gib == gib


@pytest.mark.parametrize("said", ["24g", "nan", "0", "-1"])
def test_a_memory_that_is_no_number_of_gib_is_refused(application, said):
    with pytest.raises(UsageError, match="takes a number of GiB"):
        stages.stage(application({"spark.executor.cores": "4", stages.WORKER_GIB: said}), "cpu")


def test_executors_with_several_gpus_are_refused(application):
    with pytest.raises(UsageError, match="several GPUs"):
        stages.stage(application(GPU | {"spark.executor.resource.gpu.amount": "2"}), "cuda")


def test_on_a_cluster_the_executors_decide_the_device(application):
    assert stage_device(application(GPU), "auto") == "cuda"
    assert stage_device(application(GPU), "cpu") == "cpu"
    assert stage_device(application({}), "auto") == "cpu"
    with pytest.raises(MissingError, match="executors have no GPU"):
        stage_device(application({}), "cuda")


def test_local_sessions_keep_their_slots(spark):
    made = stages.stage(spark, "cpu", worker_gib=3.0)
    assert (made.slots, made.profile, made.pool) == (2, None, "")
    assert room(made) == Room(workers=1, heap_gib=1500 / 1024)


def test_local_gpu_stages_have_a_task_for_each_gpu_and_share_the_cores_for_decoding(application):
    made = stages.stage(application({}, master="local[8,4]"), "cuda", local_gpus=2)
    assert (made.slots, made.profile, made.pool, made.cores, made.one_bin_each) == (2, None, "cuda", 4, True)
    assert stages.stage(application({}, cores=2, master="local[2]"), "cuda", local_gpus=4).slots == 2
    assert stages.stage(application({}, master="local[8]"), "cuda", local_gpus=0).slots == 1
