"""The stored golden numbers, and the small model that they were computed with."""

import json
from pathlib import Path

import pytest
import torch

from tests.training.model.golden_model import golden_model
from training.model.vexpress import VExpress


@pytest.fixture(scope="session")
def numbers() -> dict:
    """A part of the golden numbers."""
    return json.loads(Path(__file__).with_name("golden_numbers.json").read_text())


@pytest.fixture(scope="session")
def model64() -> VExpress:
    """The golden model in float64; not to be changed."""
    return golden_model(torch.float64).requires_grad_(False)


@pytest.fixture(scope="session")
def model32() -> VExpress:
    """The golden model in float32; not to be changed."""
    return golden_model(torch.float32).requires_grad_(False)
