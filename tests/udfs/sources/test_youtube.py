"""Downloads, from a web site on this machine."""

import json
import os
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from schemas.codes import Rejected
from tests.footage import moving_square
from tests.udfs.sources.site import Site
from udfs.media import probe
from udfs.sources import patience
from udfs.sources.patience import Refused, wait_turn
from udfs.sources.youtube import Download, RemovedError, chosen_track, client_options, fetch, fetch_formats, session

QUICK = Download(sleep_s=0, retries=2, first_back_off_s=0.01)
VTT = "WEBVTT\n\n00:00:00.000 --> 00:00:01.000\nhello\n"


@pytest.fixture(scope="module")
def footage(tmp_path_factory) -> Path:
    """A folder with a video, and its picture and sound as files of their own."""
    folder = tmp_path_factory.mktemp("site")
    moving_square(folder / "whole.mp4", seconds=2, size="160x120", tone=True)
    for name, kept in (("picture.mp4", "-an"), ("sound.m4a", "-vn")):
        subprocess.run(["ffmpeg", "-v", "error", "-y", "-i", folder / "whole.mp4", kept, "-c", "copy", folder / name], check=True)
    (folder / "words.vtt").write_text(VTT)
    return folder


@pytest.fixture
def site(footage: Path) -> Iterator[Site]:
    """The site, freshly opened."""
    with Site(footage).open() as site:
        yield site


def dash(site: Site) -> str:
    """Address of a DASH manifest that names picture and sound apart."""
    sets = [
        ("video/mp4", "picture.mp4", 'id="v" codecs="avc1.64000c" width="160" height="120" bandwidth="100000"'),
        ("audio/mp4", "sound.m4a", 'id="a" codecs="mp4a.40.2" audioSamplingRate="44100" bandwidth="60000"'),
    ]
    parts = "".join(
        f'<AdaptationSet mimeType="{kind}"><Representation {about}><BaseURL>{site.address}/{name}</BaseURL></Representation></AdaptationSet>'
        for kind, name, about in sets
    )
    text = f'<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT2S"><Period>{parts}</Period></MPD>'
    (site.folder / "both.mpd").write_text(text)
    return f"{site.address}/both.mpd"


def test_one_file_is_fetched_and_reused_the_next_time(site: Site, footage: Path, tmp_path: Path):
    fetched = fetch(f"{site.address}/whole.mp4", tmp_path / "out", QUICK)
    assert fetched.video.read_bytes() == (footage / "whole.mp4").read_bytes()
    assert fetched.source["url"] == f"{site.address}/whole.mp4"
    assert fetched.source["platform"] == "http"
    asked = len(site.asked)
    assert fetch(f"{site.address}/whole.mp4", tmp_path / "out", QUICK) == fetched
    assert len(site.asked) == asked


def test_picture_and_sound_that_are_apart_are_joined_and_their_parts_removed(site: Site, tmp_path: Path):
    fetched = fetch(dash(site), tmp_path / "out", QUICK)
    found = probe(fetched.video)
    assert (found.width, found.height, found.frames, found.audio_codec) == (160, 120, 50, "aac")
    assert sorted(os.listdir(tmp_path / "out")) == ["provenance.json", "video.mp4"]


def test_server_errors_are_waited_out_twice_as_long_each_time(site: Site, tmp_path: Path, monkeypatch):
    waits: list[float] = []
    # A clock of its own: other threads of the test process sleep too, and theirs must not be counted.
    monkeypatch.setattr(patience, "time", SimpleNamespace(sleep=waits.append, time=time.time))
    site.answers["/whole.mp4"] = [500, 503]
    fetched = fetch(f"{site.address}/whole.mp4", tmp_path / "out", Download(sleep_s=0, retries=3, first_back_off_s=2.0))
    assert fetched.video.is_file()
    assert waits == [2.0, 4.0]


def test_server_that_never_recovers_is_one_failure_after_all_tries(site: Site, tmp_path: Path):
    site.answers["/whole.mp4"] = [500] * 9
    with pytest.raises(Rejected, match="tried 3 times") as caught:
        fetch(f"{site.address}/whole.mp4", tmp_path / "out", QUICK)
    assert caught.value.code == "download_failed"
    assert len(site.asked) == 3


def test_server_that_is_not_there_is_a_failed_download(tmp_path: Path):
    with pytest.raises(Rejected, match="tried 3 times") as caught:
        fetch("http://127.0.0.1:9/a.mp4", tmp_path / "out", QUICK)
    assert caught.value.code == "download_failed"


def test_missing_page_is_not_tried_again(site: Site, tmp_path: Path):
    with pytest.raises(Rejected, match="404"):
        fetch(f"{site.address}/none.mp4", tmp_path / "out", QUICK)
    assert len(site.asked) == 1


def test_too_many_requests_stops_at_once(site: Site, tmp_path: Path):
    site.answers["/whole.mp4"] = [429] * 9
    with pytest.raises(Refused, match="raise --sleep") as caught:
        fetch(f"{site.address}/whole.mp4", tmp_path / "out", QUICK)
    assert caught.value.code == "download_failed"
    assert len(site.asked) == 1


def test_download_that_broke_off_goes_on_where_it_stopped(site: Site, footage: Path, tmp_path: Path):
    site.cut["/whole.mp4"] = [None, 3000]
    with pytest.raises(Rejected):
        fetch(f"{site.address}/whole.mp4", tmp_path / "out", Download(sleep_s=0, retries=0))
    assert [path.suffix for path in (tmp_path / "out").iterdir()] == [".part"]
    fetched = fetch(f"{site.address}/whole.mp4", tmp_path / "out", QUICK)
    assert fetched.video.read_bytes() == (footage / "whole.mp4").read_bytes()
    assert re.fullmatch(r"bytes=[1-9][0-9]*-", site.asked[-1][2])


def test_cookies_are_sent_and_their_file_is_left_alone(site: Site, tmp_path: Path):
    cookies = "# Netscape HTTP Cookie File\n127.0.0.1\tFALSE\t/\tFALSE\t0\tname\tvalue\n"
    fetch(f"{site.address}/whole.mp4", tmp_path / "out", Download(sleep_s=0, cookies=cookies))
    assert site.cookies[0] == "name=value"


def described(site: Site, **changes) -> dict:
    """A video as an extractor describes it: two sizes, sound apart, hostile words."""
    video = {"ext": "mp4", "acodec": "none", "vcodec": "avc1", "protocol": "http"}
    info = {
        "id": "../../evil",
        "title": "$(rm -rf /)",
        "extractor": "youtube",
        "extractor_key": "Youtube",
        "webpage_url": f"{site.address}/page",
        "channel": "Some <b>Channel</b>",
        "channel_id": "UC1",
        "license": "Creative Commons Attribution license (reuse allowed)",
        "upload_date": "20240229",
        "language": "en",
        "formats": [
            video | {"format_id": "../../etc", "url": f"{site.address}/picture.mp4", "height": 120, "width": 160, "ext": "sh;x"},
            video | {"format_id": "big", "url": f"{site.address}/none.mp4", "height": 2160, "width": 3840},
            {"format_id": "s", "url": f"{site.address}/sound.m4a", "ext": "m4a", "vcodec": "none", "acodec": "mp4a", "protocol": "http"},
        ],
        "subtitles": {"en": [{"ext": "vtt", "url": f"{site.address}/words.vtt"}]},
        "automatic_captions": {"en-orig": [{"ext": "vtt", "url": f"{site.address}/words.vtt"}], "de": [{"ext": "vtt", "url": f"{site.address}/none"}]},
    }
    return info | changes


def fetched_from(site: Site, folder: Path, **changes):
    """Fetch what `described` describes."""
    folder.mkdir()
    with session(QUICK) as client:
        info = client.process_ie_result(described(site, **changes), download=False)
        return fetch_formats(client, info, "https://www.youtube.com/watch?v=Tr6MMsoWAog", folder, frozenset({"Removed Channel"}))


def test_height_licence_channel_and_subtitles_are_kept_under_fixed_names(site: Site, tmp_path: Path):
    fetched = fetched_from(site, tmp_path / "out")
    assert probe(fetched.video).height == 120
    assert fetched.source == {
        "platform": "youtube",
        "url": "https://www.youtube.com/watch?v=Tr6MMsoWAog",
        "channel": "Some <b>Channel</b>",
        "licence": "Creative Commons Attribution license (reuse allowed)",
        "title": "$(rm -rf /)",
        "uploaded": "2024-02-29",
    }
    assert fetched.subtitle.read_text() == VTT
    assert sorted(os.listdir(tmp_path / "out")) == ["provenance.json", "subtitles-auto.en-orig.vtt", "subtitles-manual.en.vtt", "video.mp4"]
    assert sorted(os.listdir(tmp_path)) == ["out"]
    assert json.loads((tmp_path / "out" / "provenance.json").read_text())["source"] == fetched.source


def test_subtitles_that_fail_cost_a_remark_and_not_the_video(site: Site, tmp_path: Path):
    broken = {"en": [{"ext": "vtt", "url": f"{site.address}/none.vtt"}]}
    fetched = fetched_from(site, tmp_path / "out", subtitles=broken, automatic_captions={})
    assert fetched.video.is_file()
    assert (fetched.subtitle, fetched.remarks) == (None, ("its subtitles could not be fetched",))


def test_removed_channel_is_not_fetched(site: Site, tmp_path: Path):
    with pytest.raises(RemovedError):
        fetched_from(site, tmp_path / "out", channel="Removed Channel")
    assert site.asked == []


def test_video_longer_than_the_cap_is_not_fetched(site: Site, tmp_path: Path):
    with pytest.raises(Rejected) as caught:
        fetched_from(site, tmp_path / "out", duration=1e6)
    assert caught.value.code == "too_large"
    assert site.asked == []


def test_subtitle_track_is_that_of_the_spoken_language():
    forms = [{"ext": "json3"}, {"ext": "vtt"}]
    assert chosen_track({"de": forms, "en-US": forms}, "en")[0] == "en-US"
    assert chosen_track({"de": forms, "fr-orig": forms, "en": forms}, None)[0] == "fr-orig"
    assert chosen_track({"live_chat": [{"ext": "vtt"}], "de": [{"ext": "srv1"}]}, "de") == ("", None)


def test_yt_dlp_has_a_javascript_runtime_and_no_ffmpeg():
    from yt_dlp.postprocessor import FFmpegPostProcessor

    options = client_options(QUICK)
    assert os.access(options["js_runtimes"]["deno"]["path"], os.X_OK)
    assert "exec_cmd" not in options
    with session(QUICK) as client:
        assert not FFmpegPostProcessor(client).available
        assert client._js_runtimes["deno"].info.supported


def test_downloads_of_one_machine_begin_apart(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(patience.tempfile, "gettempdir", lambda: str(tmp_path))
    started = time.monotonic()
    for _ in range(3):
        wait_turn(0.2)
    assert 0.39 < time.monotonic() - started < 2
