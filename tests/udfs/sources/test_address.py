"""Addresses: only http(s) and YouTube ids, in one kept form."""

import pytest

from udfs.sources.address import download_source, is_http, youtube_id

ID = "Tr6MMsoWAog"


@pytest.mark.parametrize(
    "text",
    [
        ID,
        f"https://www.youtube.com/watch?v={ID}",
        f"http://m.youtube.com/watch?feature=share&v={ID}&t=10s",
        f"https://youtu.be/{ID}?t=3",
        f"https://www.youtube.com/shorts/{ID}",
        f"https://www.youtube.com/embed/{ID}",
        f"https://www.youtube-nocookie.com/embed/{ID}",
    ],
)
def test_every_form_of_a_youtube_link_is_one_address(text: str):
    source = download_source(text)
    assert (source.uri, source.video_id) == (f"https://www.youtube.com/watch?v={ID}", ID)
    assert source.provenance["platform"] == "youtube"


@pytest.mark.parametrize(
    "text",
    [
        "file:///etc/passwd",
        "ftp://host/a.mp4",
        "javascript:alert(1)",
        "https://",
        "http://host/a b.mp4",
        "http://host/\n--exec",
        "--exec=rm",
        "concat:a|b",
        "http://[broken/",
        "x" * 12,
    ],
)
def test_anything_else_is_no_address(text: str):
    assert download_source(text) is None


def test_link_of_another_host_that_looks_like_youtube_has_no_youtube_id():
    assert youtube_id(f"https://youtube.com.evil.example/watch?v={ID}") is None
    assert youtube_id("https://www.youtube.com/watch?v=../../etc") is None
    assert download_source(f"https://youtube.com.evil.example/watch?v={ID}").video_id is None


def test_id_that_begins_with_a_dash_is_an_id():
    assert youtube_id("--Y9imYnfBw") == "--Y9imYnfBw"


def test_http_address_is_kept_as_it_is():
    assert is_http("HTTP://Host/x?a=1#b")
    assert download_source("http://127.0.0.1:8/x.mp4").uri == "http://127.0.0.1:8/x.mp4"
