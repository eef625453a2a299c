"""What the tests of metrics share."""

from collections.abc import Callable, Iterable

import pytest
import torch

from tests.udfs.nets.golden_rules import Deviation, Golden


@pytest.fixture(scope="session")
def golden() -> Golden:
    torch.set_num_threads(1)
    return Golden.of("metrics")


@pytest.fixture(scope="session")
def outside() -> Callable[[Iterable[Deviation]], list[Deviation]]:
    """Those of some deviations that are out of bounds."""

    def those(deviations: Iterable[Deviation]) -> list[Deviation]:
        found = list(deviations)
        assert found
        return [deviation for deviation in found if not deviation.within]

    return those
