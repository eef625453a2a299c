"""One video: exact, repeatable, and refused in a sentence."""

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch

from inference import Options, TalkVidInference
from inference.generator import NOISE_FRAMES, _noise
from inference.video_conditions import VideoConditions
from schemas.codes import Rejected
from schemas.errors import MissingError, UsageError
from tests.inference.inputs import QUICK, tone
from tests.inference.marked_faces import FACE, MarkFinder, marked_picture, marked_video
from training.model.sampling import initial_noise
from udfs import media
from udfs.footage.tiny import tiny_video


def streams(path: Path) -> dict[str, dict]:
    """What ffprobe says of each stream, by its kind."""
    entries = "stream=codec_type,codec_name,nb_frames,avg_frame_rate,duration,width,height,start_time"
    said = subprocess.run(["ffprobe", "-v", "error", "-show_entries", entries, "-of", "json", str(path)], capture_output=True, check=True)
    return {stream["codec_type"]: stream for stream in json.loads(said.stdout)["streams"]}


def test_the_video_lasts_as_long_as_the_sound_at_exactly_the_rate_that_was_asked_for(maker, portrait, sound, tmp_path):
    made = maker.generate(portrait, sound, tmp_path / "out.mp4", **QUICK)
    found = streams(tmp_path / "out.mp4")
    assert (made.frames, made.fps, made.duration_s) == (23, 10.0, 2.3)
    assert (found["video"]["nb_frames"], found["video"]["avg_frame_rate"]) == ("23", "10/1")
    assert (found["video"]["width"], found["video"]["height"]) == (64, 64)
    assert float(found["audio"]["duration"]) == pytest.approx(2.3, abs=0.03)
    assert float(found["audio"]["start_time"]) == pytest.approx(0.0, abs=1e-3)
    assert np.abs(media.audio_16k(tmp_path / "out.mp4")).max() > 0.01
    assert made.random and made.model_fingerprint.startswith("random:")
    assert [file.name for file in tmp_path.iterdir()] == ["out.mp4"]


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(maker, checkpoint, portrait, sound, tmp_path):
    for name, seed in (("one", 7), ("two", 7), ("three", 8)):
        maker.generate(portrait, sound, tmp_path / f"{name}.mp4", **QUICK, seed=seed)
    again = TalkVidInference(checkpoint, "cpu")
    again.generate(portrait, sound, tmp_path / "four.mp4", **QUICK, seed=7)
    one, two, three, four = ((tmp_path / f"{name}.mp4").read_bytes() for name in ("one", "two", "three", "four"))
    assert one == two == four
    assert one != three


def test_noise_that_is_drawn_in_parts_is_the_noise_of_the_seed():
    frames = 2 * NOISE_FRAMES + 3
    assert torch.equal(_noise((frames, 4, 8, 8), 7).tensor.transpose(0, 1)[None], initial_noise((1, 4, frames, 8, 8), 7))


def test_two_devices_share_the_windows_and_give_the_same_bytes(maker, checkpoint, portrait, sound, tmp_path):
    windows = QUICK | {"num_inference_steps": 2, "context_frames": 6, "context_overlap": 2}
    both = TalkVidInference(checkpoint, devices=["cpu", "cpu"])
    assert len(both.networks.unets) == 2 and both.networks.unets[0] is not both.networks.unets[1]
    maker.generate(portrait, sound, tmp_path / "one.mp4", **windows)
    both.generate(portrait, sound, tmp_path / "two.mp4", **windows)
    assert (tmp_path / "one.mp4").read_bytes() == (tmp_path / "two.mp4").read_bytes()


def test_sound_shorter_than_a_window_and_than_a_frame_works(maker, portrait, tmp_path):
    for seconds, frames in ((0.4, 4), (0.02, 1)):
        short = tone(tmp_path / "short.wav", seconds)
        assert maker.generate(portrait, short, tmp_path / "out.mp4", **QUICK).frames == frames
        assert streams(tmp_path / "out.mp4")["video"]["nb_frames"] == str(frames)


LARGE = ("audio_projection", "reference_net", "denoising_unet")


def test_saving_memory_keeps_one_large_network_on_the_device_at_a_time_and_decodes_frame_by_frame(checkpoint, maker, portrait, sound, tmp_path, monkeypatch):
    """`cpu:0` is the same memory as `cpu` under another name, so what would move to a GPU and back can be told."""
    monkeypatch.setattr("inference.generator.DECODED_AT_ONCE", {"cpu": 4})
    sparing = TalkVidInference(checkpoint, "cpu", save_gpu_memory=True)
    sparing.networks.devices = [torch.device("cpu:0")]
    moves, there, runs, decoded = [], set(), [], []
    for name in LARGE:
        network = getattr(sparing.networks.model, name)

        def moved(device, name=name, move=network.to):
            moves.append((name, str(device)))
            (there.add if str(device) == "cpu:0" else there.discard)(name)
            return move(device)

        monkeypatch.setattr(network, "to", moved)
        network.register_forward_pre_hook(lambda network, given, name=name: runs.append((name, set(there))))
    for of, coder in (("spared", sparing.networks.coder), ("plain", maker.networks.coder)):
        monkeypatch.setattr(coder, "decode", lambda part, of=of, decode=coder.decode: decoded.append((of, len(part), set(there))) or decode(part))
    sparing.generate(portrait, sound, tmp_path / "spared.mp4", **QUICK)
    maker.generate(portrait, sound, tmp_path / "plain.mp4", **QUICK)
    assert moves == [(name, place) for name in LARGE for place in ("cpu:0", "cpu")]
    assert {name for name, _ in runs} == set(LARGE) and all(with_it == {name} for name, with_it in runs)
    assert [(size, with_it) for of, size, with_it in decoded if of == "spared"] == [(1, set())] * 23
    assert [size for of, size, _ in decoded if of == "plain"] == [4] * 5 + [3]
    spared, plain = (np.stack([frame for _, frame in _frames(tmp_path / f"{name}.mp4")]).astype(int) for name in ("spared", "plain"))
    assert np.abs(spared - plain).mean() < 0.5


def _frames(path: Path):
    times = media.frame_times(path)
    return media.frames(path, times, 0.0, 100.0, range(len(times)))


def test_key_points_come_from_a_file_or_from_a_driving_video(maker, portrait, sound, tmp_path):
    driving = tiny_video(tmp_path / "driving.mp4", seconds=1.0, size=(160, 160), fps=10, audio=None)
    kps = tmp_path / "kps.pth"
    torch.save([np.array([[20, 25], [40, 25], [30, 35]], np.float32) + frame for frame in range(23)], kps)
    moved = {}
    for name, inputs in {"fixed": {}, "video": {"driving_video": driving}, "file": {"kps_path": kps}}.items():
        strategy = "fix_face" if name == "fixed" else "naive_retarget"
        maker.generate(portrait, sound, tmp_path / f"{name}.mp4", **QUICK, retarget_strategy=strategy, **inputs)
        moved[name] = (tmp_path / f"{name}.mp4").read_bytes()
    assert len(set(moved.values())) == 3


def test_a_driving_videos_face_is_drawn_where_it_is_in_each_frame_and_stays_when_it_is_lost(maker, sound, tmp_path, monkeypatch):
    """A video as long as the sound whose face is lost after a second, made higher than wide."""
    from PIL import Image

    Image.fromarray(marked_picture((192, 128), FACE)).save(tmp_path / "portrait.png")
    driving = marked_video(tmp_path / "driving.mp4", 2.3, 10, lambda time_s: FACE + np.float32(40 * time_s) if time_s < 1.05 else None)
    drawn = []
    monkeypatch.setattr(maker.networks, "faces", MarkFinder())
    monkeypatch.setattr("inference.generator.VideoConditions", lambda *given: drawn.append(given[2]) or VideoConditions(*given))
    shape = QUICK | {"image_height": 128, "retarget_strategy": "no_retarget"}
    maker.generate(tmp_path / "portrait.png", sound, tmp_path / "out.mp4", driving_video=driving, **shape)
    there = np.stack([FACE + min(40 * frame / 10, 40) for frame in range(23)]) * (64 / 192, 128 / 128)
    np.testing.assert_allclose(drawn[0], there, atol=1.2)


def test_progress_ends_at_the_whole(maker, portrait, sound, tmp_path):
    shares: list[float] = []
    maker.generate(portrait, sound, tmp_path / "out.mp4", **QUICK, told=shares.append)
    assert shares == sorted(shares) and shares[-1] == pytest.approx(1.0)


def test_every_option_changes_the_video(maker, portrait, sound, tmp_path):
    usual = maker.generate(portrait, sound, tmp_path / "usual.mp4", **QUICK)
    assert usual.seed == 42
    changes = [
        {"guidance_scale": 1.0},
        {"audio_attention_weight": 0.0},
        {"reference_attention_weight": 0.0},
        {"median_filter": False},
        {"context_frames": 8, "context_overlap": 2},
        {"num_inference_steps": 2},
    ]
    seen = {(tmp_path / "usual.mp4").read_bytes()}
    for change in changes:
        maker.generate(portrait, sound, tmp_path / "changed.mp4", **(QUICK | change))
        seen.add((tmp_path / "changed.mp4").read_bytes())
    assert len(seen) == 1 + len(changes)


@pytest.mark.parametrize(
    ("which", "code"),
    [
        ("no_face", "no_face"),
        ("no_picture", "not_media"),
        ("absent", "vanished"),
        ("no_sound", "not_media"),
        ("no_kps", "decode_error"),
        ("flat_kps", "decode_error"),
        ("no_driving_video", "not_media"),
    ],
)
def test_an_input_that_cannot_be_used_is_named_in_a_sentence_and_leaves_no_file(maker, portrait, sound, tmp_path, which, code):
    from PIL import Image

    grey = tmp_path / "grey.png"
    Image.new("RGB", (200, 200), (90, 90, 90)).save(grey)
    words = tmp_path / "words.txt"
    words.write_text("only words")
    picture = {"no_face": grey, "no_picture": words, "absent": tmp_path / "absent.jpg"}.get(which, portrait)
    flat = tmp_path / "flat.pth"
    torch.save([np.zeros((3, 2), np.float32)], flat)
    extra = {"kps_path": words if which == "no_kps" else flat, "retarget_strategy": "naive_retarget"} if which.endswith("_kps") else {}
    if which == "no_driving_video":
        extra = {"driving_video": words, "retarget_strategy": "naive_retarget"}
    with pytest.raises(Rejected) as caught:
        maker.generate(picture, words if which == "no_sound" else sound, tmp_path / "out.mp4", **QUICK, **extra)
    assert caught.value.code == code
    named = {"no_sound": words, "no_kps": words, "flat_kps": flat, "no_driving_video": words}.get(which, picture)
    assert str(named) in caught.value.detail and "\n" not in caught.value.detail
    assert not (tmp_path / "out.mp4").exists()


@pytest.mark.parametrize(
    "wrong",
    [
        {"retarget_strategy": "guess"},
        {"num_inference_steps": 0},
        {"context_frames": 33},
        {"context_overlap": 24},
        {"image_width": 100},
        {"fps": 0.1},
        {"seed": -1},
    ],
)
def test_options_that_mean_nothing_are_refused(wrong):
    with pytest.raises(UsageError, match=next(iter(wrong))):
        Options(**wrong)


def test_a_strategy_without_key_points_and_a_model_that_is_not_there_are_refused(maker, portrait, sound, tmp_path):
    with pytest.raises(UsageError, match="needs kps_path or driving_video"):
        maker.generate(portrait, sound, tmp_path / "out.mp4", retarget_strategy="naive_retarget")
    with pytest.raises(MissingError, match="no trained model"):
        TalkVidInference(tmp_path / "nothing")


def test_a_gpu_beyond_the_last_is_told_before_anything_is_loaded(checkpoint, monkeypatch):
    monkeypatch.setattr("inference.generator.resolve", lambda wanted: "cuda")
    monkeypatch.setattr("inference.generator.visible_gpus", lambda: 2)
    with pytest.raises(MissingError, match="no GPU cuda:2; there are 2, the last is cuda:1"):
        TalkVidInference(checkpoint, "cuda:2")


QUICKEST = QUICK | {"fps": 25.0, "context_frames": 32, "guidance_scale": 1.0, "median_filter": False}


def assert_lasts_as_long(video: Path, sound: Path, frames: int) -> None:
    """Pictures and sound of a video at 25 frames a second are as long as the sound it was made from."""
    decoded = subprocess.run(["ffmpeg", "-v", "error", "-i", str(sound), "-f", "s16le", "-ac", "1", "-ar", "16000", "-"], capture_output=True, check=True)
    seconds = len(decoded.stdout) / 2 / 16000
    found = media.probe(video)
    assert (found.frames, found.fps, found.has_audio) == (frames, 25.0, True)
    assert abs(frames - seconds * 25) <= 1
    assert float(streams(video)["audio"]["duration"]) == pytest.approx(seconds, abs=0.08)


def test_corpus_sounds_get_videos_of_their_length(maker, corpus, tmp_path):
    folder = corpus / "inference"
    sounds = sorted([*folder.glob("*.flac"), *folder.glob("*.mp3")])
    assert len(sounds) == 7
    for number, sound in enumerate(sounds):
        made = maker.generate(folder / ("10.ref.jpg" if number % 2 else "tys.ref.jpg"), sound, tmp_path / "out.mp4", **QUICKEST)
        assert_lasts_as_long(tmp_path / "out.mp4", sound, made.frames)


def test_a_corpus_pair_with_its_key_points_gives_the_same_bytes_twice(maker, corpus, tmp_path):
    picture, sound, kps = (corpus / "inference" / f"10.{name}" for name in ("ref.jpg", "aud.mp3", "kps.pth"))
    options = QUICKEST | {"retarget_strategy": "naive_retarget", "kps_path": kps}
    for name in ("one", "two"):
        made = maker.generate(picture, sound, tmp_path / f"{name}.mp4", **options)
    maker.generate(picture, sound, tmp_path / "still.mp4", **QUICKEST)
    assert_lasts_as_long(tmp_path / "two.mp4", sound, made.frames)
    one, two, still = ((tmp_path / f"{name}.mp4").read_bytes() for name in ("one", "two", "still"))
    assert one == two != still
