"""Addresses with passwords and signatures: what is kept of them, and what is told."""

import json

import pytest

from schemas.errors import UsageError
from udfs.sources.address import download_source
from udfs.sources.credentials import had_credentials, without_credentials
from udfs.sources.listing import store_sources
from udfs.sources.reading import read_sources

AMAZON = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIA&X-Amz-Date={0}&X-Amz-Expires=600&X-Amz-Signature={0}&X-Amz-Security-Token={0}"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("https://me:pw@host:8/a.mp4", "https://hidden@host:8/a.mp4"),
        ("https://me:p@w@host/a.mp4?x=1", "https://hidden@host/a.mp4?x=1"),
        ("https://b.s3.amazonaws.com/a.mp4?versionId=7&" + AMAZON.format("one"), "https://b.s3.amazonaws.com/a.mp4?versionId=7&signature=hidden"),
        ("https://a.blob.core.windows.net/c/a.mp4?sv=2024&st=1&se=2&sr=b&sp=r&sig=pw%3D", "https://a.blob.core.windows.net/c/a.mp4?signature=hidden"),
        ("https://cdn/a.mp4?Expires=1&Signature=pw&Key-Pair-Id=K&Policy=pw", "https://cdn/a.mp4?signature=hidden"),
        ("https://host/a.mp4?id=3&access_token=pw#t=1", "https://host/a.mp4?id=3&signature=hidden#t=1"),
        ("https://host/a.mp4?sv=1&expires=2", "https://host/a.mp4?sv=1&expires=2"),
        ("HTTP://Host/x?a=1#b", "HTTP://Host/x?a=1#b"),
        ("https://host/a@b.mp4", "https://host/a@b.mp4"),
        ("http://[broken/", "http://[broken/"),
        ("/a folder/x@y?token=1", "/a folder/x@y?token=1"),
    ],
)
def test_an_address_is_kept_without_its_credentials(given: str, kept: str):
    assert without_credentials(given) == kept == without_credentials(kept)
    assert had_credentials(kept) is ("hidden" in kept)
    assert without_credentials(f"Unsupported URL: {given} (403)") == f"Unsupported URL: {kept} (403)"


def test_a_new_signature_of_one_object_is_the_same_source_and_the_fetch_has_it():
    one, two = (download_source(f"https://b.s3.amazonaws.com/a.mp4?{AMAZON.format(word)}") for word in ("first", "second"))
    assert one.key == two.key and "first" not in str(one)
    assert one.fetch_uri == f"https://b.s3.amazonaws.com/a.mp4?{AMAZON.format('first')}"
    assert download_source("https://host/a.mp4").fetch_uri is None


def test_a_manifest_may_name_addresses_with_credentials(tmp_path):
    records = [{"video-path": "https://me:pw@host/a.mp4"}, {"info": {"Video Link": "https://host/b.mp4?token=pw"}}]
    (tmp_path / "m.json").write_text(json.dumps(records))
    found = read_sources([str(tmp_path / "m.json")], download=True)
    assert [(source.uri, source.fetch_uri) for source in found] == [
        ("https://hidden@host/a.mp4", "https://me:pw@host/a.mp4"),
        ("https://host/b.mp4?signature=hidden", "https://host/b.mp4?token=pw"),
    ]


def test_a_store_takes_its_credentials_from_the_environment_only():
    with pytest.raises(UsageError, match="AWS_ACCESS_KEY_ID") as refused:
        store_sources("s3a://AKIA:pw@bucket/a.mp4")
    assert "pw" not in str(refused.value)
