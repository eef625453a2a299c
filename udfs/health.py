"""What a machine tells of itself for `talkvid doctor`: versions, programs, GPUs, weights and space.

Runs on the driver and inside a task of every executor. Nothing here raises: what cannot be had is told as a sentence.
"""

import os
import shutil
import socket
import subprocess
import sys
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

from udfs.lake_probe import LakeProbe, answered

Facts = dict[str, Any]
_PROBE = b"talkvid doctor was here\n"


def facts() -> Facts:
    """Everything that the doctor compares but the lake, which `lake_probe` looks at."""
    return {
        "host": socket.gethostname(),
        "addresses": _addresses(),
        "python": sys.version.split()[0],
        "executable": sys.executable,
        "packages": packages(),
        "java": _java(),
        "ffmpeg": _first_line("ffmpeg", "-version"),
        "ffprobe": _first_line("ffprobe", "-version"),
        "gpus": gpus(),
        "weights": _weights(),
        "scratch": _scratch(),
    }


def executor_facts(probe: LakeProbe) -> Facts:
    """The same of an executor, and what it finds of the driver's file below the lake."""
    return facts() | answered(probe)


def packages() -> dict[str, str]:
    """Versions of all installed Python packages, by their names in small letters."""
    return {found.metadata["Name"].lower(): found.version for found in distributions() if found.metadata["Name"]}


def gpus() -> dict[str, int]:
    """Memory in MiB of each NVIDIA GPU that is visible here, by its address."""
    answer = _output("nvidia-smi", "--query-gpu=index,memory.total", "--format=csv,noheader,nounits")
    rows = [line.split(",") for line in (answer or "").splitlines()]
    return {row[0].strip(): int(row[1]) for row in rows if len(row) == 2 and row[1].strip().isdigit()}


def _output(*words: str) -> str | None:
    """What a program prints, None when it is not there or fails."""
    if shutil.which(words[0]) is None:
        return None
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout or done.stderr


def _first_line(*words: str) -> str | None:
    answer = _output(*words)
    return answer.splitlines()[0] if answer else None


def _java() -> str | None:
    home = os.environ.get("JAVA_HOME")
    return _first_line(str(Path(home, "bin", "java")) if home else "java", "-version")


def _addresses() -> list[str]:
    """Names and addresses under which a cluster manager may know this machine."""
    found = {
        socket.gethostname(),
        *(os.environ.get(name, "") for name in ("SPARK_LOCAL_IP", "SPARK_LOCAL_HOSTNAME", "SPARK_PUBLIC_DNS", "SPARK_EXECUTOR_POD_IP", "NM_HOST")),
    }
    try:
        import psutil

        found |= {address.address for card in psutil.net_if_addrs().values() for address in card if address.family == socket.AF_INET} - {"127.0.0.1"}
    except (ImportError, OSError):
        pass
    return sorted(found - {""})


def _weights() -> dict[str, str] | str:
    """`ok`, `missing` or what is wrong, by entry of the manifest."""
    try:
        from udfs import weights

        return weights.verify()
    except Exception as error:  # noqa: BLE001 - a machine that lacks a package tells so, and goes on
        return f"{type(error).__name__}: {error}"


def _scratch() -> dict[str, Any]:
    try:
        from schemas.scratch import own, scratch_folder

        folder = scratch_folder()
        (folder / own("doctor")).write_bytes(_PROBE)
        (folder / own("doctor")).unlink()
        return {"folder": str(folder), "free_gib": shutil.disk_usage(folder).free / 2**30}
    except Exception as error:  # noqa: BLE001 - as above
        return {"error": f"{type(error).__name__}: {error}"}
