"""What a call from SQL hands to the scorers."""

from types import SimpleNamespace

import pytest

from udfs import sql_functions
from udfs.footage.tiny import tiny_video
from udfs.scorer import GPU_CLIPS, Device


@pytest.mark.parametrize(("kind", "together"), [("cpu", 1), ("cuda", GPU_CLIPS)])
def test_a_gpu_is_given_several_clips_at_once(tmp_path, monkeypatch, kind, together):
    video = str(tiny_video(tmp_path / "a.mp4", seconds=1, audio=None))
    asked = []

    def score_clips(clips, scorers, clips_per_batch):
        asked.append((len(clips), clips_per_batch))
        return [(number, {"technical": {"sharpness": float(number)}}) for number in range(len(clips))]

    monkeypatch.setattr(sql_functions, "_loaded", lambda name, device: (SimpleNamespace(), "technical-v1", Device(kind)))
    monkeypatch.setattr(sql_functions, "score_clips", score_clips)
    rows = sql_functions.score_calls("technical", [("a", video, 0.0, 1.0), (None, video, 0.0, 1.0), ("b", video, 0.0, 1.0)])
    assert asked == [(2, together)]
    assert [(row["sharpness"], row["device"]) for row in rows] == [(0.0, kind), (None, None), (1.0, kind)]
