"""Cutting kept clips as a worker of `jobs.batches`: spans in, files and one row per clip out."""

import contextlib
import itertools
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from schemas import storage
from schemas.codes import Rejected
from schemas.scratch import own, scratch_folder
from udfs.media import cut
from udfs.registered import Registered
from udfs.staging import staged

ROWS = pa.schema([("clip_id", pa.string()), ("bytes", pa.int64()), ("code", pa.string()), ("detail", pa.string())])
"""Result rows: the size of the file, or the code and the sentence of a failure."""


@dataclass(frozen=True)
class CutPlan:
    """Where the files go, a folder or a prefix in a store, and their constant frame rate; None keeps the source's frames and their times."""

    folder: str
    fps: float | None = None


def cut_clips(plan: CutPlan, items: list[dict[str, Any]]) -> Iterator[tuple[int, list[dict]]]:
    """Cut each item (`clip_id, uri, registered, audio_uri, start_s, end_s, crop, name`) to the file `name` in the plan's folder.

    Neighbouring items of one video share its staged copy.
    """
    for (uri, registered), together in itertools.groupby(enumerate(items), key=lambda pair: (pair[1]["uri"], pair[1].get("registered"))):
        group = list(together)
        with contextlib.ExitStack() as stack:
            try:
                media = stack.enter_context(staged(uri, Registered.read(registered)))
            except Rejected as rejection:
                yield from ((index, [_failed(item, rejection)]) for index, item in group)
                continue
            for index, item in group:
                yield index, [_cut(plan, item, media)]


def _cut(plan: CutPlan, item: dict[str, Any], media: Path) -> dict[str, Any]:
    crop = item["crop"]
    box = (crop["left"], crop["top"], crop["right"], crop["bottom"]) if crop else None
    try:
        separate = staged(item["audio_uri"]) if item["audio_uri"] else contextlib.nullcontext()
        with separate as sound, _destination(storage.at(plan.folder, item["name"])) as file:
            written = cut(media, file, item["start_s"], item["end_s"], fps=plan.fps, crop=box, audio_source=sound)
    except Rejected as rejection:
        return _failed(item, rejection)
    except Exception as error:  # noqa: BLE001 - one clip must not end the job; the row names what happened
        return _failed(item, Rejected("internal", f"{type(error).__name__}: {error}"))
    return {"clip_id": item["clip_id"], "bytes": written.bytes, "code": None, "detail": None}


@contextlib.contextmanager
def _destination(address: str) -> Iterator[Path]:
    """The local path to write to; what has a name in a store is put there, whole, when the block ends well."""
    if not storage.is_remote(address):
        yield Path(address)
        return
    with tempfile.TemporaryDirectory(prefix=own(), dir=scratch_folder()) as folder:
        path = Path(folder, address.rpartition("/")[2])
        yield path
        storage.put_file(path, address)


def died(item: dict[str, Any]) -> list[dict]:
    """The row of a clip that killed its Python process twice."""
    return [_failed(item, Rejected("worker_died", "the process that cut this clip died, and again when it had the clip alone"))]


def _failed(item: dict[str, Any], rejection: Rejected) -> dict[str, Any]:
    return {"clip_id": item["clip_id"], "bytes": None, "code": rejection.code, "detail": rejection.detail}
