"""Files that are being written: hidden, beside the name that they get once they are whole. A writer that is killed leaves its one behind; whoever holds
the lease under which such files are written sweeps them away. In a store there are none: what is not whole is not there."""

import os
import re
import secrets
from collections.abc import Iterable
from pathlib import Path

_KEPT = 100
"""Characters of the final name, so that the hidden one is not too long for a file system."""
_NAME = re.compile(r"\.(.+)\.[0-9a-f]{12}\.part", re.DOTALL)


def beside(final: str | os.PathLike[str]) -> Path:
    """A new path for the file that shall be called `final`, in the same folder."""
    path = Path(final)
    return path.with_name(f".{path.name[:_KEPT]}.{secrets.token_hex(6)}.part")


def sweep(finals: Iterable[str]) -> int:
    """Delete what killed writers left of the files `finals` (paths; addresses in a store are passed over); returns how many there were."""
    wanted: dict[str, set[str]] = {}
    for final in finals:
        if "://" not in final:
            folder, name = os.path.split(final)
            wanted.setdefault(folder, set()).add(name[:_KEPT])
    return sum(_gone(Path(folder, name)) for folder, names in wanted.items() for name, final in _in(folder) if final in names)


def sweep_below(folder: str | os.PathLike[str]) -> int:
    """Delete all that killed writers left anywhere below a folder; returns how many there were."""
    return sum(_gone(Path(root, name)) for root, _, names in os.walk(folder) for name in names if _NAME.fullmatch(name))


def _in(folder: str) -> list[tuple[str, str]]:
    """Unfinished files of a folder, each with the first characters of its final name; none where there is no folder."""
    try:
        names = os.listdir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [(name, match[1]) for name in names if (match := _NAME.fullmatch(name))]


def _gone(path: Path) -> bool:
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    return True
