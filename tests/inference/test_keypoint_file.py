"""Key points from a pickle that may be anything."""

import pickle
import zipfile

import numpy as np
import pytest
import torch

from inference.keypoint_file import read_keypoints
from schemas.codes import Rejected


def test_what_the_original_writes_is_read(tmp_path):
    path = tmp_path / "kps.pth"
    wanted = np.arange(24, dtype=np.float32).reshape(4, 3, 2)
    torch.save(list(wanted), path)
    np.testing.assert_array_equal(read_keypoints(path), wanted)


def test_five_points_and_doubles_are_taken_too(tmp_path):
    path = tmp_path / "kps.pth"
    torch.save([np.arange(10, dtype=np.float64).reshape(5, 2)], path)
    np.testing.assert_array_equal(read_keypoints(path), np.arange(6, dtype=np.float32).reshape(1, 3, 2))


def test_files_of_the_corpus_are_read(corpus):
    assert read_keypoints(corpus / "inference" / "10.kps.pth").shape == (109, 3, 2)


class Runs:
    """A pickle that would make a file."""

    def __init__(self, target) -> None:
        self.target = target

    def __reduce__(self):
        return (open, (str(self.target), "w"))


@pytest.mark.parametrize("form", ["torch", "plain"])
def test_a_file_that_would_run_code_is_refused_and_runs_nothing(tmp_path, form):
    path, target = tmp_path / "kps.pth", tmp_path / "made"
    if form == "torch":
        torch.save([Runs(target)], path)
    else:
        path.write_bytes(pickle.dumps([Runs(target)]))
    target.unlink(missing_ok=True)
    with pytest.raises(Rejected, match="without running code"):
        read_keypoints(path)
    assert not target.exists()


@pytest.mark.parametrize("said", [[], [np.zeros((2, 2), np.float32)], {"a": 1}, 7, [np.full((3, 2), np.nan, np.float32)], torch.zeros(3)])
def test_something_else_than_key_points_is_refused_in_a_sentence(tmp_path, said):
    path = tmp_path / "kps.pth"
    torch.save(said, path)
    with pytest.raises(Rejected, match="kps.pth") as caught:
        read_keypoints(path)
    assert caught.value.code == "decode_error"


def test_damage_and_absence_are_told_apart(tmp_path):
    with pytest.raises(Rejected) as absent:
        read_keypoints(tmp_path / "no.pth")
    assert absent.value.code == "vanished"
    torn = tmp_path / "torn.pth"
    torch.save([np.zeros((3, 2), np.float32)], torn)
    torn.write_bytes(torn.read_bytes()[:200])
    empty_zip = tmp_path / "zip.pth"
    with zipfile.ZipFile(empty_zip, "w") as archive:
        archive.writestr("a", "b")
    text = tmp_path / "text.pth"
    text.write_text("hello")
    for path in (torn, empty_zip, text):
        with pytest.raises(Rejected) as damaged:
            read_keypoints(path)
        assert damaged.value.code == "decode_error"


@pytest.mark.parametrize("zipped", [True, False])
def test_a_file_that_is_cut_anywhere_is_damaged(tmp_path, zipped):
    whole, cut = tmp_path / "whole.pth", tmp_path / "cut.pth"
    torch.save([np.arange(6, dtype=np.float32).reshape(3, 2) + frame for frame in range(40)], whole, _use_new_zipfile_serialization=zipped)
    data = whole.read_bytes()
    codes = set()
    for length in range(0, len(data) - 1, max(1, len(data) // 100)):
        cut.write_bytes(data[:length])
        with pytest.raises(Rejected, match="cut.pth") as damaged:
            read_keypoints(cut)
        codes.add(damaged.value.code)
    assert codes == {"decode_error"}
