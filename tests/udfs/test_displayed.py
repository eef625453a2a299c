"""Every reader shows the picture as it is meant to be seen: a disc is round, whatever the shape of the stored pixels."""

import io
import shutil
import struct
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from schemas.codes import Rejected
from tests.udfs.clips import convert, every_frame
from udfs.header import displayed_size, read_header
from udfs.media import Limits, cut, frame_times, frames, probe, small_frames, still

DISC = "color=black:size={size}:rate=25:duration=1,format=gray,geq=lum='255*lt(hypot((X-W/2)*{wide},(Y-H/2)*{high}),50)'"
SHAPES = {
    "anamorphic.mp4": (120, 120, "4/3", (160, 120)),
    "pal.mkv": (150, 120, "16/15", (160, 120)),
    "ntsc.mp4": (160, 108, "8/9", (160, 122)),
    "dvd.mpg": (144, 144, "4/3", (192, 144)),
    "old_television.ts": (144, 120, "16/15", (154, 120)),
}


def disc(path: Path, width: int, height: int, aspect: str, *options: str) -> Path:
    """A video of a disc of 100 px across that is round when pixels have this shape, in stored pixels of `width` x `height`."""
    pixel = Fraction(aspect)
    wide, high = (float(pixel), 1.0) if pixel > 1 else (1.0, float(1 / pixel))
    codec = ("-c:v", "mpeg2video", "-q:v", "2") if path.suffix == ".mpg" else ("-c:v", "libx264", "-crf", "5")
    picture = DISC.format(size=f"{width}x{height}", wide=wide, high=high)
    return convert(path, "-f", "lavfi", "-i", picture, "-vf", f"setsar={aspect}", "-pix_fmt", "yuv420p", *codec, *options)


def turned_right(path: Path) -> Path:
    """The mp4 file, to be shown turned by 90 degrees: in its track's header stands another matrix."""
    content = bytearray(path.read_bytes())
    at = content.index(b"tkhd") + 44
    content[at : at + 36] = struct.pack(">9i", 0, 1 << 16, 0, -1 << 16, 0, 0, 0, 0, 1 << 30)
    path.write_bytes(content)
    return path


def sides(picture: np.ndarray) -> tuple[int, int]:
    """Width and height of what is bright."""
    bright = (picture if picture.ndim == 2 else picture[..., 0]) > 128
    return int(bright.any(axis=0).sum()), int(bright.any(axis=1).sum())


def is_round(picture: np.ndarray, size: int, slack: int = 2) -> bool:
    return all(abs(side - size) <= slack for side in sides(picture))


@pytest.fixture(scope="module", params=SHAPES.items(), ids=SHAPES.keys())
def shaped(request, tmp_path_factory):
    name, (width, height, aspect, size) = request.param
    return disc(tmp_path_factory.mktemp("shaped") / name, width, height, aspect), size


def test_probe_tells_the_size_with_square_pixels(shaped):
    path, size = shaped
    assert (probe(path).width, probe(path).height) == size


def test_frames_and_small_frames_have_square_pixels(shaped):
    path, (width, height) = shaped
    times = frame_times(path)
    (_, whole), (_, cropped) = (next(frames(path, times, 0.0, 1.0, [3], crop=crop)) for crop in (None, (10, 4, width - 8, height - 2)))
    assert whole.shape == (height, width, 3) and is_round(whole, 100)
    assert np.array_equal(cropped, whole[4 : height - 2, 10 : width - 8])
    small = next(small_frames(path, width // 2))[1]
    assert is_round(small, 50)


def test_cut_has_square_pixels_and_says_so(shaped, tmp_path):
    path, size = shaped
    cut(path, tmp_path / "clip.mp4", 0.0, 0.2)
    assert read_header(tmp_path / "clip.mp4").pixel_aspect == 1
    assert is_round(every_frame(tmp_path / "clip.mp4", *size)[2], 100)


def test_crop_of_a_cut_is_in_displayed_pixels(shaped, tmp_path):
    path, (width, height) = shaped
    left, top = (width - 108) // 4 * 2, (height - 108) // 4 * 2
    cut(path, tmp_path / "clip.mp4", 0.0, 0.2, crop=(left, top, left + 108, top + 108), side_px=54)
    assert is_round(every_frame(tmp_path / "clip.mp4", 54, 54)[2], 50)


def test_still_has_square_pixels(shaped):
    path, (width, height) = shaped
    left, top = (width - 108) // 4 * 2, (height - 108) // 4 * 2
    for size, crop in ((width, None), (108, (left, top, left + 108, top + 108))):
        assert is_round(np.asarray(Image.open(io.BytesIO(still(path, 0.5, width_px=size, crop=crop)))), 100)


def test_pixels_are_stretched_before_the_picture_is_turned(tmp_path):
    turned = turned_right(disc(tmp_path / "turned.mp4", 120, 120, "4/3"))
    assert (probe(turned).width, probe(turned).height) == (120, 160)
    assert is_round(next(frames(turned, frame_times(turned), 0.0, 1.0, [0]))[1], 100)
    cut(turned, tmp_path / "clip.mp4", 0.0, 0.2)
    assert read_header(tmp_path / "clip.mp4").pixel_aspect == 1
    assert is_round(every_frame(tmp_path / "clip.mp4", 120, 160)[2], 100)


@pytest.mark.parametrize(
    ("pixel", "size"),
    [
        ("1", (720, 576)),
        ("16/15", (768, 576)),
        ("64/45", (1024, 576)),
        ("8/9", (720, 648)),
        ("1280/1281", (720, 576)),
        ("4", (2880, 576)),
        ("1/4", (720, 2304)),
        ("5", (720, 576)),
        ("1/10000", (720, 576)),
    ],
)
def test_short_side_is_stretched_to_even_pixels_and_absurd_shapes_are_square(pixel, size):
    assert displayed_size(720, 576, Fraction(pixel)) == size


def test_absurd_shape_is_square_in_the_cut_too(tmp_path):
    video = disc(tmp_path / "absurd.mp4", 160, 120, "1", "-aspect", "30")
    assert (probe(video).width, probe(video).height) == (160, 120)
    cut(video, tmp_path / "clip.mp4", 0.0, 0.2)
    assert read_header(tmp_path / "clip.mp4").pixel_aspect == 1
    assert is_round(every_frame(tmp_path / "clip.mp4", 160, 120)[2], 100)


def test_stretched_picture_keeps_the_cap_on_pixels(tmp_path):
    video = disc(tmp_path / "a.mp4", 120, 120, "4/3")
    limits = Limits(max_pixels=150 * 120)
    with pytest.raises(Rejected, match="160x120"):
        probe(shutil.copy(video, tmp_path / "b.mp4"), limits)
