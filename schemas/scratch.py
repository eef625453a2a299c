"""The folder for files that live no longer than the process that needs them, on this machine's own disk: `$TALKVID_SCRATCH`, else below the
temporary folder. What is made there is called after the process, so that what a killed one leaves is known and swept: by processes that would see
it if it lived, since containers may share the folder and not the numbers of their processes."""

import contextlib
import functools
import os
import shutil
import socket
import tempfile
from pathlib import Path


def scratch_folder() -> Path:
    """The folder, emptied of what processes that are gone left behind."""
    folder = Path(os.environ.get("TALKVID_SCRATCH") or Path(tempfile.gettempdir()) / f"talkvid-scratch-{os.getuid()}")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for left in folder.iterdir():
        owner, _, namespace = left.name.partition("-")[0].partition("@")
        if namespace == _namespace() and not Path("/proc", owner).exists():
            _remove(left)
    return folder


def own(what: str = "") -> str:
    """How the names of this process's files and folders there begin; `what` says what they are for."""
    return f"{os.getpid()}@{_namespace()}-{what}"


@functools.cache
def _namespace() -> str:
    """The kernel's number of the namespace that this process has its number in."""
    return str(Path("/proc/self/ns/pid").stat().st_ino)


def swept() -> dict[str, str]:
    """Sweep this machine's folder; answers as `cluster.census` wants it."""
    scratch_folder()
    return {"host": socket.gethostname()}


def _remove(left: Path) -> None:
    if left.is_dir() and not left.is_symlink():
        shutil.rmtree(left, ignore_errors=True)
        return
    with contextlib.suppress(FileNotFoundError, PermissionError):
        left.unlink()
