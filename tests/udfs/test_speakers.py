"""Who is who: labels first, then faces, and never across back ends."""

import numpy as np
import pytest

from udfs.speakers import ARCFACE_APART, DLIB_APART, Sighting, cluster, same_person_within, speakers


def unit(*values: float) -> np.ndarray:
    vector = np.array(values, np.float64)
    return vector / np.linalg.norm(vector)


def seen(name: str, vector: np.ndarray | None, label: str | None = None, backend: str = "centerface-dlib") -> Sighting:
    return Sighting(f"{name}-1", name, label, backend if vector is not None else None, vector)


NEAR, FAR = unit(1, 0.05, 0), unit(0, 1, 0.3)


def test_two_videos_of_one_face_are_one_speaker_and_another_face_is_not():
    found = speakers([seen("a", unit(1, 0, 0)), seen("b", NEAR), seen("c", FAR)])
    assert found["a-1"] == found["b-1"] != found["c-1"]
    assert {one.source for one in found.values()} == {"embedding"}
    assert all(one.speaker_id.startswith("face:") for one in found.values())


def test_a_face_near_a_labelled_speaker_takes_the_name_and_labels_win():
    found = speakers([seen("a", unit(1, 0, 0), "Ann"), seen("b", NEAR), seen("c", NEAR, "Eve"), seen("d", None, "Ann"), seen("e", None)])
    assert (found["a-1"].speaker_id, found["a-1"].source) == ("Ann", "manifest")
    assert found["b-1"].speaker_id in ("Ann", "Eve") and found["b-1"].source == "embedding"
    assert found["c-1"].speaker_id == "Eve" and found["d-1"].speaker_id == "Ann" and "e-1" not in found


def test_two_back_ends_are_never_compared():
    found = speakers([seen("a", unit(1, 0, 0)), seen("b", unit(1, 0, 0), backend="insightface:buffalo_l")])
    assert found["a-1"].speaker_id != found["b-1"].speaker_id


def test_the_order_of_clips_does_not_matter():
    random = np.random.default_rng(3)
    persons = random.standard_normal((6, 32))
    sightings = [seen(f"v{number:02d}", unit(*(persons[number % 6] + 0.05 * random.standard_normal(32)))) for number in range(30)]
    expected = speakers(sightings)
    assert len({one.speaker_id for one in expected.values()}) == 6
    assert speakers(sightings[::-1]) == expected


def test_clusters_that_meet_later_merge_but_a_chain_does_not():
    """Unit vectors on a circle, 15 degrees (0.26) apart: ends of a long chain stay two persons."""
    angles = np.radians(np.arange(0, 180, 15))
    numbers = cluster(np.stack([np.cos(angles), np.sin(angles)], 1), [None] * len(angles), 0.3)
    assert numbers[0] != numbers[-1] and len(set(numbers)) > 2
    apart, middle = unit(1, 0.0), unit(1, 0.25)
    assert len(set(cluster(np.stack([apart, unit(1, 0.4), middle, middle, middle]), [None] * 5, 0.3))) == 1


def test_a_crowd_of_faces_as_alike_as_dlib_finds_them_stays_a_crowd():
    """Persons as near to each other as those of real footage, each in four videos as far apart as two pictures of one person."""
    random = np.random.default_rng(5)
    persons = np.concatenate([np.full((60, 64), 0.5), 0.11 * random.standard_normal((60, 64))], axis=1)
    vectors = {(number, video): unit(*(persons[number] + 0.06 * random.standard_normal(128))) for number in range(60) for video in range(4)}
    found = speakers([seen(f"p{number:02d}v{video}", vector) for (number, video), vector in vectors.items()])
    names = {number: {found[f"p{number:02d}v{video}-1"].speaker_id for video in range(4)} for number in range(60)}
    distances = [np.linalg.norm(vectors[one] - vectors[two]) for one in vectors for two in vectors if one < two and one[0] != two[0]]
    assert 0.26 < min(distances) < 0.31
    assert all(len(own) == 1 for own in names.values()) and len(set.union(*names.values())) == 60


def test_each_back_end_has_its_own_distance():
    assert same_person_within("centerface-dlib") == DLIB_APART == 0.27
    assert same_person_within("insightface:buffalo_l") == ARCFACE_APART
    assert np.linalg.norm(unit(1, 0) - unit(0.4, np.sqrt(1 - 0.16))) == pytest.approx(ARCFACE_APART)
