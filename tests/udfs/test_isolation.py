"""Items in child processes: what a child cannot do without is said by the parent in its words."""

from collections.abc import Iterator

import pytest

from schemas.errors import MissingError
from udfs.isolation import Rows, isolated


def lacking(items: list[dict]) -> Iterator[tuple[int, Rows]]:
    """A worker that does one item and then finds that it cannot go on."""
    yield 0, [{"name": items[0]["name"]}]
    raise MissingError("there is no model at s3a://bucket/model")


def wrong(items: list[dict]) -> Iterator[tuple[int, Rows]]:
    """A worker with a fault."""
    raise ValueError("a fault of ours")
    yield


def test_what_a_child_lacks_is_raised_after_what_it_did():
    told = isolated(lacking, [{"name": "a"}, {"name": "b"}], lambda item: [])
    assert next(told) == (0, [{"name": "a"}])
    with pytest.raises(MissingError, match="there is no model at s3a://bucket/model"):
        next(told)


def test_a_fault_of_a_child_is_an_error():
    with pytest.raises(RuntimeError, match="ended with status 1"):
        list(isolated(wrong, [{"name": "a"}], lambda item: []))
