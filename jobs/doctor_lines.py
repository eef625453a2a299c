"""What the doctor makes of the facts: lines, each fine or with what to do."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cluster.clocks import Skew
from cluster.jars import DELTA_COORDINATE
from cluster.java import is_supported
from udfs.health import Facts
from udfs.lake_probe import OK, UNSHARED_FOLDER, UNSHARED_STORE

LEAST_SCRATCH_GIB = 2.0
MOST_SKEW_S = 5.0
"""Signed requests to a store fail at minutes, a lease lives on seconds."""
FFMPEG = range(5, 8)
NOT_COMPARED = frozenset({"talkvid-spark", "pip", "setuptools", "wheel", "pyspark", "delta-spark", "delta_spark"})
"""Packages that may differ: the project travels as a zip, and managers may ship pyspark of their own."""
_NTP = "set the clocks by NTP: stores refuse requests signed at another time, and a lease lives on seconds"
_REACH = "a lake is a folder that all nodes share, or an s3a:// prefix with AWS_… credentials in their environment"
_SHARE = {
    UNSHARED_FOLDER: "the folder is not shared: use an object store (s3a://…), or a shared file system that every node mounts at this path",
    UNSHARED_STORE: "the address leads to another store there: set the driver's AWS_ENDPOINT_URL in the environment of every node",
}


@dataclass(frozen=True)
class Line:
    """One thing looked at. `advice` says what to do; a line without one is fine."""

    where: str
    what: str
    found: str
    advice: str = ""

    @property
    def fine(self) -> bool:
        """True when there is nothing to do."""
        return not self.advice


def machine(where: str, told: Facts) -> list[Line]:
    """What holds for any machine that works on media."""
    return [_ffmpeg(where, told), _scratch(where, told), _store(where, told)]


def driver(told: Facts, jars: int, jars_advice: str) -> list[Line]:
    """The driver, whose versions and weights are the measure of all others."""
    java = str(told["java"] or "none")
    weights = told["weights"]
    wrong = [state for state in weights.values() if state not in ("ok", "missing")] if isinstance(weights, dict) else [weights]
    return [
        Line("driver", "python", f"{told['python']}, {len(told['packages'])} packages"),
        Line("driver", "java", java, "" if is_supported(java) else "install Java 17 or 21, or set JAVA_HOME"),
        Line("driver", "delta", f"{jars} jars", jars_advice),
        Line("driver", "gpus", _gpus(told["gpus"])),
        Line("driver", "weights", _there(weights), "; ".join(wrong)),
        *machine("driver", told),
    ]


def executor(where: str, told: Facts, first: Facts, wants_gpu: bool, skew: Skew | None) -> list[Line]:
    """An executor beside the driver `first`, and the skew of its clock, None when it was not told."""
    return [
        _python(where, told, first),
        _packages(where, told, first),
        _java(where, told),
        _delta(where, told, first),
        _weights(where, told, first),
        _gpu(where, told, wants_gpu),
        _clock(where, skew),
        *machine(where, told),
        *_same_ffmpeg(where, told, first),
    ]


def silent(where: str, error: str) -> Line:
    """An executor that gave no answer."""
    advice = (
        error or "its Python does not start: look at its log, and give --conf spark.pyspark.python=PATH of a Python 3.11 to 3.13 there with the lock's packages"
    )
    return Line(where, "python", "no answer", advice)


def shared_gpus(answers: Sequence[Facts]) -> list[Line]:
    """Executors of one machine that were given the same GPU."""
    seen: dict[tuple[str, str], int] = {}
    for told in answers:
        if told.get("gpu") is not None:
            seen[told["host"], told["gpu"]] = seen.get((told["host"], told["gpu"]), 0) + 1
    advice = "the manager hands out a count only: set spark.executorEnv.TALKVID_GPU_CLAIM=1 and cluster/gpus.sh as discovery script"
    return [Line(host, "gpu", f"GPU {gpu} was given to {count} executors", advice) for (host, gpu), count in seen.items() if count > 1]


def _ffmpeg(where: str, told: Facts) -> Line:
    version = _version(told["ffmpeg"])
    if told["ffmpeg"] is None or told["ffprobe"] is None:
        return Line(where, "ffmpeg", "none", "install ffmpeg 5.1 to 7 (for example: apt-get install ffmpeg)")
    major = version.lstrip("n").split(".")[0]
    return Line(where, "ffmpeg", version, "" if not major.isdigit() or int(major) in FFMPEG else "install ffmpeg 5.1 to 7")


def _same_ffmpeg(where: str, told: Facts, first: Facts) -> list[Line]:
    mine, its = _version(first["ffmpeg"]), _version(told["ffmpeg"])
    if its in (mine, "none") or mine == "none":
        return []
    return [Line(where, "ffmpeg build", f"{its}, the driver has {mine}", "install one build everywhere: scores are the same bit for bit on one build only")]


def _version(line: str | None) -> str:
    words = (line or "").split()
    return words[2] if len(words) > 2 else "none"


def _scratch(where: str, told: Facts) -> Line:
    scratch = told["scratch"]
    if "error" in scratch:
        return Line(where, "scratch", scratch["error"], "set TALKVID_SCRATCH to a folder there that can be written")
    enough = scratch["free_gib"] >= LEAST_SCRATCH_GIB
    found = f"{scratch['free_gib']:.0f} GiB free in {scratch['folder']}"
    return Line(where, "scratch", found, "" if enough else f"free some space, or set TALKVID_SCRATCH to a disk with {LEAST_SCRATCH_GIB:g} GiB and more")


def _store(where: str, told: Facts) -> Line:
    if told["store"] == OK:
        return Line(where, "lake", "write, read and delete" + (", and it is the driver's" if told.get("left") else ""))
    return Line(where, "lake", told["store"], _SHARE.get(told["store"], _REACH))


def _python(where: str, told: Facts, first: Facts) -> Line:
    advice = "" if told["python"] == first["python"] else f"the driver has {first['python']}: give --conf spark.pyspark.python=PATH of the same version there"
    return Line(where, "python", f"{told['python']} at {told['executable']}", advice)


def _packages(where: str, told: Facts, first: Facts) -> Line:
    """Packages of the driver that differ there, or are absent."""
    mine = {name: version for name, version in first["packages"].items() if name not in NOT_COMPARED}
    other = [
        f"{name} {told['packages'].get(name, 'missing')} instead of {version}"
        for name, version in sorted(mine.items())
        if told["packages"].get(name) != version
    ]
    if not other:
        return Line(where, "packages", f"{len(mine)} as the driver's")
    shown = ", ".join(other[:5]) + (f" and {len(other) - 5} more" if len(other) > 5 else "")
    return Line(where, "packages", shown, "install the lock there: pip install --no-deps -r requirements.lock.txt")


def _weights(where: str, told: Facts, first: Facts) -> Line:
    """Weights that the driver has and that machine lacks, or has other bytes of."""
    if not isinstance(told["weights"], dict):
        return Line(where, "weights", "cannot be looked at", str(told["weights"]))
    wanted = [name for name, state in first["weights"].items() if state == "ok"] if isinstance(first["weights"], dict) else []
    other = [name for name in wanted if told["weights"].get(name) != "ok"]
    if not other:
        return Line(where, "weights", f"{len(wanted)} as the driver's")
    found = "; ".join(f"{name}: {told['weights'].get(name, 'missing')}" for name in other)
    return Line(where, "weights", found, "set TALKVID_WEIGHTS there (spark.executorEnv.TALKVID_WEIGHTS) to a folder or an s3a:// prefix that has them")


def _there(weights: dict[str, str] | str) -> str:
    """Weights that are there and that are missing; missing ones are no fault, what needs them is left out."""
    if not isinstance(weights, dict):
        return "cannot be looked at"
    named = {word: [name for name, state in weights.items() if state == kept] for word, kept in (("there", "ok"), ("missing", "missing"))}
    said = [f"{len(names)} {word}" + (f": {', '.join(names)}" if names else "") for word, names in named.items() if names or word == "there"]
    return "; ".join(said) + (" (what needs them is left out; talkvid weights list says how to get them)" if named["missing"] else "")


def _java(where: str, told: Facts) -> Line:
    """The Java that the executor runs in."""
    version = told["jvm_java"]
    advice = "" if is_supported(version) else "start the worker there with Java 17 or 21 (JAVA_HOME)"
    return Line(where, "java", version, advice)


def _delta(where: str, told: Facts, first: Facts) -> Line:
    """Delta as the executor's tasks load it, from the driver's jars or from Spark's folder there, which comes first."""
    version, mine = told["jvm_delta"], first["jvm_delta"]
    if version is None:
        advice = f"executors fetch the driver's jars: give --conf spark.jars.packages={DELTA_COORDINATE}, or run python -m cluster.jars on each node"
        return Line(where, "delta", "its tasks cannot load io.delta", advice)
    advice = "" if version == mine else f"the driver has {mine}: take the other jars out of Spark's folder there (python -m cluster.jars brings the right ones)"
    return Line(where, "delta", f"{version}, loaded", advice)


def _gpu(where: str, told: Facts, wants_gpu: bool) -> Line:
    given, visible = told.get("gpu"), told["gpus"]
    if not wants_gpu:
        return Line(where, "gpu", f"none asked for; {_gpus(visible)}")
    if given is None:
        return Line(where, "gpu", "its tasks get none", "set spark.task.resource.gpu.amount=1 (talkvid cluster-conf prints all of it)")
    if given not in visible:
        return Line(where, "gpu", f"GPU {given} was given, nvidia-smi shows {_gpus(visible)}", "look at the NVIDIA driver there, and at what gpus.sh prints")
    return Line(where, "gpu", f"GPU {given} with {visible[given]} MiB")


def _clock(where: str, skew: Skew | None) -> Line:
    if skew is None:
        return Line(where, "clock", "not told", "run it again: the executor did not answer a second time")
    if skew.perhaps_s <= MOST_SKEW_S:
        return Line(where, "clock", f"within {skew.perhaps_s:.1f} s of the driver's")
    found = f"{abs(skew.middle_s):.1f} s {'ahead of' if skew.middle_s > 0 else 'behind'} the driver's, give or take {skew.width_s / 2:.1f} s"
    untold = skew.surely_s <= MOST_SKEW_S < skew.width_s
    return Line(where, "clock", found, "run it again when the nodes are less busy: asking took too long to tell" if untold else _NTP)


def _gpus(memory: dict[str, Any]) -> str:
    return ", ".join(f"GPU {address} {mib} MiB" for address, mib in memory.items()) or "none"
