"""What a loader process could not do arrives where its batch was waited for."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from schemas.errors import MissingError, TalkvidError, VerificationError
from training.loader_process import LoaderProcess
from training.sample import SampleShape
from training.snapshot import FileGoneError


@dataclass(frozen=True)
class Failing:
    """Work that ends with an error before its first batch."""

    error: Exception
    shape: SampleShape = SampleShape(1, 2, 64, 4, False)

    def batches(self, into: Callable) -> Iterator:
        raise self.error
        yield


@pytest.mark.parametrize(
    ("error", "kind", "status", "sentence"),
    [
        (MissingError("training needs petastorm"), MissingError, 3, "training needs petastorm"),
        (VerificationError("what was read is wrong"), VerificationError, 4, "what was read is wrong"),
        (FileGoneError("a file is gone"), FileGoneError, 1, "a file is gone"),
        (ValueError("a row group holds too much"), TalkvidError, 1, "a loader process failed: ValueError: a row group holds too much"),
    ],
)
def test_error_of_a_loader_process_arrives_as_what_it_was(error, kind, status, sentence):
    loader = LoaderProcess(Failing(error))
    try:
        with pytest.raises(TalkvidError) as caught, loader.next():
            pass
        assert (type(caught.value), caught.value.exit_status, str(caught.value)) == (kind, status, sentence)
    finally:
        loader.close()
