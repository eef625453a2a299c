"""Unfinished uploads: those of killed writers go, a trainer's and other applications' go on."""

from datetime import UTC, datetime, timedelta

import pytest

from schemas import s3, uploads

BUCKET = "lake-bucket"


@pytest.fixture(scope="module")
def client(s3_server):
    """A client of an S3 server of this module."""
    return s3.client()


@pytest.fixture
def begun(client):
    """Begins uploads and tells which are still there, in the order of their keys; none is left at the end."""

    def left() -> list[str]:
        return sorted(upload["Key"] for upload in client.list_multipart_uploads(Bucket=BUCKET).get("Uploads", ()))

    def begin(*keys: str):
        for key in keys:
            client.create_multipart_upload(Bucket=BUCKET, Key=key)
        assert left() == sorted(keys)
        return left

    yield begin
    uploads.abort(f"s3a://{BUCKET}", mine=bool)
    assert left() == []


@pytest.mark.parametrize("prefix", ["", "l/"])
def test_of_a_lake_those_under_its_lease_go_and_a_trainers_goes_on(begun, prefix):
    stay = [f"{prefix}train/stage_1/step-6/rank-0", "model/weights.bin", "tables2/part-0"]
    left = begun(*stay, *(f"{prefix}{folder}/part-0" for folder in uploads.UNDER_LEASE))
    assert uploads.abort_in_lake(f"s3a://{BUCKET}/{prefix}".rstrip("/")) == len(uploads.UNDER_LEASE)
    assert left() == sorted(stay)


def test_a_training_that_is_long_gone_leaves_nothing(begun, monkeypatch):
    left = begun("l/train/stage_1/part-0")

    class Tomorrow(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:
            return datetime.now(UTC) + uploads.ABANDONED + timedelta(minutes=5)

    monkeypatch.setattr(uploads, "datetime", Tomorrow)
    assert uploads.abort_in_lake(f"s3a://{BUCKET}/l") == 1
    assert left() == []


def test_of_a_whole_bucket_only_what_is_known_to_be_ones_own_goes(begun):
    left = begun("others/part-0", "videos/v_a-1.mp4")
    with pytest.raises(ValueError, match="whole bucket"):
        uploads.abort(f"s3a://{BUCKET}")
    assert uploads.abort(f"s3a://{BUCKET}", mine=lambda key: "v_" in key) == 1
    assert left() == ["others/part-0"]
