"""Which videos of a batch are there, which failed before, and which are to be made (law 7)."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from posixpath import normpath
from typing import Any

from inference.options import Options
from jobs.generation_config import VIDEO_SUFFIX
from jobs.generation_table import Wish
from jobs.history import new_run_id
from schemas import storage
from schemas.errors import UsageError
from schemas.ids import is_safe_id
from schemas.lake import Lake

STAGE = "generate"
READ_BYTES = 1 << 20


@dataclass(frozen=True)
class Request:
    """One video that is wanted. `fingerprint` is over the contents of its inputs, its options, its seed and the model."""

    generation_id: str
    wish: Wish
    options: Options
    output_uri: str
    fingerprint: str
    input_bytes: int

    def item(self) -> dict[str, Any]:
        """As `inference.worker` takes it."""
        inputs = self.wish.inputs
        return {
            "generation_id": self.generation_id,
            "output_uri": self.output_uri,
            "options": asdict(self.options),
            "reference_uri": inputs["reference_image_path"],
            "audio_uri": inputs["audio_path"],
            "kps_path": inputs["kps_path"],
            "driving_video": inputs["driving_video_path"],
            "input_bytes": self.input_bytes,
        }


@dataclass(frozen=True)
class BatchPlan:
    """All requests of a table, told apart. `attempts` counts how often a pending one failed before."""

    run_id: str
    present: Sequence[Request]
    failed: Sequence[Request]
    pending: Sequence[Request]
    attempts: Mapping[str, int]


def requests(wishes: Iterable[Wish], defaults: Mapping[str, Any], out: str, model_fingerprint: str) -> list[Request]:
    """What the rows of a table ask for; `defaults` are options from the command line. Without a seed a row's comes from its generation_id.

    Raises `UsageError` for values that mean nothing, and where two rows would write one file.
    """
    digests: dict[str, tuple[str, int]] = {}
    owners: dict[str, str] = {}
    found, names = [], set()
    for wish in wishes:
        given = {**defaults, **wish.options}
        name = _unused(wish.generation_id or _name_of(wish, given), names, own=wish.generation_id is not None)
        if not is_safe_id(name) or name.startswith("-"):
            raise UsageError(f"{wish.where}: generation_id {name!r} is not 1 to 64 letters, digits, _ and - that do not begin with -")
        try:
            options = Options(**({"seed": _seed_of(name)} | given))
        except UsageError as error:
            raise UsageError(f"{wish.where}: {error}") from error
        if options.retarget_strategy != "fix_face" and wish.inputs["kps_path"] is None and wish.inputs["driving_video_path"] is None:
            raise UsageError(f"{wish.where}: retarget_strategy {options.retarget_strategy} needs kps_path or driving_video_path")
        contents = {kind: _content(place, digests) for kind, place in wish.inputs.items()}
        asked = json.dumps([model_fingerprint, asdict(options), {kind: digest for kind, (digest, _) in contents.items()}], sort_keys=True)
        if wish.output_path is not None and not wish.output_path.lower().endswith(VIDEO_SUFFIX):
            raise UsageError(f"{wish.where}: output_path {wish.output_path!r} does not end in {VIDEO_SUFFIX}")
        output = storage.at(out, wish.output_path or f"{name}{VIDEO_SUFFIX}") if not _absolute(wish.output_path) else storage.address(wish.output_path or "")
        owner = owners.setdefault(normpath(output), wish.where)
        if owner != wish.where:
            raise UsageError(f"{wish.where}: its video {output} is also that of {owner}")
        digest = hashlib.sha256(asked.encode()).hexdigest()[:16]
        mark = "random:" if model_fingerprint.startswith("random:") else ""
        found.append(Request(name, wish, options, output, f"{mark}{STAGE}-{digest}", sum(size for _, size in contents.values())))
    return found


def batch_plan(lake: Lake, wanted: Sequence[Request], source: str, model_fingerprint: str, *, retry_failed: bool, limit: int | None) -> BatchPlan:
    """Compare with the newest rows of `generations`. A video is present when the newest row of its file says that it was made as is asked now, and
    the file is there in full."""
    rows = lake.ledger.read("generations").sort_by("created_at").to_pylist() if lake.place.version("generations") >= 0 else []
    by_file = {row["output_uri"]: row for row in rows if row["status"] == "written"}
    failed_rows = [row for row in rows if row["status"] == "failed"]
    attempts: dict[str, int] = {}
    for row in failed_rows:
        key = f"{row['generation_id']} {row['fingerprint']}"
        attempts[key] = attempts.get(key, 0) + 1
    present, failed, pending = [], [], []
    for request in wanted:
        row = by_file.get(request.output_uri)
        made = row is not None and row["fingerprint"] == request.fingerprint and storage.size(request.output_uri) == row["bytes"]
        tried = attempts.get(f"{request.generation_id} {request.fingerprint}", 0)
        (present if made else failed if tried and not retry_failed else pending).append(request)
    runs = [row["run_id"] for row in rows if row["source"] == source and row["model_fingerprint"] == model_fingerprint]
    tried_before = {request.generation_id: attempts.get(f"{request.generation_id} {request.fingerprint}", 0) for request in pending}
    return BatchPlan(runs[-1] if runs else new_run_id(STAGE), present, failed, pending[:limit], tried_before)


def _name_of(wish: Wish, given: Mapping[str, Any]) -> str:
    """From what shapes the video, not from labels: a corrected label makes no other video."""
    said = json.dumps([dict(wish.inputs), dict(given)], sort_keys=True)
    return "g" + hashlib.sha256(said.encode()).hexdigest()[:16]


def _unused(name: str, names: set[str], *, own: bool) -> str:
    """Rows that ask for the same get numbers."""
    number, free = 1, name
    while free in names and not own:
        number += 1
        free = f"{name}-{number}"
    names.add(free)
    return free


def _seed_of(name: str) -> int:
    return int(hashlib.sha256(name.encode()).hexdigest()[:8], 16)


def _absolute(path: str | None) -> bool:
    return path is not None and (path.startswith("/") or "://" in path)


def _content(place: str | None, digests: dict[str, tuple[str, int]]) -> tuple[str, int]:
    """Hash and size of an input; what is not there yet is another content than what will be."""
    if place is None:
        return "", 0
    if place not in digests:
        from pyarrow import ArrowException

        whole, size = hashlib.sha256(), 0
        try:
            with storage.open_file(place) as file:
                while block := file.read(READ_BYTES):
                    whole.update(block)
                    size += len(block)
            digests[place] = whole.hexdigest(), size
        except (OSError, ValueError, ArrowException):  # also an address that means nothing: the worker makes a row of it
            digests[place] = "absent", 0
    return digests[place]
