import pickle

import pytest
import torch
from safetensors.torch import save_file

from schemas.errors import UsageError, VerificationError
from udfs import checkpoint, weights
from udfs.nets import expected


@pytest.fixture(autouse=True)
def small_list(monkeypatch):
    """A checkpoint of two tensors in place of the large ones."""
    monkeypatch.setattr(expected, "shapes", lambda name: {"weight": (2, 3), "bias": (2,)})


@pytest.fixture
def own_weights(tmp_path, monkeypatch):
    monkeypatch.setenv("TALKVID_WEIGHTS", str(tmp_path / "weights"))


def state(**changes: torch.Tensor) -> dict[str, torch.Tensor]:
    return {"weight": torch.arange(6.0).view(2, 3), "bias": torch.zeros(2)} | changes


def test_torch_wrapped_and_safetensors_files_are_read(tmp_path):
    torch.save(state(), tmp_path / "bare.pth")
    torch.save({"model": state()}, tmp_path / "wrapped.pth")
    torch.save(state(), tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    save_file(state(), tmp_path / "some.safetensors")
    for file in tmp_path.iterdir():
        assert torch.equal(checkpoint.read(file, "any")["weight"], state()["weight"]), file


def test_network_gets_the_tensors_of_the_file(tmp_path):
    torch.save(state(), tmp_path / "a.pth")
    network = checkpoint.network_from(tmp_path / "a.pth", "any", lambda: torch.nn.Linear(3, 2))
    assert torch.equal(network.weight, state()["weight"])
    assert not network.training


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_a_checkpoint_of_another_precision_is_run_in_the_networks_own(tmp_path, dtype):
    torch.save({key: value.to(dtype) for key, value in state().items()}, tmp_path / "a.pth")
    network = checkpoint.network_from(tmp_path / "a.pth", "any", lambda: torch.nn.Linear(3, 2))
    assert {value.dtype for value in network.state_dict().values()} == {torch.float32}
    assert torch.equal(network(torch.ones(1, 3)), torch.tensor([[3.0, 12.0]]))


def test_a_checkpoint_of_whole_numbers_is_one_sentence(tmp_path):
    torch.save({key: value.to(torch.int8) for key, value in state().items()}, tmp_path / "a.pth")
    with pytest.raises(VerificationError, match="a.pth is not the checkpoint any: weight is torch.int8, expected torch.float32$"):
        checkpoint.network_from(tmp_path / "a.pth", "any", lambda: torch.nn.Linear(3, 2))


def test_other_keys_and_shapes_are_named_in_one_sentence(tmp_path):
    torch.save({"weight": torch.zeros(3, 3), "gain": torch.zeros(1)}, tmp_path / "a.pth")
    with pytest.raises(VerificationError, match=r"bias is missing; gain is not part of any; weight is \[3, 3\], expected \[2, 3\]$"):
        checkpoint.read(tmp_path / "a.pth", "any")


def test_many_differences_are_counted(tmp_path):
    torch.save(state(**{f"extra{number}": torch.zeros(1) for number in range(7)}), tmp_path / "a.pth")
    with pytest.raises(VerificationError, match="and 4 more$"):
        checkpoint.read(tmp_path / "a.pth", "any")


class Bomb:
    def __reduce__(self):
        return (print, ("run",))


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b".a text", b"PK\x03\x04 cut short", b"\x10\0\0\0\0\0\0\0{ cut short"])
def test_what_is_no_checkpoint_is_one_sentence(tmp_path, content):
    (tmp_path / "a.pth").write_bytes(content)
    with pytest.raises(VerificationError, match="a.pth is no"):
        checkpoint.read(tmp_path / "a.pth", "any")


@pytest.mark.parametrize("zipped", [True, False])
def test_a_checkpoint_cut_short_anywhere_is_one_sentence(tmp_path, zipped):
    torch.save({"weight": torch.rand(200, 200)}, tmp_path / "whole.pth", _use_new_zipfile_serialization=zipped)
    content = (tmp_path / "whole.pth").read_bytes()
    for length in (*range(0, 400, 7), *range(400, len(content), 4001)):
        (tmp_path / "a.pth").write_bytes(content[:length])
        with pytest.raises(VerificationError, match="a.pth is no"):
            checkpoint.read(tmp_path / "a.pth", "any")


@pytest.mark.parametrize("content", [{1: torch.zeros(2)}, {"model": {("a", 1): torch.zeros(2)}}, {"weight": 3.0}, 5])
def test_a_checkpoint_of_something_else_is_one_sentence(tmp_path, content):
    torch.save(content, tmp_path / "a.pth")
    with pytest.raises(VerificationError, match="a.pth is no checkpoint: it holds something else than named tensors"):
        checkpoint.read(tmp_path / "a.pth", "any")


def test_code_in_a_checkpoint_is_not_run(tmp_path, capsys):
    (tmp_path / "a.pth").write_bytes(pickle.dumps({"weight": Bomb()}))
    with pytest.raises(VerificationError, match="without running code"):
        checkpoint.read(tmp_path / "a.pth", "any")
    torch.save([1, 2], tmp_path / "list.pth")
    with pytest.raises(VerificationError, match="something else than named tensors"):
        checkpoint.read(tmp_path / "list.pth", "any")
    assert capsys.readouterr().out == ""


def test_a_checkpoint_added_under_a_name_must_be_that_one(tmp_path, own_weights):
    torch.save({"weight": torch.zeros(2, 3)}, tmp_path / "mine.pth")
    with pytest.raises(UsageError, match="mine.pth is not the checkpoint dover: bias is missing"):
        weights.add(tmp_path / "mine.pth", "dover")
    assert not weights.available("dover")


@pytest.mark.parametrize("name", ["DOVER.pth", "mine.pth"])
def test_a_checkpoint_that_is_nearly_one_is_told_what_it_lacks(tmp_path, own_weights, name):
    torch.save({"weight": torch.zeros(2, 4)}, tmp_path / name)
    with pytest.raises(UsageError, match=rf"{name} is not the checkpoint dover: bias is missing; weight is \[2, 4\], expected \[2, 3\]$"):
        weights.add(tmp_path / name)


def test_a_checkpoint_of_other_keys_needs_a_name(tmp_path, own_weights):
    torch.save({"weight": torch.zeros(2, 3), "other": torch.zeros(1)}, tmp_path / "mine.pth")
    with pytest.raises(UsageError, match="--name"):
        weights.add(tmp_path / "mine.pth")


def test_a_checkpoint_is_recognised_by_its_keys(tmp_path, own_weights):
    torch.save(state(), tmp_path / "mine.pth")
    assert weights.add(tmp_path / "mine.pth").name == "dover"
    assert weights.path("dover").name == "DOVER.pth"
