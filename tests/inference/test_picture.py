"""Portraits are read upright and small enough, and no other program is started for one."""

import pytest
from PIL import EpsImagePlugin, Image

from inference.picture import read_picture
from schemas.codes import Rejected


def test_a_picture_is_upright_and_as_large_as_asked(tmp_path):
    turned = Image.Exif()
    turned[0x0112] = 6
    for name in ("a.jpg", "a.png"):
        Image.new("RGB", (400, 200)).save(tmp_path / name, exif=turned)
        assert read_picture(tmp_path / name).size == (200, 400)
        assert read_picture(tmp_path / name, 100).size == (50, 100)


def test_what_pillow_needs_another_program_for_is_no_portrait(tmp_path, monkeypatch):
    def started(*words, **options):
        raise AssertionError("Ghostscript was started")

    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", started)
    Image.new("RGB", (40, 20)).save(tmp_path / "a.eps")
    (tmp_path / "a.jpg").write_bytes((tmp_path / "a.eps").read_bytes())
    for name in ("a.eps", "a.jpg"):
        with pytest.raises(Rejected, match="not_media: the portrait .* is no picture that can be read"):
            read_picture(tmp_path / name, 100)
