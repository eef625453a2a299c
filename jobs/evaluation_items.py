"""The videos that `evaluate` looks at: those of a run of generate, or the files of two folders."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from inference.evaluating import item_name
from jobs.bench_choice import COLUMNS, OTHER, group_of
from schemas import storage
from schemas.errors import MissingError, UsageError
from schemas.lake import Lake
from schemas.snapshot import snapshot
from schemas.storage import Stored

AXES = ("language", "age_group", "gender", "ethnicity")
_OF_BENCH = {column: axis for axis, column in COLUMNS.items()}
VIDEOS = frozenset({".mp4", ".mkv", ".mov", ".webm", ".avi", ".m4v"})
ALL = "all"
MOST_TOLD = 3
"""Names in a sentence."""


@dataclass(frozen=True)
class Item:
    """A generated video and what it is compared with, by address; `generated` None for a real video that nothing was generated for."""

    item_id: str
    name: str
    generated: str | None
    real: str | None
    audio: str | None = None
    portrait: str | None = None
    model: str | None = None
    seconds: float = 5.0
    labels: Mapping[str, str | None] = field(default_factory=dict)

    def group(self, axis: str) -> str:
        """Its group of an axis: the benchmark's that its label means (`en` is English), else the label as it is, also for a language of `Other`."""
        label = (self.labels.get(axis) or "").strip()
        group = group_of(_OF_BENCH[axis], label)
        own_text = group is None or (group == OTHER and label.casefold() != OTHER.casefold())
        return label or "not stated" if own_text else group


@dataclass(frozen=True)
class Items:
    """All of them; `source` names the run or the folder, `unmade` counts videos of the run that generate could not make, `left_out` says in
    sentences what is not among them, or is from several runs."""

    source: str
    items: Sequence[Item]
    unmade: int = 0
    left_out: tuple[str, ...] = ()

    @property
    def models(self) -> list[str]:
        """Fingerprints of the models that made them."""
        return sorted({item.model for item in self.items if item.model})


def of_run(lake: Lake, run: str | None) -> Items:
    """The newest row of each video of a run of generate; of the newest run without a name, of all runs by `all`, then each file once. What a later
    run wrote another video over is left out.

    Raises `MissingError`, and `UsageError` where models with random weights made some of them and models with real ones others.
    """
    rows = lake.ledger.read("generations").sort_by("created_at").to_pylist() if lake.place.version("generations") >= 0 else []
    if not rows:
        raise MissingError("there are no generated videos; make some with: talkvid generate --table CSV, or give --generated DIR --reference DIR")
    wanted = run or rows[-1]["run_id"]
    newest = {(row["run_id"], row["generation_id"]): row for row in rows if wanted in (ALL, row["run_id"])}
    if not newest:
        known = ", ".join(dict.fromkeys(row["run_id"] for row in reversed(rows)))
        raise MissingError(f"--generations {run}: there is no such run; there are {known}")
    in_file = {row["output_uri"]: row["fingerprint"] for row in rows if row["status"] == "written"}
    written = [row for row in newest.values() if row["status"] == "written"]
    there = [row for row in written if in_file[row["output_uri"]] == row["fingerprint"]]
    _refuse_mixture(there)
    made = list({_file(row): row for row in there}.values())
    unmade = {_asked(row) for row in newest.values() if row["status"] != "written"} - {_asked(row) for row in made}
    labels = _labels(lake, [row["clip_id"] for row in made])
    items = [_generated(row, labels.get(row["clip_id"], {})) for row in sorted(made, key=lambda row: (row["run_id"], row["generation_id"]))]
    left_out = [f"{len(written) - len(there)} videos left out: later ones were written over them"] if len(written) > len(there) else []
    if run is None:
        runs = {row["run_id"] for row in rows}
        others = {_file(row) for row in rows if row["status"] == "written" and row["run_id"] != wanted} - {_file(row) for row in made}
        left_out += [f"{wanted} is the newest of {len(runs)} runs; {len(others)} videos of others left out (--generations RUN, or all)"] if others else []
    elif run == ALL and len(runs := {row["run_id"] for row in made}) > 1:
        left_out.append(f"the videos of {len(runs)} runs are averaged together")
    return Items(wanted, items, len(unmade), tuple(left_out))


def _file(row: Mapping[str, Any]) -> tuple[str, str]:
    return row["generation_id"], row["output_uri"]


def _asked(row: Mapping[str, Any]) -> tuple[str, str]:
    return row["generation_id"], row["fingerprint"]


def _refuse_mixture(made: Sequence[Mapping[str, Any]]) -> None:
    """Numbers of models with random weights never stand in one row with others (law 5)."""
    runs: dict[bool, list[str]] = {True: [], False: []}
    for row in made:
        runs[(row["model_fingerprint"] or "").startswith("random:")].append(row["run_id"])
    if runs[True] and runs[False]:
        told = {kind: ", ".join(dict.fromkeys(reversed(names))) for kind, names in runs.items()}
        raise UsageError(
            f"{len(runs[True])} videos were made with random weights ({told[True]}) and {len(runs[False])} with real ones ({told[False]}): "
            "they are not averaged together; name one run: --generations RUN"
        )


def of_folders(lake: Lake, generated: str, real: str | None) -> Items:
    """The videos of one folder with those of the same relative name, up to the extension, in the other; real ones alone count for sets only.

    A file that is called after a clip has the clip's labels. Raises `MissingError` for a folder that is not there or holds no video, and
    `UsageError` where two videos of one folder have one name.
    """
    ours, theirs = _videos(generated), _videos(real) if real else {}
    clips = {name: name.rpartition("/")[2].removeprefix("v_") for name in {*ours, *theirs}}
    labels = _labels(lake, list(clips.values()))
    items = []
    for name in sorted({*ours, *theirs}):
        one, other = ours.get(name), theirs.get(name)
        item_id = item_name(*(part for file in (one, other) for part in _age(file)))
        items.append(Item(item_id, name, one and one.uri, other and other.uri, labels=labels.get(clips[name], {})))
    return Items(generated, items)


def item_id_of(row: Mapping[str, Any]) -> str:
    """The name under which `evaluated` keeps what was measured of the video of a row of `generations`."""
    return item_name(*(row[name] for name in ("generation_id", "fingerprint", "output_uri", "bytes", "reference_uri", "audio_uri", "ground_truth_uri")))


def _generated(row: Mapping[str, Any], clip: Mapping[str, str | None]) -> Item:
    labels = {axis: row[axis] or clip.get(axis) for axis in AXES}
    addresses = {"generated": row["output_uri"], "real": row["ground_truth_uri"], "audio": row["audio_uri"], "portrait": row["reference_uri"]}
    return Item(item_id_of(row), row["generation_id"], **addresses, model=row["model_fingerprint"], seconds=row["duration_s"] or 5.0, labels=labels)


def _labels(lake: Lake, clips: Sequence[str | None]) -> dict[str, dict[str, str | None]]:
    """Labels by clip, of those that the lake knows."""
    asked = sorted({clip for clip in clips if clip})
    if not asked or lake.place.version("clip_metadata") < 0:
        return {}
    with snapshot(lake.ledger, ("clip_metadata",)) as engine:
        columns = ", ".join(f"m.{axis}" for axis in AXES)
        rows = engine.execute(f"SELECT m.clip_id, {columns} FROM clip_metadata m JOIN (SELECT unnest(?) AS clip_id) USING (clip_id)", [asked]).fetchall()
    return {clip: dict(zip(AXES, values, strict=True)) for clip, *values in rows}


def _videos(folder: str) -> dict[str, Stored]:
    """Videos below a folder or a prefix of a store by their relative names without extension. Raises `UsageError` where two have one."""
    if not storage.is_remote(folder) and not Path(folder).is_dir():
        raise MissingError(f"there is no folder {folder}")
    files = {file.uri.removeprefix(f"{folder}/"): file for file in storage.listed(folder)}
    named: dict[str, list[str]] = {}
    for name in sorted(files):
        if PurePosixPath(name).suffix.lower() in VIDEOS:
            named.setdefault(str(PurePosixPath(name).with_suffix("")), []).append(name)
    if not named:
        raise MissingError(f"there is no video in {folder}")
    if twins := [" and ".join(names) for names in named.values() if len(names) > 1]:
        told = ", ".join(twins[:MOST_TOLD]) + (f" and {len(twins) - MOST_TOLD} more" if len(twins) > MOST_TOLD else "")
        raise UsageError(f"{told} in {folder} would be one video, because videos are called by their names without extension; leave one of each name")
    return {name: files[file] for name, (file,) in named.items()}


def _age(file: Stored | None) -> tuple[object, ...]:
    return (None,) if file is None else (file.uri, file.bytes, file.modified_s)
