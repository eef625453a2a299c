"""Checkpoints in the official form."""

from pathlib import Path

import pytest
import torch

from schemas.errors import MissingError, UsageError, VerificationError
from tests.training.model.golden_model import SMALL
from training.model import official
from training.model.expected import shapes
from training.model.vexpress import VExpress

NETWORKS = ("reference_net", "denoising_unet", "v_kps_guider", "audio_projection")


@pytest.fixture(scope="module")
def full_size() -> VExpress:
    with torch.device("meta"):
        return VExpress()


@pytest.mark.parametrize("network", NETWORKS)
def test_full_size_networks_have_exactly_the_official_keys_and_shapes(network: str, full_size: VExpress) -> None:
    found = {key: tuple(tensor.shape) for key, tensor in full_size.get_submodule(network).state_dict().items()}
    assert found == dict(shapes(network))


def test_a_motion_file_is_the_motion_part_of_the_denoising_unet() -> None:
    assert len(shapes("motion_module")) == 588
    assert set(shapes("motion_module")) < set(shapes("denoising_unet"))


def test_what_is_saved_is_loaded(model32: VExpress, tmp_path: Path) -> None:
    written = official.save(model32, tmp_path, dtype=None)
    assert [file.name for file in written] == [f"{name}.bin" for name in official.FILES]
    copy = official.opened(tmp_path, config=SMALL, dtype=torch.float32)
    found = copy.state_dict()
    assert [key for key, tensor in model32.state_dict().items() if not torch.equal(found[key], tensor)] == []


def test_saved_halves_come_back_rounded_in_the_wanted_dtype(model32: VExpress, tmp_path: Path) -> None:
    official.save(model32, tmp_path)
    copy = official.opened(tmp_path, config=SMALL, dtype=torch.bfloat16)
    key = "denoising_unet.up_blocks.3.motion_modules.2.temporal_transformer.transformer_blocks.0.attention_blocks.1.pos_encoder.pe"
    assert torch.equal(copy.state_dict()[key], model32.state_dict()[key].half().bfloat16())


def test_the_motion_file_wins_and_the_other_may_lack_its_keys(model32: VExpress, tmp_path: Path) -> None:
    official.save(model32, tmp_path, dtype=None)
    place = tmp_path / "denoising_unet.bin"
    state = official.read(place)
    torch.save({key: tensor for key, tensor in state.items() if "motion_module" not in key}, place)
    motion = {key: tensor + 1 for key, tensor in official.read(tmp_path / "motion_module.bin").items()}
    torch.save(motion, tmp_path / "motion_module.bin")
    copy = official.opened(tmp_path, config=SMALL, dtype=torch.float32)
    key = "mid_block.motion_modules.0.temporal_transformer.proj_in.weight"
    assert torch.equal(copy.denoising_unet.state_dict()[key], model32.denoising_unet.state_dict()[key] + 1)


def test_a_reference_file_of_another_family_may_have_its_last_norm(model32: VExpress, tmp_path: Path) -> None:
    official.save(model32, tmp_path)
    place = tmp_path / "reference_net.bin"
    torch.save({**official.read(place), "conv_norm_out.weight": torch.ones(32), "conv_norm_out.bias": torch.ones(32)}, place)
    official.load(VExpress(SMALL), tmp_path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda state: state.pop("conv_in.weight"), "conv_in.weight is missing"),
        (lambda state: state.update(other=torch.ones(1)), "other is unknown"),
        (lambda state: state.update({"conv_in.bias": torch.ones(3)}), r"conv_in.bias is \[3\], not \[8\]"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_in_one_sentence(change: object, said: str, model32: VExpress, tmp_path: Path) -> None:
    official.save(model32, tmp_path)
    place = tmp_path / "v_kps_guider.bin"
    state = official.read(place)
    change(state)
    torch.save(state, place)
    with pytest.raises(UsageError, match=said):
        official.load(VExpress(SMALL), tmp_path)


def test_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match=r"reference_net\.bin.*audio_projection\.bin"):
        official.load(VExpress(SMALL), tmp_path)


def test_the_last_step_is_taken_unless_another_is_asked_for(tmp_path: Path) -> None:
    for name in ("v_kps_guider-900.pth", "v_kps_guider-10001.pth", "v_kps_guider-old.pth"):
        (tmp_path / name).touch()
    assert official.find(tmp_path, "v_kps_guider").name == "v_kps_guider-10001.pth"
    assert official.find(tmp_path, "v_kps_guider", 900).name == "v_kps_guider-900.pth"
    assert official.find(tmp_path, "v_kps_guider", 901) is None
    assert official.find(tmp_path, "reference_net") is None


def test_a_pickle_with_more_than_tensors_is_not_opened(tmp_path: Path) -> None:
    place = tmp_path / "v_kps_guider.bin"
    torch.save({"conv_in.weight": Path("x")}, place)
    with pytest.raises(VerificationError, match="without running code.*Weights only load failed"):
        official.read(place)


@pytest.mark.parametrize("name", ["x.bin", "x.safetensors"])
def test_a_file_that_is_cut_anywhere_is_named_in_one_sentence(name: str, tmp_path: Path) -> None:
    from safetensors.torch import save_file

    place, state = tmp_path / name, {"conv_in.weight": torch.ones(64), "conv_in.bias": torch.ones(3)}
    (save_file if place.suffix == ".safetensors" else torch.save)(state, place)
    whole = place.read_bytes()
    for length in range(0, len(whole) - 1, max(1, len(whole) // 60)):
        place.write_bytes(whole[:length])
        with pytest.raises(VerificationError, match=name) as told:
            official.read(place)
        assert "\n" not in str(told.value)


@pytest.mark.parametrize("other", [{"a": 1}, ["ab", "cd"], [torch.ones(2)], {1: torch.ones(2)}, torch.ones(2), {"state_dict": {"a": torch.ones(2)}}])
def test_what_is_no_dict_of_named_tensors_is_no_checkpoint(other: object, tmp_path: Path) -> None:
    torch.save(other, tmp_path / "x.bin")
    with pytest.raises(VerificationError, match="something else than named tensors"):
        official.read(tmp_path / "x.bin")
