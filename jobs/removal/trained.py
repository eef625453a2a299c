"""What was trained on the target: checkpoints, which are told and stay, and the notes of what each step saw, which are rewritten."""

from collections.abc import Iterator

from jobs.removal.target import Target
from schemas import storage
from schemas.lake import Lake
from schemas.uploads import TRAINED as DEFAULT
from training.stage_files import ASIDE, SNAPSHOT

VERBS = frozenset({"train"})
_SNAPSHOT, _SEEN = f"/{SNAPSHOT}", "/seen/rank-"


def checkpoints(lake: Lake, target: Target) -> list[str]:
    """Folders of training outputs, those put aside among them, whose snapshot holds a clip of the target."""
    return sorted({uri.removesuffix(_SNAPSHOT) for uri in _files(lake) if uri.endswith(_SNAPSHOT) and target.named_by(_text(uri))})


def seen(lake: Lake, target: Target) -> list[str]:
    """Notes of what each step saw in which a clip of the target stands."""
    return [uri for uri in _files(lake) if _SEEN in uri and target.named_by(_text(uri))]


def forget(notes: list[str], target: Target) -> None:
    """Rewrite notes without the target. They stay the same files: a training that goes on appends to its own, or in a store puts it there again.

    What it appended while they were rewritten is moved up to the rest.
    """
    for uri in notes:
        if storage.is_remote(uri):
            storage.put_bytes(_without(storage.read_bytes(uri) or b"", target), uri)
            continue
        with open(storage.address(uri), "r+b") as file:
            kept = _without(file.read(), target)
            while appended := file.read():
                kept += appended
            file.seek(0)
            file.write(kept)
            file.truncate()


def _files(lake: Lake) -> Iterator[str]:
    """Files of all stages that this lake knows of."""
    found = {entry.uri for entry in storage.listed(lake.place.at(DEFAULT), beginning="stage_")}
    runs = lake.ledger.read("runs", ["verb", "output_uris"]).to_pylist()
    for place in {place for run in runs if run["verb"] in VERBS for place in run["output_uris"] or ()}:
        home, _, name = place.rpartition("/")
        found.update(entry.uri for entry in storage.listed(home or "/", beginning=name) if entry.uri.removeprefix(place).startswith(("/", ASIDE)))
    yield from sorted(found)


def _text(uri: str) -> str:
    return (storage.read_bytes(uri) or b"").decode(errors="replace")


def _without(content: bytes, target: Target) -> bytes:
    return target.without(content.decode(errors="replace")).encode()
