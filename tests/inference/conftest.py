"""A tiny model with random weights, a portrait, and sounds."""

import json
from pathlib import Path

import pytest

from inference.generator import TalkVidInference
from tests.inference.inputs import portrait_file, smoke_checkpoint, tone


@pytest.fixture(scope="session")
def numbers() -> dict:
    """A part of the golden numbers."""
    return json.loads(Path(__file__).with_name("golden_numbers.json").read_text())


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory) -> Path:
    """What a smoke training writes."""
    return smoke_checkpoint(tmp_path_factory.mktemp("checkpoint"))


@pytest.fixture(scope="session")
def maker(checkpoint) -> TalkVidInference:
    """The tiny model, loaded."""
    return TalkVidInference(checkpoint, "cpu")


@pytest.fixture(scope="session")
def portrait(tmp_path_factory) -> Path:
    """A picture with one face."""
    return portrait_file(tmp_path_factory.mktemp("portrait") / "a portrait.jpg")


@pytest.fixture(scope="session")
def sound(tmp_path_factory) -> Path:
    """2.3 s of sound."""
    return tone(tmp_path_factory.mktemp("sound") / "sound.wav", 2.3)
