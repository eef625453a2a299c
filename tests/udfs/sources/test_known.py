"""What counts as new."""

from dataclasses import replace

from udfs.sources.known import Known
from udfs.sources.source import Problem, Source

FILE = Source("/a", 10, 5)


def known(outcome: str, source: Source = FILE, **failure) -> Known:
    """A lake that has looked at one source."""
    looked_at = {"uri": source.uri, "bytes": source.bytes, "mtime_ns": source.mtime_ns, "outcome": outcome, "video_id": "v"}
    row = {"entity": source.uri, "stage": "ingest", "fingerprint": source.fingerprint, "attempt": 1} | failure
    return Known([looked_at], [row] if failure else [], [])


def test_file_is_new_until_looked_at_and_again_when_it_changes():
    assert Known([], [], []).is_new(FILE)
    assert not known("registered").is_new(FILE)
    assert known("registered").is_new(replace(FILE, mtime_ns=6))
    assert known("registered").is_new(replace(FILE, bytes=11))


def test_only_failures_that_may_pass_are_tried_again():
    assert known("failed", retryable=True).is_new(FILE)
    assert not known("failed", retryable=False).is_new(FILE)
    assert known("failed", retryable=True).attempt(FILE) == 2


def test_what_was_absent_and_still_is_has_not_changed():
    absent = Source("/gone")
    assert not known("failed", absent, retryable=True).is_new(absent)
    assert known("failed", absent, retryable=True).is_new(Source("/gone", 1, 1))


def test_address_is_new_once_downloads_are_allowed():
    address = Source("http://x/a.mp4", is_download=True)
    refused = replace(address, problem=Problem("download_failed", "give --download"))
    lake = known("failed", refused, retryable=False)
    assert not lake.is_new(refused)
    assert lake.is_new(address)


def test_failure_that_a_killed_run_wrote_is_recognised():
    row = {"entity": "/a", "stage": "ingest", "fingerprint": FILE.fingerprint, "attempt": 1, "retryable": True}
    lake = Known([], [row], [])
    assert lake.is_new(FILE)
    assert lake.has_failure(FILE, lake.attempt(FILE))


def test_tombstones_name_sources_before_anything_is_fetched():
    tombstones = Known([], [], [{"video_id": "Tr6MMsoWAog", "url": "http://u", "channel": None, "sha256": None}]).tombstones
    assert tombstones.name(Source("https://www.youtube.com/watch?v=Tr6MMsoWAog", video_id="Tr6MMsoWAog"))
    assert tombstones.name(Source("/file", provenance={"url": "http://u"}))
    assert not tombstones.name(FILE)
