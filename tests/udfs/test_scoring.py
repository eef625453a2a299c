"""The driver of scorers: one decode for all, nothing lost, the same numbers however it is cut up."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from schemas.codes import Rejected
from schemas.policy import Policy, Rule
from tests.footage import moving_square
from tests.udfs.clips import convert
from udfs import media
from udfs.cascade import Cascade, Skipped
from udfs.scorer import Clip, Device
from udfs.scoring import Asked, score_clips


@dataclass
class MeanOfEvery:
    """Mean grey of every n-th frame: a scorer with the real contract."""

    step: int = 5
    name: str = "every"
    version: int = 1
    needs: frozenset = frozenset()
    weights: tuple = ()
    config: None = None

    def runs_on(self, device: Device) -> Device:
        return device.as_cpu()

    def setup(self, device: Device) -> None:
        """Nothing to load."""

    def plan(self, clip, pts):
        """Every n-th frame."""
        return range(0, len(pts), self.step)

    def reduce(self, clip, frame, index):
        """Its mean."""
        return float(frame.mean())

    def score(self, clips):
        """What was kept, as it is."""
        return [{"frames": len(clip.frames), "mean": float(np.mean(clip.frames)), "times": list(clip.times_s)} for clip in clips]


class Broken(MeanOfEvery):
    """Fails on the clip called `bad`."""

    def reduce(self, clip, frame, index):
        """Raises for one clip."""
        if clip.clip_id == "bad":
            raise ZeroDivisionError("by zero")
        return super().reduce(clip, frame, index)


class Hearing(MeanOfEvery):
    """Wants sound and no picture."""

    def plan(self, clip, pts):
        """No frames."""
        return []

    def score(self, clips):
        """Seconds of sound."""
        return [{"heard_s": len(clip.audio_16k) / 16000} for clip in clips]


class Cropping(MeanOfEvery):
    """Fails a clip whose head it is not given, as `sync` does."""

    def score(self, clips):
        """The mean that the head scorer found."""
        return [Rejected("internal", "no head") if clip.head is None else {"of_head": clip.head["mean"]} for clip in clips]


HEAD_LAST = [Cropping(name="sync", needs=frozenset({"head"})), MeanOfEvery(step=7, name="head")]
"""A scorer that takes what `head` measured, and then that."""


@pytest.fixture(scope="module")
def video(tmp_path_factory) -> Path:
    """Four seconds at 25 frames a second, with a tone."""
    return moving_square(tmp_path_factory.mktemp("video") / "a video.mp4", seconds=4, tone=True)


def clip(video: Path, start_s: float, end_s: float, name: str = "clip") -> Clip:
    """A span of the video."""
    return Clip(name, "v", str(video), start_s, end_s, 64, 48, 25.0, True)


def outcomes(asked, scorers, **options) -> list[dict]:
    """Outcomes in order."""
    return [outcome for _, outcome in score_clips(asked, scorers, **options)]


def test_one_decoder_start_per_clip_feeds_all_scorers(video):
    asked = [Asked(clip(video, start, start + 1.0), ("every", "other")) for start in (0.0, 1.0, 2.0)]
    media.reset_decoder_starts()
    result = outcomes(asked, [MeanOfEvery(5), MeanOfEvery(7, name="other")])
    assert media.decoder_starts() == 3
    assert [row["every"]["frames"] for row in result] == [5, 5, 5]
    assert [row["other"]["frames"] for row in result] == [4, 4, 4]


def test_numbers_do_not_depend_on_batches_or_neighbours(video):
    asked = [Asked(clip(video, start, start + 0.8), ("every",)) for start in (0.0, 0.4, 1.2, 2.0, 3.0)]
    alone = [outcomes([one], [MeanOfEvery()])[0] for one in asked]
    assert outcomes(asked, [MeanOfEvery()], clips_per_batch=3, decode_ahead=3) == alone


def test_clip_of_a_vanished_video_is_rejected_and_the_others_go_on(video):
    gone = replace(clip(video, 0, 1), uri=str(video) + ".gone")
    result = outcomes([Asked(gone, ("every",)), Asked(clip(video, 0, 1), ("every",))], [MeanOfEvery()])
    assert isinstance(result[0]["every"], Rejected)
    assert result[0]["every"].code == "vanished"
    assert result[1]["every"]["frames"] == 5


def test_scorer_that_raises_loses_its_own_outcome_only(video, capfd):
    asked = [Asked(clip(video, 0, 1, "bad"), ("every", "other")), Asked(clip(video, 1, 2), ("every", "other"))]
    result = outcomes(asked, [Broken(), MeanOfEvery(name="other")])
    assert (result[0]["every"].code, result[0]["every"].detail) == ("internal", "every: ZeroDivisionError: by zero")
    assert result[0]["other"]["frames"] == 5
    assert result[1]["every"]["frames"] == 5
    assert "by zero" in capfd.readouterr().err


def test_only_the_asked_scorers_measure_a_clip(video):
    result = outcomes([Asked(clip(video, 0, 1), ("other",))], [MeanOfEvery(), MeanOfEvery(name="other")])
    assert list(result[0]) == ["other"]


def test_scorer_that_needs_sound_gets_the_clips_span_of_it(video):
    hearing = Hearing(name="ear", needs=frozenset({"audio_16k"}))
    silent = replace(clip(video, 0, 1), has_audio=False)
    result = outcomes([Asked(clip(video, 1, 2.5), ("ear",)), Asked(silent, ("ear",))], [hearing])
    assert result[0]["ear"]["heard_s"] == pytest.approx(1.5, abs=0.01)
    assert result[1]["ear"]["heard_s"] == 0


@pytest.mark.parametrize("together", [1, 2])
def test_scorer_that_needs_the_head_is_given_that_of_its_own_clip(video, together):
    spans = [clip(video, start, start + 0.8, name) for start, name in ((0.0, "a"), (2.0, "b"))]
    both = outcomes([Asked(one, ("sync", "head")) for one in spans], HEAD_LAST, clips_per_batch=together)
    assert [row["sync"] for row in both] == [{"of_head": row["head"]["mean"]} for row in both]
    assert both[0]["sync"] != both[1]["sync"]


def test_scorer_that_needs_the_head_is_given_the_one_measured_before(video):
    known = {"head": {"mean": 3.0}}
    asked = [Asked(clip(video, 0, 1), ("sync",), known), Asked(clip(video, 1, 2), ("sync",)), Asked(clip(video, 2, 3), ("sync", "head"), known)]
    old, none, renewed = outcomes(asked, HEAD_LAST)
    assert old == {"sync": {"of_head": 3.0}}
    assert none["sync"].detail == "no head"
    assert renewed["sync"] == {"of_head": renewed["head"]["mean"]} != old["sync"]


def test_crop_box_is_what_scorers_see(video):
    boxed = replace(clip(video, 0, 1), crop=(8, 4, 40, 36), width_px=32, height_px=32)
    seen = []

    class Shape(MeanOfEvery):
        def reduce(self, clip, frame, index):
            seen.append(frame.shape)
            return 0.0

    outcomes([Asked(boxed, ("every",))], [Shape()])
    assert set(seen) == {(32, 32, 3)}


def test_span_without_frames_is_rejected_in_words(video):
    result = outcomes([Asked(clip(video, 60.0, 61.0), ("every",))], [MeanOfEvery()])
    assert result[0]["every"].code == "truncated"
    assert "no frames between 60.000 s and 61.000 s" in result[0]["every"].detail


def test_clip_that_fails_a_cheap_rule_is_spared_the_expensive_scorer(video):
    rules = (Rule("bright", "every.mean", ">=", 1000.0), Rule("speech", "speech_ratio", ">=", 0.5))
    cascade = Cascade(Policy("p", rules, cascade=(("every",), ("other",))))
    scored = []

    class Expensive(MeanOfEvery):
        def score(self, clips):
            scored.extend(clip.clip.clip_id for clip in clips)
            return super().score(clips)

    easy = Cascade(Policy("p", rules[1:], cascade=(("every",), ("other",))))
    asked = [Asked(clip(video, 0, 1, "silent"), ("every", "other"), {"speech_ratio": 0.1}), Asked(clip(video, 0, 1), ("every", "other"), {"speech_ratio": 1.0})]
    scorers = [Expensive(name="other"), MeanOfEvery()]
    first = outcomes(asked, scorers, cascade=cascade)
    assert [row["other"] for row in first] == [Skipped("speech"), Skipped("bright")]
    assert scored == []
    second = outcomes(asked, scorers, cascade=easy)
    assert second[0]["other"] == Skipped("speech")
    assert second[1]["other"]["frames"] == 5
    assert all(row["every"]["frames"] == 5 for row in first + second)


def test_clip_that_is_known_to_fail_is_not_decoded_for_those_that_are_spared_it(video, monkeypatch):
    cascade = Cascade(Policy("p", (Rule("bright", "every.mean", ">=", 1000.0),), cascade=(("every",), ("other",))))
    scorers = [MeanOfEvery(), MeanOfEvery(name="other")]
    failed = {"every": {"mean": 5.0}}
    media.reset_decoder_starts()
    result = outcomes([Asked(clip(video, 0, 1), ("other",), failed)], scorers, cascade=cascade)
    assert (result[0]["other"], media.decoder_starts()) == (Skipped("bright"), 0)
    renewed = outcomes([Asked(clip(video, 0, 1), ("every", "other"), {"every": {"mean": 2000.0}})], scorers, cascade=cascade)
    assert (renewed[0]["other"], media.decoder_starts()) == (Skipped("bright"), 1)


BRIGHT = (Rule("bright", "technical.mean", ">=", 1000.0),)
ORDERS = {
    "not named": (("technical",), ("head",)),
    "named first": (("technical", "sync"), ("head",)),
    "alone in the first group": (("sync",), ("technical",), ("head",)),
    "named last": (("technical",), ("head",), ("sync",)),
    "head not named": (("technical",), ("sync",)),
    "neither named": (("technical",),),
}


@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS)
def test_cascade_runs_no_scorer_before_the_head_it_needs_and_spares_both_alike(video, order):
    scorers, names = [*HEAD_LAST, MeanOfEvery(name="technical")], ("technical", "sync", "head")
    asked = [Asked(clip(video, 0, 1), names), Asked(clip(video, 0, 1), ("sync", "head"), {"technical": {"mean": 5.0}})]
    for row in outcomes(asked, scorers, cascade=Cascade(Policy("p", BRIGHT, cascade=order))):
        assert (row["sync"], row["head"]) == (Skipped("bright"), Skipped("bright"))
    alive = outcomes(asked[:1], scorers, cascade=Cascade(Policy("p", (replace(BRIGHT[0], value=0.0),), cascade=order)))[0]
    assert alive["sync"] == {"of_head": alive["head"]["mean"]}


def test_scorer_that_the_cascade_does_not_name_comes_last_and_only_for_clips_still_alive(video):
    order = (("every",), ("middle",))
    scorers = [MeanOfEvery(name="unnamed"), MeanOfEvery(name="middle"), MeanOfEvery()]
    for column in ("every.mean", "middle.mean"):
        cascade = Cascade(Policy("p", (Rule("bright", column, ">=", 1000.0),), cascade=order))
        (row,) = outcomes([Asked(clip(video, 0, 1), ("unnamed", "middle", "every"))], scorers, cascade=cascade)
        assert row["unnamed"] == Skipped("bright") and row["every"]["frames"] == 5
    (alive,) = outcomes([Asked(clip(video, 0, 1), ("unnamed", "middle", "every"))], scorers, cascade=Cascade(Policy("p", (), cascade=order)))
    assert list(alive) == ["every", "middle", "unnamed"] and alive["unnamed"]["frames"] == 5


def test_rule_over_a_scorer_that_the_cascade_does_not_name_spares_nothing(video):
    cascade = Cascade(Policy("p", (Rule("bright", "unnamed.mean", ">=", 1000.0),), cascade=(("every",), ("middle",))))
    asked = Asked(clip(video, 0, 1), ("every", "middle", "another"), {"unnamed": {"mean": 5.0}})
    (row,) = outcomes([asked], [MeanOfEvery(), MeanOfEvery(name="middle"), MeanOfEvery(name="another")], cascade=cascade)
    assert not any(isinstance(outcome, Skipped) for outcome in row.values())


def test_scorers_are_told_the_size_of_the_frames_they_get_whatever_the_row_says(tmp_path):
    """Rows of older lakes tell the size in stored pixels; here these are twice as wide as high."""
    path = tmp_path / "wide.mp4"
    convert(path, "-i", str(moving_square(tmp_path / "a.mp4")), "-c", "copy", "-aspect", "8/3")
    seen = []

    class Watching(MeanOfEvery):
        def reduce(self, clip, frame, index):
            seen.append((clip.width_px, clip.height_px, frame.shape))

        def score(self, clips):
            return [{"size": (clip.clip.width_px, clip.clip.height_px)} for clip in clips]

    whole = clip(path, 0.0, 1.0)
    one, other = outcomes([Asked(each, ("every",)) for each in (whole, replace(whole, crop=(70, 0, 110, 40), width_px=40, height_px=40))], [Watching()])
    assert (one["every"]["size"], other["every"]["size"]) == ((128, 48), (40, 40))
    assert set(seen) == {(128, 48, (48, 128, 3)), (40, 40, (40, 40, 3))}
