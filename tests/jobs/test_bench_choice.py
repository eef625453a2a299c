"""The benchmark's choice: balanced, drawn by a seed, from many speakers; what cannot be filled is known."""

from collections import Counter

import pytest

from jobs.bench_choice import AXES, Candidate, Place, axes, choose, filled, group_of, quotas
from schemas.errors import UsageError

LANGUAGES = ("English", "Chinese", "pl", "Quechua")


def candidates(count: int = 240, speakers: int = 40) -> list[Candidate]:
    """Clips whose labels go round; nobody is `0-19`."""
    made = []
    for number in range(count):
        who = number % speakers
        labels = {"age_group": AXES["age"][1 + who % 4], "gender": ("Male", "Female")[who % 2], "language": LANGUAGES[who % 4]}
        labels["ethnicity"] = ("White", "Asian", "African")[who % 3]
        made.append(Candidate(f"c{number}", f"v{number}", f"s{who}", "manifest", 0.0, 5.0, labels))
    return made


def test_the_published_benchmark_is_500_clips_in_25_groups():
    wanted = quotas(axes("age=105,gender=100,ethnicity=100,language=195", None))
    assert sum(wanted.values()) == 500 and len(wanted) == 25
    assert wanted["age", "60+"] == 21 and wanted["language", "Thai"] == 13 and wanted["gender", "female"] == 50
    assert [wanted["ethnicity", group] for group in AXES["ethnicity"]] == [34, 33, 33]


def test_groups_are_balanced_speakers_many_and_what_lacks_is_named():
    shares = axes("age=20,gender=10", None)
    places = choose(candidates(), shares, 42)
    lacking = [one for one in filled(places, shares) if one.found < one.wanted]
    assert [(one.axis, one.group, one.wanted, one.found) for one in lacking] == [("age", "0-19", 4, 0)]
    assert Counter((place.axis, place.group) for place in places) == {key: count for key, count in quotas(shares).items() if key != ("age", "0-19")}
    assert len({place.clip_id for place in places}) == len(places)
    speaker = {one.clip_id: one.speaker_id for one in candidates()}
    assert len({speaker[place.clip_id] for place in places if place.axis == "gender"}) == 10
    assert [place.rank for place in places if place.group == "male"] == [1, 2, 3, 4, 5]


def test_the_same_seed_gives_the_same_clips_in_any_order_and_another_seed_others():
    shares = axes("age=20,language=20", None)
    assert choose(candidates(), shares, 42) == choose(candidates()[::-1], shares, 42) != choose(candidates(), shares, 43)


def test_what_was_chosen_stays_and_gaps_are_filled():
    shares = axes("gender=8", None)
    before = choose(candidates(), shares, 42)
    after = choose(candidates(400, 50), shares, 42, kept=before[1:])
    assert set(before[1:]) <= set(after) and len(after) == 8
    assert len({(place.group, place.rank) for place in after}) == 8


def test_a_scarce_clip_stands_in_two_axes_only_when_it_must():
    few = candidates(4, 4)
    places = choose(few, axes("gender=4,language=15", None), 1)
    assert Counter(place.axis for place in places) == {"gender": 4, "language": 4}
    assert choose(few, axes("gender=2,language=15", None), 1, kept=[Place("c0", "gender", "male", 1)])[0].clip_id == "c0"


@pytest.mark.parametrize(
    ("axis", "label", "group"),
    [("language", "en-US", "English"), ("language", "Quechua", "Other"), ("language", " ", None), ("ethnicity", "african", "Black")]
    + [("gender", "Female", "female"), ("gender", "x", None), ("age", "60+", "60+"), ("age", None, None)],
)
def test_labels_mean_groups(axis, label, group):
    assert group_of(axis, label) == group


def test_size_scales_the_axes_together():
    assert axes("age=105,gender=100,ethnicity=100,language=195", 50) == {"age": 11, "gender": 10, "ethnicity": 10, "language": 19}
    assert sum(axes("age=1,gender=1,ethnicity=1", 10).values()) == 10
    for wrong in ("size=3", "age", "age=x", "age=0"):
        with pytest.raises(UsageError, match="--axes takes"):
            axes(wrong, None)
