"""Settings of a YARN of one node whose GPUs are a count without isolation, and the nvidia-smi that its containers see."""

from collections.abc import Mapping
from pathlib import Path
from xml.sax.saxutils import escape

from tests.cluster_real.ports import free_ports

MEMORY_MIB, CORES, GPUS = 14336, 6, 2
"""Room for a driver of 5 GiB in a container and two executors of 4."""
NVIDIA_SMI = f"""#!/bin/sh
case "$*" in
*memory.total*) seq 0 {GPUS - 1} | sed 's/$/, 81559/' ;;
*--query-gpu=index*) seq 0 {GPUS - 1} ;;
*) exit 9 ;;
esac
"""
MASTER = ("scheduler.address", "resource-tracker.address", "address", "admin.address", "webapp.address")
NODE = ("address", "localizer.address", "webapp.address", "collector-service.address")
PATH = "/usr/local/bin:/usr/bin:/bin"
"""Of containers, which do not get the NodeManager's."""


def write_settings(folder: Path) -> str:
    """Write `conf/` of daemons and clients, and `bin/nvidia-smi`; returns the address of the ResourceManager's pages."""
    (folder / "conf").mkdir()
    (folder / "bin").mkdir()
    (folder / "bin" / "nvidia-smi").write_text(NVIDIA_SMI)
    (folder / "bin" / "nvidia-smi").chmod(0o755)
    names = [*(f"resourcemanager.{name}" for name in MASTER), *(f"nodemanager.{name}" for name in NODE)]
    places = {name: f"127.0.0.1:{port}" for name, port in zip(names, free_ports(len(names)))}
    site = places | {
        "resourcemanager.hostname": "127.0.0.1",
        "nodemanager.hostname": "127.0.0.1",
        "nodemanager.local-dirs": folder / "local",
        "nodemanager.log-dirs": folder / "logs",
        "nodemanager.force.path": f"{folder}/bin:{PATH}",
        "nodemanager.resource.memory-mb": MEMORY_MIB,
        "nodemanager.resource.cpu-vcores": CORES,
        "nodemanager.resource.memory.enforced": "false",  # true leaves it to cgroups, so nobody would end a container that takes too much
        "nodemanager.vmem-check-enabled": "false",
        "nodemanager.disk-health-checker.max-disk-utilization-per-disk-percentage": 99,
        "scheduler.minimum-allocation-mb": 128,
        "scheduler.maximum-allocation-mb": MEMORY_MIB,
    }
    queue = {"root.queues": "default", "root.default.capacity": 100, "maximum-am-resource-percent": 0.5}
    queue["resource-calculator"] = "org.apache.hadoop.yarn.util.resource.DominantResourceCalculator"
    files = {
        "core-site": {"fs.defaultFS": "file:///", "hadoop.tmp.dir": folder / "tmp"},
        "yarn-site": {f"yarn.{key}": value for key, value in site.items()},
        "capacity-scheduler": {f"yarn.scheduler.capacity.{key}": value for key, value in queue.items()},
        "resource-types": {"yarn.resource-types": "yarn.io/gpu"},
        "node-resources": {"yarn.nodemanager.resource-type.yarn.io/gpu": GPUS},
    }
    for name, settings in files.items():
        (folder / "conf" / f"{name}.xml").write_text(_xml(settings))
    return f"http://{places['resourcemanager.webapp.address']}"


def _xml(settings: Mapping[str, object]) -> str:
    lines = [f"<property><name>{key}</name><value>{escape(str(value))}</value></property>" for key, value in settings.items()]
    return "\n".join(["<configuration>", *lines, "</configuration>"])
