"""Multipart uploads that killed writers left unfinished in a store: they are given up, those that may still be going on are not."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from schemas import s3, storage

UNDER_LEASE = ("tables", "media", "generations")
"""Folders of a lake to which only the holder of its lease, and its workers, write."""
TRAINED = "train"
"""Where below the lake a training writes that was given no other place; it takes no lease for that."""
ABANDONED = timedelta(hours=24)
"""No part takes so long to go up: what was begun longer ago is not going on any more."""


def _any_key(key: str) -> bool:
    return True


def abort(uri: str, *, mine: Callable[[str], bool] = _any_key, age: timedelta = timedelta(0)) -> int:
    """Give up the uploads below an address whose keys are `mine` and that began `age` ago or earlier; returns how many there were. Without an
    age all go, also those of a store whose clock runs ahead of this one.

    A bucket belongs to others too: of a whole one the caller has to say which keys are its own. Raises `ValueError` when it does not.
    """
    if not s3.is_s3(uri):
        return 0
    bucket, key = s3.split(uri)
    prefix = key.strip("/") and key.rstrip("/") + "/"
    if not prefix and mine is _any_key:
        raise ValueError(f"{uri} is a whole bucket: uploads of others would be given up")
    client, aborted = s3.client(), 0
    latest = datetime.now(UTC) - age
    with s3.reaching(uri):
        for page in client.get_paginator("list_multipart_uploads").paginate(Bucket=bucket, Prefix=prefix):
            for upload in page.get("Uploads", ()):
                if mine(upload["Key"]) and (not age or upload["Initiated"] <= latest):
                    client.abort_multipart_upload(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])
                    aborted += 1
    return aborted


def abort_in_stage(stage: str) -> int:
    """Give up what trainings of a stage, and of what was put aside of it, began long ago; returns how many there were. One that goes on now keeps its own."""
    if not s3.is_s3(stage):
        return 0
    key = s3.split(stage)[1]
    return abort(stage.rpartition("/")[0], mine=lambda name: name.startswith((f"{key}/", f"{key}.")), age=ABANDONED)


def abort_in_lake(root: str) -> int:
    """Give up what killed verbs left below a lake, and what of trainings is long abandoned; returns how many there were. The caller holds
    the lake's lease."""
    under_lease = sum(abort(storage.at(root, folder)) for folder in UNDER_LEASE)
    return under_lease + abort(storage.at(root, TRAINED), age=ABANDONED)
