"""One cause has one exit status, wherever a place is tried."""

import errno
import os

import pytest

from schemas import storage
from schemas.errors import MissingError, UsageError
from schemas.lease_local import LocalLease
from schemas.path_errors import path_refused, refusal

CAUSES = [
    (errno.ENOTDIR, UsageError),
    (errno.ENAMETOOLONG, UsageError),
    (errno.EACCES, MissingError),
    (errno.EROFS, MissingError),
    (errno.ENOSPC, MissingError),
]


@pytest.fixture(params=CAUSES, ids=lambda cause: errno.errorcode[cause[0]])
def cause(request) -> tuple[OSError, type]:
    """What the system says, and the error that it is told as."""
    number, kind = request.param
    return OSError(number, os.strerror(number), "/a/place"), kind


def test_a_cause_is_told_alike_with_and_without_what_was_tried(cause):
    error, kind = cause
    assert type(path_refused(error)) is type(refusal(error, "--here")) is kind
    assert str(refusal(error, "--here")) == f"--here: {error.strerror}"


def test_a_cause_is_told_alike_of_a_lake_and_of_a_file(cause, tmp_path, monkeypatch):
    error, kind = cause

    def refused(*words, **more):
        raise error

    monkeypatch.setattr("pathlib.Path.mkdir", refused)
    with pytest.raises(kind, match="can hold no lake"):
        LocalLease(str(tmp_path / "lake"), "try")
    with pytest.raises(kind, match="cannot be written"):
        storage.check_writable(str(tmp_path / "deep" / "o.mp4"))
