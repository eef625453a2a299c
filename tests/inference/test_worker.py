"""What a worker process does with a batch of requests."""

from pathlib import Path
from typing import Any

import pytest

from inference import generator, worker
from inference.generator import Generated
from inference.worker import GenerationPlan, died, generate_items
from schemas.codes import Rejected
from udfs.ffmpeg import Killed


class StandIn:
    """A model that writes its name, or raises what it is told to, in turn."""

    loaded = 0
    raises: list[Exception | None] = []

    def __init__(self, checkpoint: str, device: str, **how: Any) -> None:
        type(self).loaded += 1

    def generate(self, portrait: Path, sound: Path, output: str, **how: Any) -> Generated:
        error = self.raises.pop(0) if self.raises else None
        if error is not None:
            raise error
        Path(output).write_bytes(b"video")
        return Generated(output, 5, 25.0, 0.2, 0.01, 64, 64, 1, "model", False)


@pytest.fixture
def plan(monkeypatch, tmp_path) -> GenerationPlan:
    monkeypatch.setattr(generator, "TalkVidInference", StandIn)
    monkeypatch.setattr(StandIn, "loaded", 0)
    monkeypatch.setattr(StandIn, "raises", [])
    worker._loaded.cache_clear()
    yield GenerationPlan(str(tmp_path))
    worker._loaded.cache_clear()


@pytest.fixture
def items(tmp_path) -> list[dict[str, Any]]:
    for name in ("face.jpg", "sound.wav"):
        (tmp_path / name).write_bytes(b"x")
    inputs = {"reference_uri": str(tmp_path / "face.jpg"), "audio_uri": (tmp_path / "sound.wav").as_uri(), "kps_path": None, "driving_video": None}
    return [{"generation_id": f"v{number}", "output_uri": str(tmp_path / f"v{number}.mp4"), "options": {"seed": number}, **inputs} for number in range(3)]


def made(plan: GenerationPlan, items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row for _, rows in generate_items(plan, items) for row in rows]


def test_the_model_is_loaded_once_for_all_tasks_of_a_process(plan, items):
    assert [row["bytes"] for row in made(plan, items) + made(plan, items)] == [5] * 6
    assert StandIn.loaded == 1


def test_an_encoder_that_somebody_killed_is_started_once_more(plan, items):
    StandIn.raises[:] = [Killed("ffmpeg", 9), None, None, Killed("ffmpeg", 9), Killed("ffmpeg", 9)]
    rows = made(plan, items)
    assert [row.get("code") for row in rows] == [None, None, "decode_error"]


def test_one_bad_input_or_bug_is_a_row_and_the_others_go_on(plan, items):
    StandIn.raises[:] = [Rejected("no_face", "no face was found"), ZeroDivisionError("by zero")]
    items[2]["audio_uri"] = "/no/such/sound.wav"
    rows = made(plan, items)
    assert [row["code"] for row in rows] == ["no_face", "internal", "vanished"]
    assert rows[1]["detail"] == "ZeroDivisionError: by zero" and "/no/such/sound.wav" in rows[2]["detail"]


def test_an_item_that_kills_its_process_has_a_row(items):
    assert died(items[0]) == [{"generation_id": "v0", "code": "worker_died", "detail": died(items[0])[0]["detail"]}]
