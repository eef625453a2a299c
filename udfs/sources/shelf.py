"""The lake's own media: files copied or downloaded wait in `media/.incoming` until they have an id, then move to `media/<video_id>`.

`media` is the lake's media folder, or its prefix in a store: then files are made in a scratch folder and put there whole.
"""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from schemas import storage, uploads
from schemas.scratch import own, scratch_folder

INCOMING = ".incoming"
_UNFINISHED = "copying-"


def incoming(media: str, key: str) -> str:
    """The address at which media waits under a safe key (a content hash, a platform id)."""
    return storage.at(media, INCOMING, key)


@contextlib.contextmanager
def copying(media: str) -> Iterator[Path]:
    """A new local folder to copy into; removed at the end unless `keep` has moved it."""
    if storage.is_remote(media):
        with tempfile.TemporaryDirectory(prefix=own(), dir=scratch_folder()) as scratch:
            yield Path(scratch)
        return
    folder = Path(incoming(media, f"{_UNFINISHED}{os.getpid()}-{os.urandom(8).hex()}"))
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def keep(folder: Path, media: str, key: str) -> str:
    """Give a finished folder its waiting name, in the place of what a killed run left there. Returns its new address."""
    final = incoming(media, key)
    storage.delete_below(final)
    if storage.is_remote(media):
        for file in sorted(path for path in folder.iterdir() if path.is_file()):
            storage.put_file(file, storage.at(final, file.name))
    else:
        os.replace(folder, final)
    return final


def shelve(waiting: str | os.PathLike[str], media: str, video_id: str) -> str:
    """Move a waiting folder to the video's own place, in the place of what a killed run left there. Returns that place."""
    before, final = os.fspath(waiting), storage.at(media, video_id)
    if before == final:
        return final
    storage.delete_below(final)
    if storage.is_remote(media):
        for file in storage.listed(before):
            storage.move(file.uri, final + file.uri.removeprefix(before))
    else:
        os.replace(before, final)
    return final


def taken_out(media: str, video_id: str | None, key: str, note: str, folder: Path) -> str | None:
    """Copy to `folder` what an earlier run finished in a store (it has the file `note`): returns where it lies, None where there is none."""
    for place in [storage.at(media, video_id)] * bool(video_id) + [incoming(media, key)]:
        if storage.exists(storage.at(place, note)):
            for file in storage.listed(place):
                storage.fetch(file.uri, folder / file.uri.rpartition("/")[2])
            return place
    return None


def discard(waiting: str | os.PathLike[str], media: str) -> None:
    """Remove a waiting folder; anything that does not wait is left alone."""
    if os.fspath(waiting).rpartition("/")[0] == storage.at(media, INCOMING):
        storage.delete_below(os.fspath(waiting))


def sweep(media: str) -> None:
    """Remove what killed workers left half copied. The caller holds the lake's lease."""
    if storage.is_remote(media):
        uploads.abort(media)
        return
    for left in Path(media, INCOMING).glob(f"{_UNFINISHED}*"):
        shutil.rmtree(left, ignore_errors=True)


def suffix(name: str, otherwise: str) -> str:
    """A file's extension if it is a plain one, else `otherwise`."""
    found = Path(name).suffix.lower()
    return found if 1 < len(found) <= 6 and found[1:].isascii() and found[1:].isalnum() else otherwise
