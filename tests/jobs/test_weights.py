"""`talkvid weights` as a user meets it."""

import json

import pytest
import torch

from jobs.cli import run_verb
from jobs.weights import JOB
from tests.udfs.faces.stand_in_pack import write_detector
from udfs import weights_export
from udfs.nets import expected


@pytest.fixture(autouse=True)
def own_weights(tmp_path, monkeypatch):
    monkeypatch.setenv("TALKVID_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.setenv("TALKVID_LAKE", str(tmp_path / "lake"))


def talkvid_weights(*words: str) -> int:
    return run_verb(JOB, list(words))


def test_list_shows_licence_and_state_of_every_entry_and_ends_with_the_summary(capsys):
    assert talkvid_weights("list") == 0
    lines = capsys.readouterr().out.splitlines()
    row = next(line for line in lines if line.startswith("buffalo_l"))
    assert "missing" in row and "non-commercial" in row and "275.3" in row
    assert "~228.5" in next(line for line in lines if line.startswith("dover "))
    assert lines[-1].startswith("weights: in=")


def test_list_of_one_says_where_it_comes_from_and_under_which_terms(capsys):
    assert talkvid_weights("list", "dover") == 0
    said = capsys.readouterr().out
    assert "github.com/QualityAssessment" in said and "talkvid weights fetch dover" in said and "S-Lab" in said
    assert talkvid_weights("list", "centerface") == 0
    assert "centerface.onnx" in capsys.readouterr().out


def test_list_as_json_is_one_object(capsys):
    assert talkvid_weights("list", "--json") == 0
    record = json.loads(capsys.readouterr().out)
    assert record["in"] == record["there"] + record["missing"] == len(record["weights"])


def test_add_takes_a_file_and_verify_finds_it(tmp_path, capsys):
    assert talkvid_weights("add", str(write_detector(tmp_path / "det.onnx"))) == 0
    assert "licence" in capsys.readouterr().err
    assert talkvid_weights("verify", "custom-pack") == 0


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (("verify", "buffalo_l"), 3),
        (("verify", "nonsense"), 2),
        (("add",), 2),
        (("fetch",), 2),
        (("fetch", "centerface"), 2),
        (("add", "absent.onnx"), 3),
        (("export", "dover"), 3),
        (("export", "centerface"), 2),
    ],
)
def test_mistakes_are_one_sentence_with_the_exit_status_of_the_contract(words, status, capsys):
    assert talkvid_weights(*words) == status
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and error.startswith("talkvid weights: ")


def test_altered_weights_are_exit_4(tmp_path, capsys):
    talkvid_weights("add", str(write_detector(tmp_path / "det.onnx")))
    with open(tmp_path / "weights" / "custom-pack" / "det.onnx", "ab") as file:
        file.write(b"more")
    assert talkvid_weights("verify") == 4
    assert "custom-pack" in capsys.readouterr().err


def test_export_writes_the_file_beside_its_checkpoint_and_pins_it(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(expected, "shapes", lambda name: {"weight": (2, 3)})
    torch.save({"weight": torch.zeros(2, 3)}, tmp_path / "DOVER.pth")
    assert talkvid_weights("add", str(tmp_path / "DOVER.pth")) == 0
    asked = []

    def write(checkpoint, out):
        asked.append(checkpoint.name)
        out.write_bytes(b"a graph")

    monkeypatch.setitem(weights_export.EXPORTS, "dover", ("dover-onnx", write))
    assert talkvid_weights("export", "dover") == 0
    assert "dover-onnx: the same through onnxruntime" in capsys.readouterr().err
    assert asked == ["DOVER.pth"]
    assert (tmp_path / "weights" / "dover.onnx").read_bytes() == b"a graph"
    assert sorted(file.name for file in (tmp_path / "weights").iterdir()) == ["DOVER.pth", "dover-onnx.json", "dover.json", "dover.onnx"]
    assert talkvid_weights("verify", "dover-onnx") == 0


def test_neither_lake_nor_spark_is_made(tmp_path):
    assert talkvid_weights("list") == 0
    assert not (tmp_path / "lake").exists()
