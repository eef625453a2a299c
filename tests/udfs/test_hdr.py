"""Footage in HDR is seen as the SDR picture that a player on an SDR screen shows, and SDR footage as it is."""

import io
import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.udfs.clips import convert
from udfs import displayed
from udfs.displayed import remarks
from udfs.header import read_header
from udfs.media import cut, frame_times, frames, small_frames, still

PICTURE = "testsrc2=size=160x120:rate=25:duration=1,format=yuv444p,colorchannelmixer=0.5:0.2:0.1:0:0.1:0.5:0.2:0:0.2:0.1:0.5"
SDR = "setparams=color_primaries=bt709:color_trc=bt709:colorspace=bt709:range=tv"
TRANSFERS = {"pq": "smpte2084", "hlg": "arib-std-b67"}
MASTERED = "master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,1):max-cll=1000,400"

needs_zscale = pytest.mark.skipif(not displayed.can_tone_map(), reason="this ffmpeg has no zscale")


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """A picture of middling colours in SDR."""
    tags = ("-color_primaries", "bt709", "-color_trc", "bt709", "-colorspace", "bt709", "-color_range", "tv")
    return convert(tmp_path_factory.mktemp("sdr") / "a.mp4", "-f", "lavfi", "-i", PICTURE, "-vf", f"{SDR},format=yuv420p", "-crf", "5", *tags)


@pytest.fixture(scope="module", params=TRANSFERS.values(), ids=TRANSFERS.keys())
def hdr(request, plain):
    """The same picture in HDR, its white at 203 cd/m2 as BT.2408 has it."""
    wide = f"zscale=t=linear:npl=203,format=gbrpf32le,zscale=p=bt2020:t={request.param}:m=bt2020nc:r=tv:npl=203,format=yuv420p10le"
    tags = ("-color_primaries", "bt2020", "-color_trc", request.param, "-colorspace", "bt2020nc", "-color_range", "tv")
    quality = f"log-level=error:keyint=10:crf=8:pools=none:{MASTERED}"
    coded = ("-c:v", "libx265", "-preset", "ultrafast", "-x265-params", quality)
    return convert(plain.with_name(f"{request.param}.mp4"), "-i", str(plain), "-vf", f"{SDR},{wide}", *coded, *tags)


def looks_like(picture: np.ndarray, wanted: np.ndarray) -> bool:
    """Colours a little apart on average (tone mapping bends bright ones), contrast and mean brightness too."""
    apart = np.abs(picture.astype(float) - wanted).mean()
    return apart < 12 and abs(picture.mean() - wanted.mean()) < 10 and picture.std() > 0.8 * wanted.std()


def first(path: Path, **options) -> np.ndarray:
    return next(frames(path, frame_times(path), 0.0, 1.0, [5], **options))[1]


@needs_zscale
def test_frames_of_hdr_look_as_the_sdr_picture(hdr, plain):
    assert looks_like(first(hdr), first(plain))
    assert looks_like(next(small_frames(hdr, 48, 27))[1], next(small_frames(plain, 48, 27))[1])
    pictures = [np.asarray(Image.open(io.BytesIO(still(path, 0.2, width_px=160)))) for path in (hdr, plain)]
    assert looks_like(*pictures)


@needs_zscale
def test_crop_cuts_the_same_pixels_out_of_an_hdr_frame(hdr):
    assert np.array_equal(first(hdr, crop=(31, 17, 90, 80)), first(hdr)[17:80, 31:90])


@needs_zscale
def test_cut_of_hdr_is_an_sdr_file_and_says_so(hdr, plain, tmp_path):
    cut(hdr, tmp_path / "clip.mp4", 0.0, 0.4)
    entries = "stream=pix_fmt,color_transfer,color_primaries,color_space,color_range:stream_side_data=side_data_type:frame_side_data=side_data_type"
    asked = ["ffprobe", "-v", "error", "-select_streams", "v", "-read_intervals", "%+#1", "-show_frames", "-show_entries", entries, "-of", "json"]
    told = subprocess.run([*asked, tmp_path / "clip.mp4"], capture_output=True, check=True).stdout
    said = json.loads(told)["streams"][0]
    assert {said[name] for name in ("color_transfer", "color_primaries", "color_space")} == {"bt709"}
    assert (said["pix_fmt"], said["color_range"]) == ("yuv420p", "tv")
    assert b"astering" not in told and b"ight level" not in told
    assert read_header(tmp_path / "clip.mp4").hdr is None
    assert looks_like(first(tmp_path / "clip.mp4"), first(plain))


@needs_zscale
def test_hdr_frames_do_not_depend_on_where_decoding_began(hdr):
    times = frame_times(hdr)
    every = dict(frames(hdr, times, 0.0, 1.0, range(25)))
    assert all(np.array_equal(dict(frames(hdr, times, 0.0, 1.0, [index]))[index], every[index]) for index in (3, 17, 24))


def test_without_zscale_hdr_is_taken_as_it_is_and_a_remark_says_so(hdr, plain, monkeypatch):
    monkeypatch.setattr(displayed, "can_tone_map", lambda: False)
    assert remarks(read_header(hdr)) == ["HDR colours are taken as they are: this ffmpeg has no zscale"]
    assert remarks(read_header(plain)) == []
    assert first(hdr).shape == (120, 160, 3)
