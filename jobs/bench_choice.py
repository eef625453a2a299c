"""Which clips are the benchmark: groups of each axis filled alike, drawn by a seed, many speakers before many clips of one."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from schemas.errors import UsageError

AXES: dict[str, tuple[str, ...]] = {
    "age": ("0-19", "19-30", "31-45", "46-60", "60+"),
    "gender": ("male", "female"),
    "ethnicity": ("Black", "White", "Asian"),
    "language": (
        *("English", "Chinese", "Arabic", "Polish", "German", "Russian", "French", "Korean", "Portuguese", "Japanese", "Thai", "Spanish"),
        *("Italian", "Hindi", "Other"),
    ),
}
"""Groups of each axis, as TalkVid-Bench has them (talkvid.md §5.3, §5.5)."""
COLUMNS = {"age": "age_group", "gender": "gender", "ethnicity": "ethnicity", "language": "language"}
"""The label that decides the group."""
DEFAULT_AXES = "age=105,gender=100,ethnicity=100,language=195"
OTHER = "Other"
_CODES = dict(
    zip(("en", "zh", "ar", "pl", "de", "ru", "fr", "ko", "pt", "ja", "th", "es", "it", "hi"), AXES["language"][:-1], strict=True),
    cmn="Chinese",
    mandarin="Chinese",
)
_SAME = {"african": "Black", "black": "Black", "m": "male", "man": "male", "f": "female", "woman": "female"}


@dataclass(frozen=True)
class Candidate:
    """A curated clip that is long enough and whose speaker is known, with the labels that the axes ask for."""

    clip_id: str
    video_id: str
    speaker_id: str
    speaker_source: str
    start_s: float
    end_s: float
    labels: Mapping[str, str | None]

    def group(self, axis: str) -> str | None:
        """Its group of an axis; None without a label that means one."""
        return group_of(axis, self.labels.get(COLUMNS[axis]))


@dataclass(frozen=True)
class Place:
    """A clip of the benchmark: its axis, group and place in that group, counted from 1."""

    clip_id: str
    axis: str
    group: str
    rank: int


@dataclass(frozen=True)
class Filled:
    """A group: clips that it should have and has."""

    axis: str
    group: str
    wanted: int
    found: int


def axes(text: str, size: int | None) -> dict[str, int]:
    """Clips by axis of `age=105,gender=100`; scaled to `size` together, whole clips, when that is given. Raises `UsageError`."""
    shares: dict[str, int] = {}
    for word in text.split(","):
        name, equals, number = (part.strip() for part in word.partition("="))
        if name not in AXES or not equals or not number.isdigit() or int(number) == 0:
            raise UsageError(f"--axes takes for example age=105,gender=100 with the axes {', '.join(AXES)}, not {word.strip()!r}")
        shares[name] = int(number)
    total = sum(shares.values())
    if size is None or size == total:
        return shares
    exact = {name: share * size / total for name, share in shares.items()}
    whole = {name: int(value) for name, value in exact.items()}
    for name in sorted(exact, key=lambda name: whole[name] - exact[name])[: size - sum(whole.values())]:
        whole[name] += 1
    return {name: count for name, count in whole.items() if count}


def group_of(axis: str, label: str | None) -> str | None:
    """The group that a label means. A language that has no group of its own is `Other`; any other label without a group is None."""
    text = (label or "").strip()
    if not text:
        return None
    plain = text.casefold()
    named = next((group for group in AXES[axis] if group.casefold() == plain), None) or _SAME.get(plain)
    if axis == "language":
        return named if named in AXES[axis] else _CODES.get(plain.replace("_", "-").partition("-")[0], OTHER)
    return named if named in AXES[axis] else None


def quotas(shares: Mapping[str, int]) -> dict[tuple[str, str], int]:
    """Clips that each group should have: an axis's share in equal parts, one more for its first groups where it does not divide."""
    return {
        (axis, group): share // len(AXES[axis]) + (number < share % len(AXES[axis]))
        for axis, share in shares.items()
        for number, group in enumerate(AXES[axis])
    }


def choose(candidates: Sequence[Candidate], shares: Mapping[str, int], seed: int, kept: Iterable[Place] = ()) -> list[Place]:
    """Places of the benchmark, those of `kept` first, which stay. The same for the same candidates in any order.

    A clip stands in one axis, unless a group could not be filled otherwise: then one of another axis is taken again. Scarce groups choose first.
    """
    wanted = quotas(shares)
    members = {key: [one for one in candidates if one.group(key[0]) == key[1]] for key in wanted}
    chosen: dict[tuple[str, str], list[Place]] = {key: [] for key in wanted}
    for place in kept:
        if (place.axis, place.group) in chosen and len(chosen[place.axis, place.group]) < wanted[place.axis, place.group]:
            chosen[place.axis, place.group].append(place)
    speaker = {one.clip_id: one.speaker_id for one in candidates}
    for again in (False, True):
        for key in sorted(wanted, key=lambda key: (len(members[key]) - wanted[key], key)):
            used = {place.clip_id for places in chosen.values() for place in places if not again or place.axis == key[0]}
            free = [one for one in members[key] if one.clip_id not in used]
            places = chosen[key]
            heard = Counter(speaker.get(place.clip_id) for place in places)
            top = max((place.rank for place in places), default=0)
            for one in _drawn(free, heard, f"{seed}:{key[0]}")[: wanted[key] - len(places)]:
                top += 1
                places.append(Place(one.clip_id, *key, top))
    return [place for key in wanted for place in chosen[key]]


def filled(places: Iterable[Place], shares: Mapping[str, int]) -> list[Filled]:
    """Every group, with what it should have and has."""
    found = Counter((place.axis, place.group) for place in places)
    return [Filled(axis, group, wanted, found[axis, group]) for (axis, group), wanted in quotas(shares).items()]


def _drawn(free: Sequence[Candidate], heard: Mapping[str | None, int], salt: str) -> list[Candidate]:
    """In the order in which they are taken: everybody's first clip before anybody's second, by lot within that."""
    turn = Counter(heard)
    ordered = []
    for one in sorted(free, key=lambda one: _lot(salt, one.clip_id)):
        ordered.append((turn[one.speaker_id], _lot(salt, one.speaker_id), one))
        turn[one.speaker_id] += 1
    return [one for _, _, one in sorted(ordered, key=lambda entry: entry[:2])]


def _lot(salt: str, name: str) -> str:
    return hashlib.sha256(f"{salt}:{name}".encode()).hexdigest()
