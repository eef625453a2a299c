"""A clip as a sample: frame k shows k / 25 s whatever the source's frame rate, its sound goes with it, its crop never stretches."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from schemas.codes import Rejected
from udfs import media, preparing
from udfs.encode import encoded
from udfs.faces.backend import Face
from udfs.footage import tiny_video
from udfs.footage.encoder import X264, write_video
from udfs.preparing import PrepareSettings, Tools, load_tools, nearest_frames, pictures, prepare_clip, whole_frames
from udfs.scorer import Clip

SETTINGS = PrepareSettings.of(smoke=True)


@pytest.fixture(scope="module")
def tools() -> Tools:
    return load_tools(SETTINGS, "cpu")


def clip_of(path: Path, start_s: float = 0.0, end_s: float | None = None, crop: tuple[int, int, int, int] | None = None) -> Clip:
    facts = media.probe(path)
    width, height = (crop[2] - crop[0], crop[3] - crop[1]) if crop else (facts.width, facts.height)
    return Clip("c", "v", str(path), start_s, facts.duration_s if end_s is None else end_s, width, height, facts.fps, facts.has_audio, crop)


def shown(video: bytes) -> np.ndarray:
    """All frames of an mp4 (F, side, side, 3)."""
    import av

    with av.open(io.BytesIO(video)) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


def clock(path: Path, fps: float, seconds: float = 2.0, options: dict | None = None) -> Path:
    """A video whose brightness is its time: 100 grey levels a second."""
    frames = (np.full((64, 96, 3), round(20 + 100 * number / fps), np.uint8) for number in range(round(seconds * fps)))
    return write_video(path, frames, fps, video_options=dict(X264) | {"crf": 1} | (options or {}))


@pytest.mark.parametrize("fps", [25.0, 30.0, 24.0, 50.0])
def test_frame_k_shows_what_the_clip_shows_k_25ths_after_its_start(tmp_path, fps):
    path = clock(tmp_path / "a.mp4", fps)
    clip = clip_of(path, 0.4, 1.6)
    sources = nearest_frames(media.frame_times(path), clip, whole_frames(1.2))
    found = np.stack(list(pictures(path, clip, sources, (0, 0, 64, 64), 64))).mean(axis=(1, 2, 3))
    wanted = 20 + 100 * (0.4 + np.arange(30) / 25)
    assert len(found) == 30 and np.abs(found - wanted).max() <= 100 * 0.5 / fps + 2.5


def test_variable_frame_rate_is_followed_by_time_stamps(tmp_path):
    """15 frames at 1/25 s, then every third of the rest: a held picture stays until the next one is nearer."""
    path = clock(tmp_path / "a.mp4", 25.0, 2.0, {"vf": "select='lt(n,15)+not(mod(n,3))'", "fps_mode": "vfr"})
    times_s = media.frame_times(path)
    assert len(times_s) < 40
    clip = clip_of(path, 0.0, 1.9)
    found = np.stack(list(pictures(path, clip, nearest_frames(times_s, clip, whole_frames(1.9)), (0, 0, 64, 64), 64))).mean(axis=(1, 2, 3))
    assert len(found) == 47 and np.abs(found - (20 + 100 * np.arange(47) / 25)).max() <= 100 * 1.5 / 25 + 2.5


def test_smaller_pictures_are_made_by_area(tmp_path):
    """Every fourth column is white: the nearest pixel of four would be white or black, and a line between two of them black."""
    stripes = np.zeros((128, 128, 3), np.uint8)
    stripes[:, ::4] = 240
    path = write_video(tmp_path / "a.mp4", [stripes] * 10, 25.0, video_options=dict(X264) | {"crf": 1})
    found = np.stack(list(pictures(path, clip_of(path), [0, 1], (0, 0, 128, 128), 32)))
    assert found.shape == (2, 32, 32, 3) and np.abs(found.astype(int) - 60).max() < 12


def test_less_than_a_frame_is_truncated():
    assert [whole_frames(seconds) for seconds in (0.04, 0.0799, 0.12, 1.0)] == [1, 1, 3, 25]
    with pytest.raises(Rejected, match="truncated"):
        whole_frames(0.039)


def test_picture_lost_to_damage_is_the_one_before():
    stream = [(1, "b"), (2, "c"), (4, "e")]
    assert list(preparing._each(iter(stream), [0, 1, 2, 2, 3, 4, 5])) == [
        *[("b", True), ("b", False), ("c", True), ("c", False), ("c", False), ("e", True), ("e", False)]
    ]


def test_few_frames_are_decoded_cheaply_and_bytes_are_the_same_again():
    import av

    frames = [np.full((64, 64, 3), 5 * number, np.uint8) for number in range(40)]
    video = encoded(frames, 64, 25.0)
    assert video == encoded(frames, 64, 25.0)
    with av.open(io.BytesIO(video)) as container:
        stream = container.streams.video[0]
        kinds = [(frame.pts * stream.time_base, frame.key_frame, av.video.frame.PictureType(frame.pict_type).name) for frame in container.decode(stream)]
        assert len(container.streams) == 1 and stream.codec_context.pix_fmt == "yuv420p"
    assert [float(time) for time, _, _ in kinds] == pytest.approx(np.arange(40) / 25)
    assert [number for number, (_, is_key, _) in enumerate(kinds) if is_key] == [0, 12, 24, 36]
    assert {kind for _, _, kind in kinds} == {"I", "P"}
    assert np.abs(shown(video).mean(axis=(1, 2, 3)) - 5 * np.arange(40)).max() < 3


class StillFace:
    """Finds one face where it is told."""

    def __init__(self, x: float, y: float, height: float) -> None:
        box = np.array([x - height / 3, y - height / 2, x + height / 3, y + height / 2], np.float32)
        shape = np.array([[-0.2, -0.2], [0.2, -0.2], [0, 0], [-0.15, 0.2], [0.15, 0.2]], np.float32)
        self.face = Face(box, 0.9, shape * height + np.array([x, y], np.float32))

    def detect(self, rgb):
        return [self.face]

    def again(self, rgb, face):
        return self.face

    def mouth(self, rgb, face):
        return None


def round_mark(path: Path, x: int, y: int) -> Path:
    """A white disc of 20 px radius on black, 320x240, with sound."""
    import cv2

    picture = cv2.circle(np.zeros((240, 320, 3), np.uint8), (x, y), 20, (255, 255, 255), -1)
    sound = (3000 * np.sin(np.arange(16_000) / 5)).astype(np.int16)
    return write_video(path, [picture] * 25, 25.0, sound, dict(X264) | {"crf": 5})


@pytest.mark.parametrize("box", [None, (60, 40, 320, 240)])
@pytest.mark.parametrize(("x", "y"), [(160, 120), (290, 210)])
def test_crop_keeps_its_shape_at_edges_and_inside_a_clips_own_crop(tmp_path, tools, x, y, box):
    path = round_mark(tmp_path / "a.mp4", x, y)
    left, top = box[:2] if box else (0, 0)
    own = Tools(StillFace(x - left, y - top, 60), tools.speech)
    row = prepare_clip(clip_of(path, crop=box), path, own, SETTINGS)
    crop = row["crop"]
    assert crop[2] - crop[0] == crop[3] - crop[1] == 96 and crop[0] >= left and crop[1] >= top and crop[2] <= 320 and crop[3] <= 240
    white = np.argwhere(shown(row["video"])[12].mean(axis=2) > 127)
    assert np.ptp(white, axis=0) == pytest.approx([40 * 128 / 96] * 2, abs=3)
    nose = row["keypoints"].reshape(25, 5, 2)[12, 2]
    assert white.mean(axis=0)[::-1] == pytest.approx(nose, abs=1.5)


def test_sound_is_that_of_the_frames(tools, tmp_path):
    """The features are those of [start, start + frames / 25) and of nothing else."""
    path = tiny_video(tmp_path / "a.mp4", seconds=2.0)
    clip = clip_of(path, 0.5, 1.53)
    row = prepare_clip(clip, path, tools, SETTINGS)
    assert row["frames"] == 25 and row["lip_source"] == "mouth_corners"
    expected = tools.speech.encode(media.audio_16k(path, 0.5, 1.5)).astype(np.float16)
    assert row["audio_features"] == expected.tobytes() and (row["audio_rows"], row["audio_width"]) == expected.shape


def test_clip_without_sound_is_told_before_anything_is_decoded(tools, tmp_path):
    path = tiny_video(tmp_path / "a.mp4", seconds=1.0, audio=None)
    media.reset_decoder_starts()
    with pytest.raises(Rejected, match="no_audio"):
        prepare_clip(clip_of(path), path, tools, SETTINGS)
    assert media.decoder_starts() == 0


def test_everything_that_shapes_a_sample_is_in_its_fingerprint():
    others = [replace(SETTINGS, side_px=64), replace(SETTINGS, track=replace(SETTINGS.track, most_missing=0.5)), replace(SETTINGS, landmarks="dlib68")]
    found = {settings.fingerprint for settings in (SETTINGS, *others)}
    assert len(found) == 4 and all(name.startswith("random:prepare-v3-") for name in found)


def test_real_speaker_end_to_end(corpus, tools):
    path = corpus / "singles" / "speech_512p25_15s_l4.mp4"
    row = prepare_clip(clip_of(path, 1.0, 4.0), path, tools, replace(SETTINGS, side_px=512))
    assert row["frames"] == 75 and not row["interpolated"].any() and row["audio_rows"] == 149
    assert row["crop"] == [0, 0, 512, 512]
    original = np.stack([frame for _, frame in media.frames(path, media.frame_times(path), 1.0, 4.0, range(75))]).astype(np.int16)
    assert np.abs(shown(row["video"]) - original).mean() < 3
    keypoints, lips = row["keypoints"].reshape(75, 5, 2), row["lip_boxes"].reshape(75, 4)
    middles = keypoints[:, 3:].mean(axis=1)
    assert ((lips[:, :2] < middles) & (middles < lips[:, 2:])).all()
    assert np.abs(np.diff(keypoints, axis=0)).max() < 40


def test_dlibs_landmarks_give_lips_of_about_the_same_place(corpus, tools):
    path = corpus / "singles" / "speech_512p25_15s_l7.mp4"
    settings = replace(SETTINGS, landmarks="dlib68", side_px=512)
    rows = [prepare_clip(clip_of(path, 1.0, 2.0), path, *pair) for pair in ((tools, SETTINGS), (load_tools(settings, "cpu"), settings))]
    assert [row["lip_source"] for row in rows] == ["mouth_corners", "dlib68"]
    corners, landmarks = rows[0]["lip_boxes"].reshape(-1, 4) * 4, rows[1]["lip_boxes"].reshape(-1, 4)
    assert np.abs(corners - landmarks).mean() < 20
