"""Which sources are videos of their own, and under which id."""

from udfs.sources.known import Known, Tombstones
from udfs.sources.settle import Settled, Settlement
from udfs.sources.source import Source

NONE = Tombstones(*[frozenset()] * 4)
A, B = "a" * 64, "b" * 64


def described(sha256: str, **values) -> dict:
    """What a worker found of a good source."""
    return {"code": None, "removed": False, "sha256": sha256, "source": {}} | values


def test_first_source_in_order_is_the_video_and_the_next_its_duplicate():
    settlement = Settlement([], {}, NONE)
    assert settlement.settle(Source("/1"), described(A)) == Settled("registered", "h" + "a" * 16)
    assert settlement.settle(Source("/2"), described(A)) == Settled("duplicate", "h" + "a" * 16, is_written=True)


def test_platform_id_goes_to_the_first_bytes_that_claim_it():
    settlement = Settlement([], {}, NONE)
    assert settlement.settle(Source("/1", video_id="Tr6MMsoWAog"), described(A)).video_id == "Tr6MMsoWAog"
    assert settlement.settle(Source("/2", video_id="Tr6MMsoWAog"), described(B)).video_id == "h" + "b" * 16


def test_claimed_id_that_looks_like_a_content_hash_is_not_taken_over():
    assert Settlement([], {}, NONE).settle(Source("/1", video_id="h" + "b" * 16), described(A)).video_id == "h" + "a" * 16


def test_video_that_a_killed_run_left_is_registered_without_a_second_row():
    settlement = Settlement([{"video_id": "v", "sha256": A}], {}, NONE)
    assert settlement.settle(Source("/1"), described(A)) == Settled("registered", "v", is_written=True)
    assert settlement.settle(Source("/2"), described(A)).outcome == "duplicate"


def test_file_that_was_only_touched_is_registered_again_and_another_is_a_duplicate():
    settlement = Settlement([{"video_id": "v", "sha256": A}], {"v": "/1"}, NONE)
    assert settlement.settle(Source("/1"), described(A)) == Settled("registered", "v", is_written=True)
    assert settlement.settle(Source("/2"), described(A)) == Settled("duplicate", "v", is_written=True)


def test_removed_bytes_channel_id_and_address_stay_out():
    removals = [
        {"video_id": "gone", "url": "http://u", "channel": "Chan", "sha256": B},
        {"video_id": "h" + "c" * 16, "url": None, "channel": None, "sha256": None},
    ]
    tombstones = Known([], [], removals).tombstones

    def outcome(**values) -> str:
        return Settlement([], {}, tombstones).settle(Source("/1"), described(**({"sha256": A} | values))).outcome

    assert outcome() == "registered"
    assert outcome(sha256=B) == "removed"
    assert outcome(sha256="c" * 64) == "removed"
    assert outcome(source={"channel": "Chan"}) == "removed"
    assert outcome(source={"url": "http://u"}) == "removed"
    assert outcome(removed=True, sha256=None) == "removed"


def test_failure_is_failed():
    assert Settlement([], {}, NONE).settle(Source("/1"), described(A, code="not_media")) == Settled("failed")
