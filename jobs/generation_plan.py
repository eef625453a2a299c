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
    """All requests of a table, told apart. `attempts` counts how often a pending one failed before; `taken_over` are rows for those that are
    present or failed and do not stand in the run yet."""

    run_id: str
    present: Sequence[Request]
    failed: Sequence[Request]
    pending: Sequence[Request]
    attempts: Mapping[str, int]
    taken_over: Sequence[Mapping[str, Any]] = ()


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
    failures = {(row["generation_id"], row["fingerprint"]): row for row in rows if row["status"] == "failed"}
    run_id, held = _run_of(rows, wanted, source, model_fingerprint)
    present, failed, pending, taken_over = [], [], [], []
    for request in wanted:
        row, failure = by_file.get(request.output_uri), failures.get((request.generation_id, request.fingerprint))
        if row is not None and row["fingerprint"] == request.fingerprint and storage.size(request.output_uri) == row["bytes"]:
            present.append(request)
        elif failure is not None and not retry_failed:
            failed.append(request)
            row = failure
        else:
            pending.append(request)
            continue
        noted = held.get(request.generation_id)
        if noted is None or noted["status"] != row["status"]:
            taken_over.append(row | {"generation_id": request.generation_id, "run_id": run_id, "source": source, "seconds": None})
    attempts = _attempts(lake, pending) if failures else {}
    return BatchPlan(run_id, present, failed, pending[:limit], attempts, taken_over)


def _run_of(rows: Sequence[Mapping[str, Any]], wanted: Sequence[Request], source: str, model_fingerprint: str) -> tuple[str, dict[str, Mapping[str, Any]]]:
    """The run that these requests belong to, and its newest row of each video.

    It is the newest run of this table and model while all its videos are still wanted as they were asked for; else a new one, so that nobody
    averages videos that were asked for together with others that are wanted no more.
    """
    ours = [row for row in rows if row["source"] == source and row["model_fingerprint"] == model_fingerprint]
    asked = {(request.generation_id, request.fingerprint) for request in wanted}
    held = {row["generation_id"]: row for row in ours if row["run_id"] == ours[-1]["run_id"]}
    goes_on = ours and all((row["generation_id"], row["fingerprint"]) in asked for row in held.values())
    return (ours[-1]["run_id"], held) if goes_on else (new_run_id(STAGE), {})


def _attempts(lake: Lake, pending: Sequence[Request]) -> dict[str, int]:
    """How often these failed as they are asked for now. `generations` may tell of one failure in several runs."""
    names = {(request.generation_id, request.fingerprint): 0 for request in pending}
    for row in lake.ledger.read("failures", ("stage", "entity", "fingerprint")).to_pylist():
        key = row["entity"], row["fingerprint"]
        if row["stage"] == STAGE and key in names:
            names[key] += 1
    return {name: count for (name, _), count in names.items()}


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
