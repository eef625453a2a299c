"""What metrics need beside the frames: where it cannot be used, the reason names it as the user knows it."""

from contextlib import contextmanager
from pathlib import Path

from inference import staged_inputs
from inference.beside import Beside
from inference.metrics.video_pair import VideoPair
from udfs.footage import tiny_video


def test_a_portrait_and_a_sound_in_a_store_are_named_by_their_addresses(tmp_path, monkeypatch):
    copies = tmp_path / "scratch"
    copies.mkdir()

    @contextmanager
    def copied(uri):
        copy = copies / Path(uri).name
        copy.write_bytes(b"neither a picture nor a sound")
        yield copy

    monkeypatch.setattr(staged_inputs, "staged", copied)
    made = tiny_video(tmp_path / "made.mp4", seconds=1.0, size=(96, 96), audio=None)
    item = {"generated": str(made), "real": None, "audio": "s3a://b/s.wav", "portrait": "s3a://b/p.jpg"}
    beside = Beside(item, {"generated": made, "real": None}, VideoPair(made, None, 25.0), ["csim_portrait", "lse_c", "lse_d"])
    assert set(beside.lost) == {"csim_portrait", "lse_c", "lse_d"} and (beside.portrait, beside.sounds) == (None, {})
    portrait, sound = beside.lost["csim_portrait"], beside.lost["lse_c"]
    assert (portrait.code, sound.code) == ("not_media", "not_media")
    assert portrait.detail.startswith("the portrait s3a://b/p.jpg is no picture") and sound.detail.startswith("the sound s3a://b/s.wav: ")
    assert not any(str(copies) in lost.detail for lost in beside.lost.values())
