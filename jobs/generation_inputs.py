"""Inputs of wanted videos that lie on the driver's machine: where the lake is a store they go there too, for executors and later verbs to find."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from jobs.generation_plan import Request
from jobs.generation_table import REAL
from schemas import storage
from schemas.lake import Lake

FOLDER = ("generations", "inputs")
"""Below the lake. An input lies there under its contents' hash and the path that it had, by which a removal knows it."""


def in_store(lake: Lake, wanted: Sequence[Request]) -> list[Request]:
    """The requests with their local files, the real video to compare with among them, put into the lake; unchanged where the lake is a folder.

    What is not there is left for the worker to tell.
    """
    if lake.place.is_local:
        return list(wanted)
    places: dict[str, str] = {}
    found = []
    for request in wanted:
        wish = request.wish
        inputs = {name: _put(lake, place, places) for name, place in wish.inputs.items()}
        carried = dict(wish.carried) | {REAL: _put(lake, wish.carried.get(REAL), places)}
        found.append(replace(request, wish=replace(wish, inputs=inputs, carried=carried)))
    return found


def _put(lake: Lake, place: str | None, places: dict[str, str]) -> str | None:
    if place is None or storage.is_remote(place) or not storage.exists(place):
        return place
    if place not in places:
        with storage.open_file(place) as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()[:16]
        uri = lake.place.at(*FOLDER, digest, storage.address(place).lstrip("/"))
        if storage.size(uri) != storage.size(place):
            storage.put_file(storage.address(place), uri)
        places[place] = uri
    return places[place]


def own(lake: Lake, rows: Iterable[Mapping[str, str | None]]) -> set[str]:
    """Files that `in_store` put into the lake, of these rows of `generations`."""
    columns = ("reference_uri", "audio_uri", "kps_uri", REAL)
    return {uri for row in rows for name in columns if (uri := row[name]) and uri.startswith(f"{lake.place.at(*FOLDER)}/")}
