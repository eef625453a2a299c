"""Which clips lack which scores."""

from datetime import timedelta

import pytest

from jobs import metadata
from jobs.pending import pending_clips
from schemas.lake import Lake
from schemas.ledger import now
from schemas.policy import Policy, Rule
from tests.jobs.test_metadata import lake  # noqa: F401 - a fixture
from udfs.cascade import Cascade

WANTED = {"technical": "t-1", "head": "h-1"}


def names(clips: list[dict]) -> dict[str, list[str]]:
    """Pending scorers by clip."""
    return {clip["clip_id"]: clip["scorers"] for clip in clips}


@pytest.fixture
def scored(lake):  # noqa: F811
    """a-1 has both scores, a-2 an old technical one; b-1 failed in head."""
    at = now()
    face = {"time_s": 0.0, "box": [0.0, 0.0, 1.0, 1.0], "score": 1.0, "keypoints": [0.0] * 10}
    lake.ledger.append(
        "scores",
        [
            {"clip_id": "a-1", "run_id": "r", "scored_at": at, "technical": {"fingerprint": "t-1"}, "head": {"fingerprint": "h-1", "faces": [face]}},
            {"clip_id": "a-2", "run_id": "r", "scored_at": at, "technical": {"fingerprint": "t-0"}},
        ],
    )
    failure = {"entity": "b-1", "stage": "score:head", "fingerprint": "h-1", "code": "decode_error", "attempt": 2, "at": at}
    lake.ledger.append("failures", [failure])
    metadata.refresh(lake)
    return lake


def test_other_fingerprints_are_pending_and_known_failures_are_not(scored):
    assert names(pending_clips(scored, WANTED, retry_failed=False)) == {"a-2": ["head", "technical"], "b-1": ["technical"]}


def test_failures_come_back_when_asked_for_with_their_attempts(scored):
    clips = {clip["clip_id"]: clip for clip in pending_clips(scored, WANTED, retry_failed=True)}
    assert clips["b-1"]["scorers"] == ["head", "technical"]
    assert clips["b-1"]["attempts"] == [2, 0]


def test_failure_with_another_fingerprint_does_not_count(scored):
    assert names(pending_clips(scored, {"head": "h-2"}, retry_failed=False)) == {"a-1": ["head"], "a-2": ["head"], "b-1": ["head"]}


def test_scorer_that_needs_the_head_is_given_what_was_measured_before(scored):
    clips = {clip["clip_id"]: clip for clip in pending_clips(scored, {"sync": "s-1", "head": "h-1"}, retry_failed=False, with_head=True)}
    assert clips["a-1"]["scorers"] == ["sync"]
    assert clips["a-1"]["known"]["head"]["faces"][0]["box"] == [0.0, 0.0, 1.0, 1.0]
    assert clips["a-2"]["scorers"] == ["head", "sync"]
    assert clips["a-2"]["known"]["head"] is None


def test_clip_that_a_cascade_spared_is_pending_again_when_its_rules_change(scored):
    policy = Policy("p", (Rule("sharp", "technical.sharpness", ">=", 10.0),), cascade=(("technical",), ("head",)))
    cascade = Cascade(policy)
    later = now() + timedelta(seconds=1)
    scored.ledger.append(
        "scores", [{"clip_id": "a-2", "run_id": "q", "scored_at": later, "technical": {"fingerprint": "t-1"}, "skipped_by": cascade.mark("sharp")}]
    )
    metadata.refresh(scored)
    assert "a-2" not in names(pending_clips(scored, WANTED, retry_failed=False, cascade=cascade))
    eased = Cascade(policy.with_set({"sharp": "5"}))
    clips = {clip["clip_id"]: clip for clip in pending_clips(scored, WANTED, retry_failed=False, cascade=eased)}
    assert clips["a-2"]["scorers"] == ["head"]
    assert "technical" in clips["a-2"]["known"]
    assert "a-2" in names(pending_clips(scored, WANTED, retry_failed=False))


GROUPS = (("technical",), ("dover",), ("cotracker",))
RULES = (Rule("sharp", "technical.sharpness", ">=", 10.0), Rule("q", "dover.dover_scores", ">=", 5.0))
CASCADE = Cascade(Policy("p", RULES, cascade=GROUPS))
ALL = {"technical": "t-1", "dover": "d-1", "cotracker": "c-1"}


@pytest.fixture
def judged(lake):  # noqa: F811
    """a-1 failed the rule on sharpness, a-2 that on DOVER's score; b-1 nothing. All were scored by a cascade."""
    at = now()
    blurred, sharp = {"sharpness": 4.0, "fingerprint": "t-1"}, {"sharpness": 20.0, "fingerprint": "t-1"}
    poor, good = {"dover_scores": 4.0, "fingerprint": "d-1"}, {"dover_scores": 6.0, "fingerprint": "d-1"}
    lake.ledger.append(
        "scores",
        [
            {"clip_id": "a-1", "run_id": "r", "scored_at": at, "technical": blurred, "skipped_by": CASCADE.mark("sharp")},
            {"clip_id": "a-2", "run_id": "r", "scored_at": at, "technical": sharp, "dover": poor, "skipped_by": CASCADE.mark("q")},
            {"clip_id": "b-1", "run_id": "r", "scored_at": at, "technical": sharp, "dover": good, "cotracker": {"fingerprint": "c-1"}},
        ],
    )
    metadata.refresh(lake)
    return lake


def test_scorer_is_spared_a_clip_together_with_the_head_it_needs(judged):
    for order in ((("technical",), ("head",)), (("technical", "sync"), ("head",))):
        cascade = Cascade(Policy("p", RULES, cascade=order))
        wanted = {"technical": "t-1", "head": "h-1", "sync": "s-1"}
        clips = names(pending_clips(judged, wanted, retry_failed=False, cascade=cascade, with_head=True))
        assert "a-1" not in clips and clips["b-1"] == ["head", "sync"]


def pending(scored: Lake, cascade: Cascade | None = CASCADE, **changed: str) -> dict[str, list[str]]:
    """Pending scorers by clip when these fingerprints are wanted."""
    return names(pending_clips(scored, ALL | changed, retry_failed=False, cascade=cascade))


def test_clips_that_a_cascade_spared_stay_spared_while_they_fail(judged):
    assert pending(judged) == {}
    assert pending(judged, cascade=None) == {"a-1": ["cotracker", "dover"], "a-2": ["cotracker"]}
    assert pending(judged, cotracker="c-2") == {"b-1": ["cotracker"]}


def test_cascade_hides_no_scorer_that_it_never_spared(judged):
    assert pending(judged, dover="d-2") == {"a-2": ["cotracker", "dover"], "b-1": ["dover"]}


def test_scorers_after_one_that_is_measured_anew_are_pending_with_it(judged):
    assert pending(judged, technical="t-2") == {"a-1": ["cotracker", "dover", "technical"], "a-2": ["technical"], "b-1": ["technical"]}


def test_scorers_that_a_cascade_does_not_name_stay_spared_while_a_clip_fails_and_no_longer(judged):
    unnamed = ["flow", "head", "sync"]
    more = {"flow": "f-1", "head": "h-1", "sync": "s-1"}
    assert pending(judged, **more) == {"b-1": unnamed}
    assert pending(judged, cascade=None, **more)["a-1"] == ["cotracker", "dover", *unnamed]
    eased = Cascade(CASCADE.policy.with_set({"sharp": "1"}))
    assert pending(judged, cascade=eased, **more)["a-1"] == ["cotracker", "dover", *unnamed]
    later = now() + timedelta(seconds=1)
    judged.ledger.append("scores", [{"clip_id": "a-1", "run_id": "s", "scored_at": later, "technical": {"sharpness": 11.0, "fingerprint": "t-2"}}])
    metadata.refresh(judged)
    assert pending(judged, technical="t-2", **more)["a-1"] == ["cotracker", "dover", *unnamed]


def test_clip_that_passes_after_it_was_measured_anew_goes_on_to_the_next_scorers(judged):
    later = now() + timedelta(seconds=1)
    judged.ledger.append("scores", [{"clip_id": "a-1", "run_id": "s", "scored_at": later, "technical": {"sharpness": 11.0, "fingerprint": "t-2"}}])
    metadata.refresh(judged)
    assert pending(judged, technical="t-2")["a-1"] == ["cotracker", "dover"]


def test_failed_measurement_renews_nothing_so_that_an_old_value_still_spares(judged):
    failure = {"entity": "a-1", "stage": "score:technical", "fingerprint": "t-2", "code": "timeout", "attempt": 1, "at": now()}
    judged.ledger.append("failures", [failure])
    assert "a-1" not in pending(judged, technical="t-2")
