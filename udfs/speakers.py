"""Who is who: groups of face embeddings that are one person, and names for them."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

MANIFEST, EMBEDDING = "manifest", "embedding"

DLIB_APART = 0.27
"""dlib's embeddings: distance of unit vectors up to which two are one person. Its documents take 0.6 between two pictures and 0.5 to form clusters, of
vectors about 1.5 long, which are 0.4 and 0.33 here; but means over a clip's frames lie closer together. Of 66 pairs of the corpus' persons the closest
are 0.31 apart, and six are below 0.34; one person's clips are up to 0.13 apart, two pictures of one person years apart 0.24."""
ARCFACE_APART = (2 - 2 * 0.4) ** 0.5
"""ArcFace's, as in InsightFace's packs, are trained for angles: cosine 0.4, which is this distance at unit length."""


@dataclass(frozen=True)
class Sighting:
    """A clip with what is known of the person in it. `label` is the source's name of the speaker; `embedding` has unit length."""

    clip_id: str
    video_id: str
    label: str | None
    backend: str | None = None
    embedding: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class Speaker:
    """Who a clip shows, and who said so: `manifest` or `embedding`."""

    speaker_id: str
    source: str


def same_person_within(backend: str) -> float:
    """Distance of unit embeddings up to which a face back end (its name in `scores.head.backend`) sees one person."""
    return DLIB_APART if backend == "centerface-dlib" else ARCFACE_APART


def speakers(sightings: Sequence[Sighting]) -> dict[str, Speaker]:
    """The speaker of each clip that tells: by its label, else by the cluster of its face over all videos, each back end for itself.

    A face near a labelled speaker's takes that name. Clips with neither label nor face are left out. The same for any order of clips.
    """
    ordered = sorted(sightings, key=lambda sighting: (sighting.video_id, sighting.clip_id))
    found = {one.clip_id: Speaker(one.label, MANIFEST) for one in ordered if one.label}
    for backend in sorted({one.backend for one in ordered if one.backend and one.embedding is not None}):
        seen = [one for one in ordered if one.backend == backend and one.embedding is not None]
        names = _named(seen, same_person_within(backend))
        found |= {one.clip_id: Speaker(name, EMBEDDING) for one, name in zip(seen, names, strict=True) if not one.label}
    return found


def _named(seen: Sequence[Sighting], apart: float) -> list[str]:
    """A name for each: the label of the labelled one in its cluster (the first by name), else `face:` and a hash of its first clip."""
    persons = _within_videos(seen, apart)
    means = _unit(np.stack([sum(np.asarray(seen[index].embedding, np.float64) for index in person) for person in persons]))
    clusters = cluster(means, [seen[person[0]].label for person in persons], apart)
    names: dict[int, str] = {}
    for person, number in zip(persons, clusters, strict=True):
        first = seen[person[0]]
        if number not in names:
            names[number] = first.label or f"face:{hashlib.sha256(f'{first.backend} {first.clip_id}'.encode()).hexdigest()[:12]}"
        elif first.label and names[number].startswith("face:"):
            names[number] = first.label
    found = [""] * len(seen)
    for person, number in zip(persons, clusters, strict=True):
        for index in person:
            found[index] = names[number]
    return found


def _within_videos(seen: Sequence[Sighting], apart: float) -> list[list[int]]:
    """Indices of the clips of each person of each video: clips are many, persons few, and only these are compared across videos."""
    persons: list[list[int]] = []
    for _, group in groupby(range(len(seen)), key=lambda index: seen[index].video_id):
        ours = list(group)
        vectors = np.stack([np.asarray(seen[index].embedding, np.float64) for index in ours])
        numbers = cluster(vectors, [seen[index].label for index in ours], apart)
        persons += [[index for index, number in zip(ours, numbers, strict=True) if number == one] for one in dict.fromkeys(numbers)]
    return persons


def cluster(vectors: NDArray[np.float64], labels: Sequence[str | None], apart: float) -> list[int]:
    """A cluster's number for each of (n, d) unit vectors: vectors of one label are one cluster from the start and two labels never meet; then, in
    order, each vector joins the nearest cluster within `apart` or begins one, and clusters that are within it merge.

    A distance is the root of the mean square over all pairs, so that neither a chain of look-alikes nor a crowd, whose mean is near to everybody, makes
    one person. It takes the clusters' means only: 2 - 2 times their product, as they are shorter than their members. n times clusters are computed.
    """
    number_of = {label: number for number, label in enumerate(sorted({label for label in labels if label}))}
    sums, sizes = np.zeros((len(number_of) + len(vectors), vectors.shape[1])), np.zeros(len(number_of) + len(vectors))
    named, count = len(number_of), len(number_of)
    chosen = [number_of.get(label, -1) if label else -1 for label in labels]
    for index, number in enumerate(chosen):
        if number >= 0:
            sums[number] += vectors[index]
            sizes[number] += 1
    means = _means(sums, sizes)
    for index, vector in enumerate(vectors):
        if chosen[index] >= 0:
            continue
        number = _nearest(means[:count], vector, apart)
        if number is None:
            number, count = count, count + 1
        chosen[index] = number
        sums[number] += vector
        sizes[number] += 1
        means[number] = sums[number] / sizes[number]
    merged = _merged(sums[:count], sizes[:count], named, apart)
    return [merged[number] for number in chosen]


def _nearest(means: NDArray[np.float64], vector: NDArray[np.float64], apart: float) -> int | None:
    if not len(means):
        return None
    alike = means @ vector
    best = int(alike.argmax())
    return best if _distance(float(alike[best])) <= apart else None


def _merged(sums: NDArray[np.float64], sizes: NDArray[np.float64], named: int, apart: float) -> list[int]:
    """For each cluster the one that it becomes part of: the closest pair merges first, never two of the `named` first ones."""
    into, alive = list(range(len(sums))), np.ones(len(sums), bool)
    means, sums, sizes = _means(sums, sizes), sums.copy(), sizes.copy()
    near = [_closest(means, alive, number, named) for number in range(len(sums))]
    while near:
        first = min(range(len(near)), key=lambda number: (near[number][0], number) if alive[number] else (np.inf, number))
        distance, second = near[first]
        if not alive[first] or distance > apart:
            break
        kept, gone = min(first, second), max(first, second)
        sums[kept] += sums[gone]
        sizes[kept] += sizes[gone]
        means[kept] = sums[kept] / sizes[kept]
        alive[gone], into[gone] = False, kept
        for number in np.flatnonzero(alive):
            if number == kept or near[number][1] in (kept, gone):
                near[number] = _closest(means, alive, int(number), named)
            elif not (number < named and kept < named):
                away = _distance(float(means[number] @ means[kept]))
                near[number] = min(near[number], (away, kept))
    return [_root(into, number) for number in into]


def _closest(means: NDArray[np.float64], alive: NDArray[np.bool_], number: int, named: int) -> tuple[float, int]:
    """Distance and number of the cluster that may merge with this one."""
    alike = np.where(alive, means @ means[number], -np.inf)
    alike[number] = -np.inf
    if number < named:
        alike[:named] = -np.inf
    best = int(alike.argmax())
    return (_distance(float(alike[best])) if alike[best] > -np.inf else np.inf), best


def _root(into: list[int], number: int) -> int:
    while into[number] != number:
        number = into[number]
    return number


def _distance(cosine: float) -> float:
    return float(np.sqrt(max(0.0, 2 - 2 * cosine)))


def _means(sums: NDArray[np.float64], sizes: NDArray[np.float64]) -> NDArray[np.float64]:
    return sums / np.maximum(sizes, 1)[:, None]


def _unit(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(lengths > 0, lengths, 1)
