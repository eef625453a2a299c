"""The portrait at the size to make, and where its key points lie in it."""

import numpy as np
import pytest
from PIL import Image

from inference.portrait import LEAST_SIDE_PX, keypoints_in, read_portrait
from schemas.codes import Rejected
from tests.inference.marked_faces import FACE, MarkFinder, marked_picture
from udfs.faces.backend import Face

NEAR_PX = 1.0


@pytest.mark.parametrize(
    ("size", "made"),
    [((192, 128), (192, 128)), ((192, 128), (96, 96)), ((100, 300), (256, 64)), ((300, 100), (64, 256)), ((700, 600), (640, 512))],
)
def test_key_points_are_x_and_y_in_px_of_the_picture_to_make(size, made):
    """Both sides are stretched to fit, each by its own factor."""
    faces = MarkFinder()
    found = keypoints_in(marked_picture(size, FACE), *made, faces)
    assert found.shape == (3, 2) and found.dtype == np.float32
    np.testing.assert_allclose(found, FACE * np.array(made) / np.array(size), atol=NEAR_PX)
    (shape,) = faces.shapes
    assert min(shape[:2]) == max(LEAST_SIDE_PX, min(made))
    assert shape[1] / shape[0] == pytest.approx(made[0] / made[1], rel=0.01), "the detector sees the picture as it is made"


def test_the_portraits_pixels_and_key_points_are_of_one_picture(tmp_path):
    """Blue where the nose is, red and green at the eyes, in a picture that was stretched and made smaller."""
    Image.fromarray(marked_picture((192, 128), FACE)).save(tmp_path / "p.png")
    portrait = read_portrait(tmp_path / "p.png", 80, 112, MarkFinder())
    assert portrait.pixels.shape == (1, 3, 112, 80)
    assert portrait.pixels.min() == -1 and portrait.pixels.max() == 1
    np.testing.assert_allclose(portrait.keypoints, FACE * (80 / 192, 112 / 128), atol=NEAR_PX)
    for channel, (x, y) in enumerate(portrait.keypoints):
        pixel = portrait.pixels[0, :, int(y), int(x)]
        assert pixel[channel] > 0.9 and pixel.sum() < -0.9


def test_a_portrait_taken_sideways_is_upright_before_its_face_is_sought(tmp_path):
    turned = Image.fromarray(marked_picture((192, 128), FACE)).transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[274] = 6  # shown a quarter turn clockwise
    turned.save(tmp_path / "p.png", exif=exif)
    np.testing.assert_allclose(read_portrait(tmp_path / "p.png", 192, 128, MarkFinder()).keypoints, FACE, atol=NEAR_PX)


def test_a_portrait_without_a_face_is_refused_by_name(tmp_path):
    Image.fromarray(marked_picture((192, 128), None)).save(tmp_path / "p.png")
    with pytest.raises(Rejected, match="p.png") as caught:
        read_portrait(tmp_path / "p.png", 64, 64, MarkFinder())
    assert caught.value.code == "no_face"


class Several:
    """A detector that finds faces at given x, the surest first, whatever it is shown."""

    def __init__(self, *lefts: float) -> None:
        self._faces = [Face(np.zeros(4, np.float32), 0.9 - 0.1 * number, np.full((5, 2), left, np.float32)) for number, left in enumerate(lefts)]

    def detect(self, rgb: np.ndarray) -> list[Face]:
        return self._faces


def test_of_several_faces_the_surest_counts_and_later_the_one_closest_to_the_last():
    """At 64 px the detector sees a picture eight times as large: `near` is in px of the small one."""
    faces, picture = Several(400, 80), np.zeros((64, 64, 3), np.uint8)
    assert (keypoints_in(picture, 64, 64, faces) == 50).all()
    assert (keypoints_in(picture, 64, 64, faces, near=np.full((3, 2), 12, np.float32)) == 10).all()
    assert (keypoints_in(picture, 64, 64, faces, near=np.full((3, 2), 40, np.float32)) == 50).all()
