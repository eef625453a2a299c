"""Which device a worker process may use."""

import fcntl
import os
import shutil
import subprocess
import tempfile
import time
from itertools import takewhile
from pathlib import Path

from schemas.errors import MissingError
from udfs.scorer import Device

GPU_ADDRESS = "TALKVID_GPU_ADDRESS"
"""Set in a Python worker to the address that Spark gave its task."""

_held: list[tuple[int, int]] = []
"""The lock that this process holds, and the GPU it stands for."""


def visible_gpus() -> int:
    """How many NVIDIA GPUs this process may use, as CUDA counts them; 0 without a driver."""
    return len(gpu_names())


def gpu_names() -> list[str]:
    """The GPUs that this process may use, in CUDA's order: the machine's numbers of them, or what `$CUDA_VISIBLE_DEVICES` calls them.

    Like CUDA, that variable's list ends at the first name that is none.
    """
    if shutil.which("nvidia-smi") is None:
        return []
    listed = subprocess.run(["nvidia-smi", "--list-gpus"], capture_output=True, text=True, timeout=60, check=False)
    all_of_machine = [str(number) for number, line in enumerate(listed.stdout.splitlines()) if line.startswith("GPU ")]
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is None or not all_of_machine:
        return all_of_machine
    names = [name.strip() for name in chosen.split(",")]
    return list(takewhile(lambda name: name in all_of_machine or name.startswith(("GPU-", "MIG-")), names))


def resolve(wanted: str) -> str:
    """`cpu` or `cuda` for a user's `auto`, `cpu` or `cuda`. Raises `MissingError` for `cuda` without a GPU."""
    if wanted == "cpu":
        return "cpu"
    found = visible_gpus() > 0 or GPU_ADDRESS in os.environ
    if wanted == "cuda" and not found:
        raise MissingError("--device cuda: no GPU is visible here; use --device cpu")
    return "cuda" if found else "cpu"


def claim(kind: str, threads: int = 1) -> Device:
    """The device of this process: the address from Spark, else in local mode the first GPU that no other process has locked.

    Waits for a GPU, once per process; the lock is the process's, so that its death frees the GPU.
    """
    if kind == "cpu":
        return Device("cpu", 0, threads)
    if GPU_ADDRESS in os.environ:
        return Device("cuda", int(os.environ[GPU_ADDRESS]), threads)
    if _held:
        return Device("cuda", _held[0][1], threads)
    while True:
        for index, name in enumerate(gpu_names() or ["0"]):
            handle = os.open(Path(tempfile.gettempdir(), f"talkvid-gpu-{name}.lock"), os.O_RDWR | os.O_CREAT, 0o666)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(handle)
                continue
            _held.append((handle, index))
            return Device("cuda", index, threads)
        time.sleep(0.2)
