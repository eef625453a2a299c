"""From a node's cores, memory and GPUs to the layout of executors, and to the settings that make Spark keep to it.

One GPU per executor and one task per GPU: then a Python worker has the same GPU for life, and one process holds it (cluster.md §2).
Decoders are ffmpeg processes beside that task, one per core. CPU stages take the same executors with narrower tasks
(`cluster.stages`), so that no core is idle while `run` segments.
"""

import math
from dataclasses import dataclass
from typing import Literal

from cluster.stages import WORKER_GIB
from schemas.errors import UsageError

Manager = Literal["standalone", "kubernetes", "yarn"]
MOST_CORES = 16
"""Of an executor without a GPU: more of them only make its one JVM a bottleneck."""
SYSTEM_SHARE, SYSTEM_LEAST_GIB = 0.07, 1.0
"""What the system and the manager's daemon keep."""
HEAP_SHARE, HEAP_LEAST_GIB, HEAP_MOST_GIB = 0.15, 1.0, 4.0
"""Of an executor's memory, for its JVM: rows are references, so Python and ffmpeg take the rest."""
LIGHT_WORKER_GIB, HEAVY_WORKER_GIB = 1.0, 3.0
"""Most that a Python worker takes with scorers without networks, and with all of them."""
DRIVER_HEAP, DRIVER_PYTHON = "2g", "3g"
"""Of a driver whose pod has what it asks for and no more."""


@dataclass(frozen=True)
class Node:
    """One machine of the cluster."""

    cores: int
    memory_gib: float
    gpus: int = 0


@dataclass(frozen=True)
class Layout:
    """Executors of one node, each with `cores` cores, a heap of `heap_gib` and `python_gib` outside it, and one GPU where `gpu`."""

    executors: int
    cores: int
    heap_gib: int
    python_gib: int
    gpu: bool
    idle_cores: int = 0

    @property
    def heavy_at_once(self) -> int:
        """Python workers with networks that fit an executor at once."""
        return max(1, min(self.cores, int(self.python_gib // HEAVY_WORKER_GIB)))


@dataclass(frozen=True)
class Setting:
    """A line of spark-defaults, with its reason."""

    key: str
    value: str
    why: str


def layout(node: Node) -> Layout:
    """The executors of a node. Raises `UsageError` for a node that cannot hold one."""
    if node.cores < 1 or not 0 < node.memory_gib < math.inf or node.gpus < 0:
        raise UsageError("a node has at least one core and some memory, and no negative number of GPUs")
    if node.gpus > node.cores:
        raise UsageError(f"{node.gpus} GPUs and {node.cores} cores: each GPU needs at least one core that decodes for it")
    count = node.gpus or -(-node.cores // MOST_CORES)
    cores = node.cores // count
    usable = node.memory_gib - max(SYSTEM_LEAST_GIB, node.memory_gib * SYSTEM_SHARE)
    share = usable / count
    heap = max(HEAP_LEAST_GIB, min(HEAP_MOST_GIB, share * HEAP_SHARE))
    python = int(share - int(heap))
    least = HEAVY_WORKER_GIB if node.gpus else LIGHT_WORKER_GIB
    if python < least:
        raise UsageError(
            f"{node.memory_gib:g} GiB are too little for {count} executors: each has {max(0.0, share - heap):.1f} GiB for Python, and takes {least:g}"
        )
    return Layout(count, cores, int(heap), python, node.gpus > 0, node.cores - count * cores)


def settings(node: Node, manager: Manager) -> list[Setting]:
    """The lines of spark-defaults for such nodes under a manager."""
    plan = layout(node)
    return [*_executors(plan, manager), *_tasks(plan), *_always(), *_manager(plan, manager)]


def _executors(plan: Layout, manager: Manager) -> list[Setting]:
    each = f"{plan.executors} executors a node" if plan.executors > 1 else "one executor a node"
    spare = f"; {plan.idle_cores} cores of a node are left over" if plan.idle_cores else ""
    lines = [
        Setting("spark.executor.cores", str(plan.cores), f"{each}, {'one per GPU, ' if plan.gpu else ''}which share its cores{spare}"),
        Setting("spark.executor.memory", f"{plan.heap_gib}g", "the JVM's heap: rows carry references, never pixels, so little is enough"),
        Setting(
            WORKER_GIB, str(plan.python_gib), f"what Python and ffmpeg of an executor may take together: {plan.heavy_at_once} workers with networks at once"
        ),
    ]
    if manager != "standalone":
        reason = "the same, as the manager reserves it" + (", the 1 GiB of /dev/shm included" if manager == "kubernetes" else "")
        lines.append(Setting("spark.executor.memoryOverhead", f"{plan.python_gib}g", reason))
        lines.append(Setting("spark.executor.instances", str(plan.executors), f"for one node: set it to {plan.executors} times the number of nodes"))
    return lines


def _tasks(plan: Layout) -> list[Setting]:
    if not plan.gpu:
        return [Setting("spark.task.cpus", "1", "a task per core; a stage whose workers need more memory makes its tasks wider by itself")]
    return [
        Setting("spark.executor.resource.gpu.amount", "1", "one GPU per executor: its Python worker keeps the same GPU for life"),
        Setting("spark.task.resource.gpu.amount", "1", "one task per GPU: a fraction would put several processes, each with its model, on one GPU"),
        Setting("spark.task.cpus", str(plan.cores), "all cores of the executor decode for that task; CPU stages take one core a task by themselves"),
    ]


def _always() -> list[Setting]:
    return [
        Setting("spark.dynamicAllocation.enabled", "false", "idle executors would be given back, and the loaded models with them"),
        Setting("spark.python.worker.reuse", "true", "a model is loaded once per Python worker, not once per task"),
        Setting("spark.executorEnv.OMP_NUM_THREADS", "1", "tasks share the cores; libraries that start a thread per core would fight for them"),
        Setting("spark.sql.session.timeZone", "UTC", "times in tables mean the same everywhere"),
    ]


def _manager(plan: Layout, manager: Manager) -> list[Setting]:
    if manager == "standalone":
        return []
    if manager == "kubernetes":
        return _kubernetes(plan)
    return _yarn(plan)


def _driver(place: str) -> list[Setting]:
    return [
        Setting("spark.driver.memory", DRIVER_HEAP, "the driver plans and commits; it holds no pixels"),
        Setting("spark.driver.memoryOverhead", DRIVER_PYTHON, f"its Python, where DuckDB may take 2 GiB: without it a driver's {place} is killed at 1.4"),
    ]


def _kubernetes(plan: Layout) -> list[Setting]:
    lines = [
        *_driver("pod"),
        Setting("spark.kubernetes.executor.podTemplateFile", "executor.yaml", "cluster/kubernetes/executor.yaml: scratch space, /dev/shm, no root"),
        Setting(
            "spark.kubernetes.authenticate.driver.serviceAccountName", "talkvid", "the account of cluster/kubernetes/access.yaml, which may make executor pods"
        ),
    ]
    if plan.gpu:
        lines += [
            Setting("spark.executor.resource.gpu.vendor", "nvidia.com", "names the pod's resource nvidia.com/gpu; without it the driver fails late"),
            Setting("spark.executor.resource.gpu.discoveryScript", "/opt/talkvid/cluster/gpus.sh", "lists the GPUs of the pod; its path in the image"),
        ]
    return lines


def _yarn(plan: Layout) -> list[Setting]:
    lines = [
        *_driver("container"),
        Setting("spark.yarn.maxAppAttempts", "1", "a driver that YARN starts again would wait for its own lease; run the verb again instead"),
    ]
    if plan.gpu:
        lines += [
            Setting("spark.executor.resource.gpu.discoveryScript", "./gpus.sh", "cluster/gpus.sh, which submit.sh ships into each container"),
            Setting("spark.executorEnv.TALKVID_GPU_CLAIM", "1", "YARN hands out a count: two executors of a node must not take the same GPU"),
        ]
    return lines
