"""The lake's own media: files copied or downloaded wait in `media/.incoming` until they have an id, then move to `media/<video_id>`."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

INCOMING = ".incoming"
_UNFINISHED = "copying-"


def incoming(media: str, key: str) -> Path:
    """The folder in which media waits under a safe key (a content hash, a platform id)."""
    return Path(media, INCOMING, key)


@contextlib.contextmanager
def copying(media: str) -> Iterator[Path]:
    """A new folder to copy into; removed at the end unless `keep` has moved it."""
    folder = incoming(media, f"{_UNFINISHED}{os.getpid()}-{os.urandom(8).hex()}")
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def keep(folder: Path, media: str, key: str) -> Path:
    """Give a finished folder its waiting name, in the place of what a killed run left there. Returns its new path."""
    final = incoming(media, key)
    if final.exists():
        shutil.rmtree(final)
    os.replace(folder, final)
    return final


def shelve(waiting: Path, media: str, video_id: str) -> Path:
    """Move a waiting folder to the video's own place, in the place of what a killed run left there. Returns that place."""
    final = Path(media, video_id)
    if waiting != final:
        if final.exists():
            shutil.rmtree(final)
        os.replace(waiting, final)
    return final


def discard(waiting: Path, media: str) -> None:
    """Remove a waiting folder; anything that does not wait is left alone."""
    if waiting.parent == Path(media, INCOMING):
        shutil.rmtree(waiting, ignore_errors=True)


def sweep(media: str) -> None:
    """Remove what killed workers left half copied. The caller holds the lake's lease."""
    for left in Path(media, INCOMING).glob(f"{_UNFINISHED}*"):
        shutil.rmtree(left, ignore_errors=True)


def suffix(name: str, otherwise: str) -> str:
    """A file's extension if it is a plain one, else `otherwise`."""
    found = Path(name).suffix.lower()
    return found if 1 < len(found) <= 6 and found[1:].isascii() and found[1:].isalnum() else otherwise
