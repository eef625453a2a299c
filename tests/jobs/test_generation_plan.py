"""What the rows of a table ask for."""

from typing import Any

import pytest

from jobs.generation_plan import Request, requests
from jobs.generation_table import Wish
from schemas.errors import UsageError


def asked(*rows: dict[str, Any]) -> list[Request]:
    """Requests of wishes for one portrait and one sound, which are not there."""
    inputs = {"reference_image_path": "/no/a.jpg", "audio_path": "/no/b.wav", "kps_path": None, "driving_video_path": None}
    return requests([Wish(f"row {number}", inputs, {}, **row) for number, row in enumerate(rows, 1)], {}, "/out", "model")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"generation_id": "x"}, {"output_path": "x.mp4"}),
        ({"output_path": "a.mp4"}, {"output_path": "./a.mp4"}),
        ({"output_path": "a.mp4"}, {"output_path": "/out/b/../a.mp4"}),
    ],
)
def test_two_rows_that_would_write_one_file_are_refused(first, second):
    with pytest.raises(UsageError, match="^row 2: its video .* is also that of row 1$"):
        asked(first, second)


def test_rows_that_ask_for_the_same_get_files_of_their_own():
    assert len({request.output_uri for request in asked({}, {}, {"generation_id": "x"})}) == 3


def test_a_corrected_label_makes_no_other_video():
    before, after = (asked({"carried": {"language": language}})[0] for language in ("german", "English"))
    assert (before.generation_id, before.options.seed, before.fingerprint) == (after.generation_id, after.options.seed, after.fingerprint)


def test_a_strategy_without_key_points_is_refused_before_anything_starts():
    inputs = {"reference_image_path": "/no/a.jpg", "audio_path": "/no/b.wav", "kps_path": None, "driving_video_path": None}
    moving = {"retarget_strategy": "naive_retarget"}
    with pytest.raises(UsageError, match="^row 1: retarget_strategy naive_retarget needs kps_path or driving_video_path$"):
        requests([Wish("row 1", inputs, moving)], {}, "/out", "model")
    assert len(requests([Wish("row 1", inputs | {"kps_path": "/no/k.pth"}, {})], moving, "/out", "model")) == 1
