"""Identity similarity."""

import numpy as np
import pytest

from inference.metrics.identity import identity_similarity
from tests.inference.metrics import golden_cases


def test_embeddings_have_the_golden_similarity(golden, outside):
    assert outside(golden_cases.identity_deviations(golden)) == []


def test_length_does_not_count_and_opposites_are_minus_one():
    reference = np.array([3.0, 4.0])
    assert identity_similarity(np.array([[6, 8], [-3, -4], [4, -3]]), reference) == pytest.approx([1, -1, 0])


def test_embeddings_that_do_not_match_are_an_error():
    with pytest.raises(ValueError, match="2 generated frames"):
        identity_similarity(np.ones((2, 4)), np.ones((3, 4)))
    with pytest.raises(ValueError, match="no direction"):
        identity_similarity(np.zeros((1, 4)), np.ones(4))
