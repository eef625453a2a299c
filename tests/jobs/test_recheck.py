"""`ingest --recheck` against a web site on this machine: what is gone or has changed its licence leaves the lake."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pytest
from yt_dlp.extractor.common import InfoExtractor

from jobs.arguments import verb_parser
from jobs.cli import Sessions, execute
from jobs.ingest import JOB, IngestConfig
from schemas.lake import Lake
from schemas.tables import TABLES
from tests.footage import moving_square
from tests.udfs.sources.site import Site
from udfs.sources import standing
from udfs.sources.youtube import Download, session

CC = "Creative Commons Attribution license (reuse allowed)"


class LocalPlatformIE(InfoExtractor):
    """A platform whose pages are JSON, as yt-dlp would know it."""

    _VALID_URL = r"http://127\.0\.0\.1:\d+/watch/(?P<id>\w+)\.json"

    def _real_extract(self, url: str) -> dict:
        page = self._download_json(url, self._match_id(url))
        return {"id": self._match_id(url), "url": url, "title": "t", "license": page["licence"]}


@pytest.fixture
def site(tmp_path, monkeypatch):
    """The platform; its pages are files below `watch/`."""
    import contextlib

    @contextlib.contextmanager
    def knowing(options: Download):
        with session(options) as client:
            others = dict(client._ies)
            client._ies.clear()
            client.add_info_extractor(LocalPlatformIE())
            client._ies.update(others)
            yield client

    monkeypatch.setattr(standing, "session", knowing)
    (tmp_path / "site" / "watch").mkdir(parents=True)
    with Site(tmp_path / "site").open() as site:
        yield site


def page(site: Site, name: str, licence: str | None) -> str:
    Path(site.folder, "watch", f"{name}.json").write_text(json.dumps({"licence": licence}))
    return f"{site.address}/watch/{name}.json"


@pytest.fixture
def lake(tmp_path, site) -> Lake:
    """Four downloaded videos and one of a plain web address; two of them may not stay."""
    lake = Lake.at(str(tmp_path / "lake"))
    lake.ledger.create()
    moving_square(site.folder / "plain.mp4", seconds=1)
    licences = {"kept": CC, "relicensed": None, "unstated": None, "gone": None}
    urls = {name: page(site, name, licence) for name, licence in licences.items()} | {"plain": f"{site.address}/plain.mp4"}
    Path(site.folder, "watch", "gone.json").unlink()
    before = {"kept": "CC BY 3.0", "relicensed": "CC BY 3.0", "unstated": None, "gone": "CC BY 3.0", "plain": "CC BY 3.0"}
    for name, url in urls.items():
        source = {"platform": "local", "url": url, "licence": before[name]}
        row = {"video_id": f"video-{name}-1", "uri": f"/nowhere/{name}", "sha256": name, "width": 1, "height": 1, "duration_s": 1.0}
        lake.ledger.append("videos", [row | {"source": source}])
    return lake


def ask_again(lake: Lake, **options):
    config = IngestConfig((), recheck=True, sleep_s=0.0, retries=0, quiet=True, **options)
    return execute(JOB, lake, config, Sessions("spark://nowhere:1", {}))


def test_what_is_gone_or_under_another_licence_is_removed_and_stays_out(lake):
    summary = ask_again(lake)
    assert summary.results == "recheck: asked=5 there=3 gone=1 licence=1 unknown=0"
    left = {row["video_id"] for row in lake.ledger.read("videos").to_pylist()}
    assert left == {"video-kept-1", "video-unstated-1", "video-plain-1"}
    reasons = {row["video_id"]: row["reason"] for row in lake.ledger.read("removals").to_pylist()}
    assert reasons == {"video-gone-1": "gone from the platform", "video-relicensed-1": "no longer under its licence"}
    assert ask_again(lake).extra["recheck"] == {"asked": 3, "there": 3, "gone": 0, "licence": 0, "unknown": 0}


@pytest.fixture
def media(lake, tmp_path) -> tuple[Path, Path]:
    """The media of what is gone in the lake, beside footage elsewhere with the same right to be there; a checkpoint is trained on it."""
    inside, outside = Path(lake.place.media("video-gone-1"), "video.mp4"), tmp_path / "mine.mp4"
    moving_square(outside, seconds=1)
    inside.parent.mkdir(parents=True)
    shutil.copyfile(outside, inside)
    places = {"video-gone-1": str(inside), "video-relicensed-1": str(outside)}
    rows = lake.ledger.read("videos").to_pylist()
    table = pa.Table.from_pylist([row | {"uri": places.get(row["video_id"], row["uri"])} for row in rows], schema=TABLES["videos"].schema)
    lake.ledger.overwrite("videos", table.to_reader())
    stage = tmp_path / "trained" / "stage_1"
    stage.mkdir(parents=True)
    (stage / "snapshot.json").write_text(json.dumps({"clips": ["video-gone-1-000000000-000000600"]}))
    lake.ledger.append("runs", [{"run_id": "train-1", "verb": "train", "output_uris": [str(stage)], "complete": True}])
    return inside, outside


def test_media_in_the_lake_goes_and_what_the_removal_has_to_say_is_said(lake, media, tmp_path):
    inside, outside = media
    summary = ask_again(lake)
    assert summary.failure is None and not inside.exists() and outside.exists()
    assert f"remove: {outside} lies outside the lake and was not deleted" in summary.notes
    assert summary.results.splitlines()[1:] == [f"  trained on it: {tmp_path / 'trained' / 'stage_1'}"]
    assert summary.extra["checkpoints"] == [str(tmp_path / "trained" / "stage_1")]


def test_what_remains_ends_with_status_4_here_too(lake, media, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("jobs.remove.storage.delete", lambda uri: False)
        patch.setattr("jobs.remove.storage.delete_below", lambda uri: 0)
        failure = ask_again(lake).failure
    assert failure is not None and failure.exit_status == 4 and "media=1" in str(failure)
    assert not all(row["applied_at"] for row in lake.ledger.read("removals").to_pylist())


@pytest.mark.parametrize(("master", "asked"), [("spark://nowhere:7077", ["a session"]), ("local[2]", [])])
def test_machines_of_a_cluster_are_swept_once_something_was_taken_out(lake, monkeypatch, master, asked):
    swept: list = []
    monkeypatch.setattr("jobs.removal.nodes.sweep", lambda spark, *rest: swept.append(spark) or ["remove: swept"])
    config = JOB.configure(verb_parser(JOB).parse_args(["--recheck", "--sleep", "0", "--retries", "0", "--quiet", "--master", master]))
    sessions = SimpleNamespace(get=lambda: "a session")
    summary = execute(JOB, lake, config, sessions)
    assert swept[:1] == asked and ("remove: swept" in summary.notes) is bool(asked)


def test_what_needs_credentials_is_not_asked_about_since_404_may_mean_no_leave(lake, site):
    source = {"platform": "http", "url": f"{site.address}/watch/gone.json?signature=hidden", "licence": None}
    row = {"video_id": "video-signed-1", "uri": "/nowhere/signed", "sha256": "signed", "width": 1, "height": 1, "duration_s": 1.0}
    lake.ledger.append("videos", [row | {"source": source}])
    summary = ask_again(lake)
    assert summary.extra["recheck"]["asked"] == 5 and "1 videos were not asked about: their addresses" in summary.notes[0]
    assert "video-signed-1" in {row["video_id"] for row in lake.ledger.read("videos").to_pylist()}


def test_an_answer_that_says_nothing_of_the_video_removes_nothing(lake, site):
    site.answers["/watch/kept.json"] = [403]
    site.answers["/watch/unstated.json"] = [500]
    assert ask_again(lake).extra["recheck"]["unknown"] == 2


def test_a_site_that_wants_no_more_requests_is_left_alone(lake, site):
    site.answers["/watch/kept.json"] = [429]
    summary = ask_again(lake)
    assert summary.extra["recheck"]["asked"] < 5
    assert "not asked about" in summary.notes[-1]


@pytest.mark.parametrize(
    ("said", "state"),
    [
        ("Video unavailable. This video has been removed by the uploader", "gone"),
        ("Private video. Sign in if you've been granted access to this video", "gone"),
        ("The uploader has not made this video available in your country", "unknown"),
        ("This video is unavailable in your country", "unknown"),
        ("Sign in to confirm your age. This video may be inappropriate for some users.", "unknown"),
    ],
)
def test_only_plain_words_mean_that_a_video_is_gone(monkeypatch, said, state):
    from yt_dlp.utils import DownloadError

    def refuse(url, options):
        raise DownloadError(said)

    monkeypatch.setattr(standing, "_ask", refuse)
    assert standing.standing("https://example.org", Download(sleep_s=0.0, retries=0)).state == state
