"""Measuring pairs of videos: numbers against hand-computed ones, one decode of each, and reasons instead of zeros."""

from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from inference.evaluating import EvaluationPlan, _window, evaluate_items
from inference.metrics.catalogue import METRICS, Settings, chosen
from inference.metrics.lpips import between_vectors
from inference.metrics.pixels import l1, psnr
from inference.metrics.ssim import ssim
from inference.metrics.video_pair import VideoPair
from schemas.errors import UsageError
from tests.footage import moving_square
from udfs import weights
from udfs.footage import tiny_video
from udfs.media import decoder_starts, frame_times, frames, reset_decoder_starts
from udfs.nets.syncnet import session
from udfs.nets.syncnet.agreement import Agreement

SETTINGS = Settings(faces="centerface-dlib")


class Inception(nn.Module):
    def forward(self, img: Tensor, return_features: bool = False) -> Tensor:
        return img.mean(dim=(2, 3))


class I3D(nn.Module):
    def forward(self, x: Tensor, rescale: bool = False, resize: bool = False, return_features: bool = False) -> Tensor:
        return x.mean(dim=(2, 3, 4))


class Vgg(nn.Module):
    def forward(self, img: Tensor, resize_images: bool = True, return_lpips: bool = False) -> Tensor:
        return img[:, :, ::16, ::16].flatten(1) / 255


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("pairs")
    tiny_video(folder / "real.mp4", seconds=3.0, size=(256, 256))
    tiny_video(folder / "made.mp4", seconds=2.6, size=(128, 128))
    tiny_video(folder / "wide.mp4", seconds=1.0, size=(192, 128), kind="noise", audio=None)
    moving_square(folder / "30fps.mp4", seconds=1.0, fps=30, size="128x128")
    return folder


@pytest.fixture
def toys(tmp_path, monkeypatch):
    """Small networks in the place of the published ones, pinned."""
    monkeypatch.setenv("TALKVID_WEIGHTS", str(tmp_path))
    entries = []
    for name, network in (("fid-inception", Inception()), ("fvd-i3d", I3D()), ("lpips-vgg16", Vgg())):
        file = tmp_path / weights.entry(name).file
        torch.jit.script(network).save(str(file))
        entries.append(replace(weights.entry(name), sha256=sha256(file.read_bytes()).hexdigest()))
    pinned = {entry.name: entry for entry in entries}
    monkeypatch.setattr(weights, "MANIFEST", tuple(pinned.get(one.name, one) for one in weights.MANIFEST))


def measured(folder: Path, metrics: list[str], *, settings: Settings = SETTINGS, item_id: str = "e1", **places: str) -> dict:
    item = dict.fromkeys(("generated", "real", "audio", "portrait")) | {side: str(folder / name) for side, name in places.items()}
    plan = EvaluationPlan(tuple((name, f"{name}-{id(folder)}") for name in metrics), settings)
    ((_, (row,)),) = evaluate_items(plan, [item | {"item_id": item_id, "metrics": metrics}])
    row["values"] = {value["metric"]: (value["value"], value["reason"]) for value in row["values"]}
    return row


def vector(frame: np.ndarray) -> np.ndarray:
    """As `Vgg` makes it."""
    return frame[::16, ::16].transpose(2, 0, 1).reshape(1, -1) / 255


def at_25(path: Path, count: int, size: int | None = None) -> list[np.ndarray]:
    import cv2

    shown = [frame for _, frame in frames(path, frame_times(path), 0, 99, range(count))]
    return [cv2.resize(frame, (size, size), interpolation=cv2.INTER_AREA) for frame in shown] if size else shown


def test_pixels_are_compared_frame_by_frame_and_each_video_is_decoded_once(folder):
    reset_decoder_starts()
    row = measured(folder, ["l1", "psnr", "ssim"], generated="made.mp4", real="real.mp4")
    assert decoder_starts() == 2
    ours, theirs = at_25(folder / "made.mp4", 65), at_25(folder / "real.mp4", 65, 128)
    for name, measure in (("l1", l1), ("psnr", psnr), ("ssim", ssim)):
        expected = np.mean([measure(one, other) for one, other in zip(ours, theirs, strict=True)])
        assert row["values"][name][0] == pytest.approx(expected, rel=1e-9)


def test_features_and_lpips_come_from_every_fifth_picture(folder, toys):
    metrics = ["lpips", "temporal_lpips", "temporal_lpips_real", "fid", "fvd"]
    row = measured(folder, metrics, generated="made.mp4", real="real.mp4")
    ours, theirs = at_25(folder / "made.mp4", 65), at_25(folder / "real.mp4", 65, 128)
    features = {(one["metric"], one["side"]): np.frombuffer(one["data"], "<f4").reshape(one["rows"], one["width"]) for one in row["features"]}
    np.testing.assert_allclose(features["fid", "generated"], [frame.mean((0, 1)) for frame in ours[::5]], rtol=1e-4)
    np.testing.assert_allclose(features["fid", "real"], [frame.mean((0, 1)) for frame in theirs[::5]], rtol=1e-4)
    assert features["frames", "generated"].tolist() == features["frames", "real"].tolist() == [[128, 128]], "the real one as it was compared"
    assert features["fvd", "generated"].shape == features["fvd", "real"].shape == (1, 3)
    windows = np.stack([np.mean([frame.mean((0, 1)) for frame in ours[first : first + 16]], axis=0) for first in range(50)])
    assert np.abs(windows - features["fvd", "generated"]).max(1).min() < 1e-2
    pairs = [float(between_vectors(vector(one), vector(other))[0]) for one, other in zip(ours[::5], theirs[::5])]
    steps = [float(between_vectors(vector(ours[index]), vector(ours[index + 1]))[0]) for index in range(0, 64, 5)]
    assert row["values"]["lpips"][0] == pytest.approx(np.mean(pairs), rel=1e-4)
    assert row["values"]["temporal_lpips"][0] == pytest.approx(np.mean(steps), rel=1e-4)
    assert row["values"]["fid"] == (None, None) and row["code"] is None


def test_two_models_are_held_against_the_same_window_of_the_real_video(folder, toys):
    def window(item_id: str, side: str, **places: str) -> np.ndarray:
        features = measured(folder, ["fvd"], item_id=item_id, **places)["features"]
        return next(np.frombuffer(one["data"], "<f4") for one in features if (one["metric"], one["side"]) == ("fvd", side))

    first = window("e1", "real", generated="made.mp4", real="real.mp4")
    for item_id in ("e2", "e3", "e4"):
        assert np.array_equal(window(item_id, "real", generated="made.mp4", real="real.mp4"), first)
    assert np.array_equal(window("e1", "generated", generated="made.mp4"), window("e2", "generated", generated="made.mp4"))


def test_a_frame_more_moves_the_window_by_one_at_most():
    names = [f"/lake/v_{number}.mp4" for number in range(200)]
    firsts = {count: [_window(name, count, 16) for name in names] for count in (124, 125)}
    assert all(other - one in (0, 1) for one, other in zip(firsts[124], firsts[125], strict=True))
    assert min(firsts[125]) < 10 and max(firsts[125]) > 99 and max(firsts[125]) <= 109
    assert {_window("s3a://b/real/v_1.mkv", 125, 16), _window("/elsewhere/v_1.mp4", 125, 16)} == {firsts[125][1]}


def test_a_face_is_itself_and_lips_are_judged_as_the_scorer_does(folder, monkeypatch):
    seen = []

    def judge(network, crops, sound):
        seen.append((crops.shape, sound.dtype, len(sound)))
        return Agreement(-2, 7.0, 5.0)

    monkeypatch.setattr(session, "judge", judge)
    monkeypatch.setattr("udfs.sync.Sync.setup", lambda self, device: setattr(self, "_network", object()))
    metrics = ["lmd", "lmd_interocular", "csim", "lse_c", "lse_d", "sync_offset", "lse_c_real"]
    small = measured(folder, ["lse_c"], settings=replace(SETTINGS, stride=13), generated="made.mp4")["values"]
    assert "px large, and SyncNet is for larger ones than 100 px" in small["lse_c"][1] and not seen
    tiny_video(folder / "large.mp4", seconds=2.2, size=(512, 512))
    values = measured(folder, metrics, settings=replace(SETTINGS, stride=13), generated="large.mp4", real="large.mp4")["values"]
    assert values["lmd"][0] == values["lmd_interocular"][0] == 0 and values["csim"][0] == pytest.approx(1.0)
    assert [values[name][0] for name in ("lse_c", "lse_d", "sync_offset", "lse_c_real")] == [5.0, 7.0, 2.0, 5.0]
    assert seen[0][0][1:] == (224, 224, 3) and seen[0][0][0] >= 50 and seen[0][1] == np.int16


def test_what_cannot_be_had_has_a_reason_and_is_never_zero(folder):
    row = measured(folder, ["l1", "csim_portrait", "temporal_lpips_real", "lse_c"], generated="wide.mp4")
    assert all(value is None for value, _ in (row["values"][name] for name in ("l1", "csim_portrait", "temporal_lpips_real", "lse_c")))
    reasons = {name: reason for name, (_, reason) in row["values"].items()}
    assert "no real video" in reasons["l1"] and "no portrait" in reasons["csim_portrait"] and "no sound" in reasons["lse_c"]


def test_another_shape_no_face_and_a_short_video_have_reasons(folder):
    values = measured(folder, ["psnr", "csim", "fvd"], settings=replace(SETTINGS, stride=12, fvd_frames=40), generated="wide.mp4", real="30fps.mp4")["values"]
    assert "another shape: 192x128 and 128x128" in values["psnr"][1]
    assert "a face was found in 0 of 3" in values["csim"][1] and "shorter than 40 frames" in values["fvd"][1]


def test_a_file_that_is_no_video_is_a_failure_that_names_it(folder):
    (folder / "text.mp4").write_text("no video")
    row = measured(folder, ["l1"], generated="made.mp4", real="text.mp4")
    assert row["code"] == "not_media" and row["detail"].startswith("the real video: ")
    gone = measured(folder, ["l1"], generated="nowhere.mp4")
    assert (gone["code"], gone["values"]) == ("vanished", {})


def test_a_portrait_or_sound_that_cannot_be_had_costs_its_own_metrics_only(folder):
    metrics = ["l1", "csim_portrait", "lse_c"]
    alone = measured(folder, ["l1"], generated="wide.mp4", real="wide.mp4", portrait="gone.jpg", audio="gone.wav")
    assert alone["code"] is None and alone["values"] == {"l1": (0.0, None)}, "what is not needed may be missing"
    gone = measured(folder, metrics, generated="wide.mp4", real="wide.mp4", portrait="gone.jpg", audio="gone.wav")
    assert gone["values"] == {"l1": (0.0, None)}, "the others are measured when the files are back"
    assert gone["code"] == "vanished" and gone["detail"].startswith(f"the portrait {folder / 'gone.jpg'}: ")
    (folder / "cut.jpg").write_bytes(bytes.fromhex("ffd8ffe0"))
    (folder / "text.wav").write_text("no sound")
    row = measured(folder, metrics, generated="wide.mp4", real="wide.mp4", portrait="cut.jpg", audio="text.wav")
    assert row["code"] is None and row["values"]["l1"] == (0.0, None)
    assert str(folder / "cut.jpg") in row["values"]["csim_portrait"][1] and str(folder / "text.wav") in row["values"]["lse_c"][1]


def test_both_are_looked_at_at_the_same_times_whatever_their_rates(folder):
    pair = VideoPair(folder / "made.mp4", folder / "30fps.mp4", 25.0)
    moments = list(pair)
    assert pair.count == len(moments) == 25 and pair.comparable
    shown = at_25(folder / "30fps.mp4", 30)
    for moment in moments:
        assert np.array_equal(moment.real, shown[round(moment.time_s * 30 - 1e-6)])


def test_every_metric_names_its_convention_and_fingerprint():
    told = [metric.told(SETTINGS) for metric in METRICS]
    assert all(told) and not any("{" in text for text in told)
    assert "centerface-dlib" in next(metric for metric in METRICS if metric.name == "lse_c").told(SETTINGS)
    (ssim_,) = chosen(["ssim"])
    assert ssim_.fingerprint(SETTINGS) == ssim_.fingerprint(SETTINGS) != ssim_.fingerprint(replace(SETTINGS, stride=1))
    with pytest.raises(UsageError, match="no metric 'sim'"):
        chosen(["sim"])
