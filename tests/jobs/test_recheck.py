"""`ingest --recheck` against a web site on this machine: what is gone or has changed its licence leaves the lake."""

import json
from pathlib import Path

import pytest
from yt_dlp.extractor.common import InfoExtractor

from jobs.cli import Sessions, execute
from jobs.ingest import JOB, IngestConfig
from schemas.lake import Lake
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
