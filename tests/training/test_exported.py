"""What stands beside a trained model."""

import json

import pytest
import torch

from schemas.errors import UsageError
from training import exported
from training.model import official
from training.model.config import SMOKE
from training.model.vexpress import VExpress


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    """A stage with a model."""
    place = tmp_path_factory.mktemp("exported") / "stage_3"
    official.save(VExpress(SMOKE), place / "model", dtype=torch.float16)
    exported.describe(place / "model", model="smoke", stage=3, step=7, random=True)
    return place


def test_a_note_says_what_the_model_is(stage):
    assert exported.note_of(str(stage))["step"] == exported.find(stage).step == 7
    assert exported.stage_of(str(stage)) == 3


@pytest.mark.parametrize("change", [b"", b"[]", b"\xff", {"stage": "3"}, {"bytes": None}, {"model": "huge"}])
def test_a_damaged_note_is_told_in_a_sentence_that_says_what_to_do(stage, change):
    note = stage / "model" / "model.json"
    whole = note.read_bytes()
    note.write_bytes(change if isinstance(change, bytes) else json.dumps(json.loads(whole) | change).encode())
    try:
        for ask, place in ((exported.note_of, str(stage)), (exported.find, stage), (exported.find, stage.parent), (exported.stage_of, str(stage))):
            with pytest.raises(UsageError, match=r"model.json is damaged; remove it, and run talkvid train"):
                ask(place)
    finally:
        note.write_bytes(whole)
    assert exported.find(stage).step == 7
