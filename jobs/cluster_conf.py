"""`talkvid cluster-conf`: spark-defaults for nodes of a kind, with the reason of each line."""

import sys
from argparse import ArgumentParser, Namespace
from dataclasses import dataclass
from typing import TYPE_CHECKING, get_args

from cluster.resources import Layout, Manager, Node, layout, settings
from jobs.job import Job
from jobs.summary import Summary

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from schemas.lake import Lake


@dataclass(frozen=True)
class ClusterConfConfig:
    """The nodes, and who hands them out."""

    node: Node
    manager: Manager = "standalone"


def arguments(parser: ArgumentParser) -> None:
    """Flags of the verb."""
    parser.add_argument("--cores-per-node", metavar="N", type=int, required=True, help="cores of a node")
    parser.add_argument("--memory-per-node", metavar="G", type=float, required=True, help="memory of a node in GiB")
    parser.add_argument("--gpus-per-node", metavar="N", type=int, default=0, help="GPUs of a node")
    parser.add_argument("--manager", choices=get_args(Manager), default="standalone", help="cluster manager")


def configure(args: Namespace) -> ClusterConfConfig:
    """The configuration of a command line. Raises `UsageError` for nodes that cannot hold an executor."""
    config = ClusterConfConfig(Node(args.cores_per_node, args.memory_per_node, args.gpus_per_node), args.manager)
    layout(config.node)
    return config


def run(spark: "SparkSession | None", lake: "Lake", config: ClusterConfConfig) -> Summary:
    """Print the lines; a reason stands above each, because spark-defaults knows no comment behind a value."""
    lines = settings(config.node, config.manager)
    plan = layout(config.node)
    text = [*_heading(config, plan), *(part for line in lines for part in (f"# {line.why}", f"{line.key:<52} {line.value}"))]
    summary = Summary("cluster-conf", {"in": 1, "settings": len(lines)}, results="\n".join(text))
    summary.extra = {"executors_per_node": plan.executors, "conf": {line.key: line.value for line in lines}}
    return summary


def _heading(config: ClusterConfConfig, plan: Layout) -> list[str]:
    node = config.node
    gpus = f", {node.gpus} GPUs" if node.gpus else ""
    lines = [f"# {config.manager}, nodes of {node.cores} cores, {node.memory_gib:g} GiB{gpus}: {plan.executors} executors each"]
    if config.manager == "standalone":
        memory = plan.executors * plan.heap_gib
        gpu_flag = f" --gpus {node.gpus}" if node.gpus else ""
        lines.append(f"# workers: cluster/standalone/start-worker.sh spark://MASTER:7077 --cores {node.cores} --memory {memory}g{gpu_flag}")
    return lines


JOB = Job(
    "cluster-conf",
    "print spark-defaults for nodes of a kind, with the reason of each line",
    arguments,
    configure,
    run,
    needs_spark=lambda config: False,
    takes_lease=lambda config: False,
    limit="",
)

if __name__ == "__main__":
    from jobs.cli import main

    main(["cluster-conf", *sys.argv[1:]])
