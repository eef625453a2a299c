"""Media of any URI as a local file: used where it lies, or copied to a bounded scratch folder for as long as it is needed."""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

from schemas import storage
from schemas.codes import Rejected
from schemas.scratch import own, scratch_folder
from udfs.registered import Registered, check_file

MAX_STAGED_BYTES = 32 << 30
"""Largest object that is copied."""

KEPT_FREE_BYTES = 1 << 30
"""Space left free on the scratch disk."""

COPY_BYTES = 8 << 20

STORE_TICK_NS = 1_000_000_000
"""Stores tell modification times of one object in whole seconds, and those of a list more exactly."""


@contextlib.contextmanager
def staged(uri: str | Path, registered: Registered | None = None) -> Iterator[Path]:
    """A local path for a plain path, a file:// URI, or any URI that pyarrow.fs reads (s3://, s3a://, gs://, hdfs://, …).

    A remote object is copied below `$TALKVID_SCRATCH` (default: the temporary folder) and removed afterwards, also what a killed
    process left there. Raises `Rejected`: `vanished`, also when it is another file than was `registered`, `too_large` when it does not fit,
    `download_failed` when the store cannot be read.
    """
    local = local_path(uri)
    if local is not None:
        check_file(local, registered)
        yield local
        return
    scratch = scratch_folder()
    with tempfile.TemporaryDirectory(prefix=own(), dir=scratch) as folder:
        yield _copied(str(uri), Path(folder), registered)


def local_path(uri: str | Path) -> Path | None:
    """The path that a plain path or a file: URI means; None for URIs of object stores."""
    text = str(uri)
    if isinstance(uri, Path) or "://" not in text and not text.startswith("file:"):
        return Path(text)
    parts = urlsplit(text)
    if parts.scheme != "file":
        return None
    # What urlsplit takes for a query or a fragment belongs to the name: file URIs have neither.
    return Path(unquote(text.removeprefix("file://" + parts.netloc if text.startswith("file://") else "file:")))


def gone(uri: str, registered: Registered | None, *, failed_before: bool) -> str | None:
    """Why a local file can be known to be of no use, as its failure would say it: it is not there, or not as it was registered.

    Bytes are looked at only where that `failed_before`; of an object in a store nothing is asked.
    """
    local = local_path(uri)
    try:
        if local is not None:
            check_file(local, registered, by_size=not failed_before)
    except Rejected as rejection:
        return rejection.detail
    return None


def _copied(uri: str, folder: Path, registered: Registered | None) -> Path:
    from pyarrow import ArrowException, fs

    try:
        store, key = storage.filesystem(uri)
        found = store.get_file_info(key)
        if found.type != fs.FileType.File:
            raise Rejected("vanished", "the object is not there any more")
        if registered is not None:
            registered.check_size(found.size)
        free_bytes = shutil.disk_usage(folder).free - KEPT_FREE_BYTES
        if found.size > min(MAX_STAGED_BYTES, free_bytes):
            raise Rejected("too_large", f"its {found.size} bytes do not fit on the scratch disk")
        target = folder / (Path(key).name or "object")
        with store.open_input_stream(key) as remote, open(target, "wb") as copy:
            shutil.copyfileobj(remote, copy, COPY_BYTES)
    except (OSError, ArrowException) as error:
        raise Rejected("download_failed", f"the object could not be read: {str(error).splitlines()[0][:200]}") from error
    arrived = target.stat().st_size
    if arrived != found.size:
        raise Rejected("download_failed", f"only {arrived} of the object's {found.size} bytes arrived")
    if registered is not None:
        registered.check(uri, target, arrived, found.mtime_ns, STORE_TICK_NS)
    return target
