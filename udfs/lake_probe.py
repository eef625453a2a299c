"""Whether every machine can write, read and delete below a lake, and means the same place by its address.

The driver leaves a file of random bytes that each executor must find there, and each executor leaves one for the driver: a folder that
nodes do not share, or two stores of one name, look right to each machine alone.
"""

import contextlib
import os
import secrets
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from schemas import storage

OK = "ok"
UNSHARED_FOLDER = "another folder than the driver's: what one of them writes, the other does not find"
UNSHARED_STORE = "another store than the driver's: what one of them writes, the other does not find"
UNTRIED = "not tried: the driver itself cannot use it"


@dataclass(frozen=True)
class LakeProbe:
    """The driver's file below `lake`. `told` is `OK`, or which of write, read and delete failed for the driver, and how."""

    lake: str
    name: str
    content: bytes
    told: str = OK

    @property
    def place(self) -> str:
        """Address of the file; those of executors begin so."""
        return storage.at(self.lake, ".doctor", self.name)

    @property
    def unshared(self) -> str:
        """What is told of a machine that means another place than the driver does."""
        return UNSHARED_STORE if storage.is_remote(self.lake) else UNSHARED_FOLDER


@contextlib.contextmanager
def laid(lake: str) -> Iterator[LakeProbe]:
    """The driver's part. At the end its file, those of the executors, and folders that were made for them are gone."""
    probe = LakeProbe(lake, secrets.token_hex(8), secrets.token_bytes(32))
    absent = _absent(probe)
    try:
        yield LakeProbe(lake, probe.name, probe.content, _tried(probe.place, probe.content))
    finally:
        _removed(probe)
        for folder in absent:
            with contextlib.suppress(OSError):  # another doctor may be at work there
                folder.rmdir()


def answered(probe: LakeProbe) -> dict[str, str]:
    """An executor's part, its answer for `doctor` too: `store` is `OK` or what failed, `left` the address of the file that the driver must
    find. Where the driver's file is not, nothing is written."""
    if probe.told != OK:
        return {"store": UNTRIED, "left": ""}
    try:
        shared = storage.read_bytes(probe.place) == probe.content
    except Exception as error:  # noqa: BLE001 - whatever it is, it is told
        return {"store": _failed("read", error), "left": ""}
    if not shared:
        return {"store": probe.unshared, "left": ""}
    place = f"{probe.place}-{socket.gethostname()}-{os.getpid()}"
    return {"store": _tried(place, probe.content), "left": place}


def confirmed(probe: LakeProbe, answer: Mapping[str, Any]) -> str:
    """What is told of an executor after the driver looked for the file that it left."""
    if answer["store"] != OK:
        return answer["store"]
    try:
        return OK if storage.read_bytes(answer["left"]) == probe.content else probe.unshared
    except Exception as error:  # noqa: BLE001 - as above
        return _failed("read", error)


def _tried(place: str, content: bytes) -> str:
    """Write, read, delete, and write for the others. `OK`, or which failed, and how."""
    doing = "write"
    try:
        storage.put_bytes(content, place)
        doing = "read"
        if storage.read_bytes(place) != content:
            return "no read: what came back is not what was written"
        doing = "delete"
        storage.delete(place)
        doing = "write"
        storage.put_bytes(content, place)
        return OK
    except Exception as error:  # noqa: BLE001 - as above
        return _failed(doing, error)


def _failed(doing: str, error: Exception) -> str:
    return f"no {doing}: {str(error).splitlines()[0] if str(error) else type(error).__name__}"


def _absent(probe: LakeProbe) -> list[Path]:
    """Folders that a file under the probe's address needs and that are not there, the innermost first."""
    return [] if storage.is_remote(probe.lake) else [folder for folder in Path(probe.place).parents if not os.path.exists(folder)]


def _removed(probe: LakeProbe) -> None:
    """Delete the files of the driver and the executors, as far as that can be done."""
    folder, _, name = probe.place.rpartition("/")
    with contextlib.suppress(Exception):
        for file in storage.listed(folder, name):
            storage.delete(file.uri)
