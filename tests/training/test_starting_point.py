"""Where a stage's weights come from, with made-up relatives in the place of the published ones."""

import pytest
import torch

from schemas.errors import UsageError, VerificationError
from training import exported, stages
from training.model import official
from training.model.config import SMOKE
from training.model.vexpress import VExpress
from training.starting_point import missing, started
from udfs import weights

ADDED = (".attn1_5.", ".norm1_5.", ".motion_modules.")


@pytest.fixture(autouse=True)
def small(monkeypatch, tmp_path):
    """The full model is as small as the smoke test's, and weights lie in a folder of their own."""
    for module in (stages, exported):
        monkeypatch.setattr(module, "MODELS", {"full": SMOKE, "smoke": SMOKE})
    monkeypatch.setenv("TALKVID_WEIGHTS", str(tmp_path / "weights"))


def drawn(seed: int) -> VExpress:
    """A model none of whose weights is zero, but those that are constants."""
    torch.manual_seed(seed)
    model = VExpress(SMOKE)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.05)
    return model


def plain(network: torch.nn.Module, without=ADDED) -> dict[str, torch.Tensor]:
    return {key: tensor for key, tensor in network.state_dict().items() if not any(part in key for part in without)}


@pytest.fixture(scope="module")
def relatives():
    """The tensors of each relative, by its name."""
    base, reference, denoising, guider, motion = (drawn(seed) for seed in range(5))
    return {
        "sd-image-variations-unet": plain(base.reference_net) | {"conv_norm_out.weight": torch.ones(32)} | plain(base.denoising_unet),
        "moore-reference-unet": plain(reference.reference_net, (*ADDED, "conv_out.")),
        "moore-denoising-unet": plain(denoising.denoising_unet),
        "moore-pose-guider": guider.v_kps_guider.state_dict(),
        "animatediff-motion": {f"module.{key}": tensor for key, tensor in motion.denoising_unet.state_dict().items() if ".motion_modules." in key},
    }


def put(tmp_path, relatives) -> None:
    for name, state in relatives.items():
        file = tmp_path / name
        file.write_bytes(state) if isinstance(state, bytes) else torch.save(state, file)
        weights.add(file, name)


def stage(number: int, **changes: str) -> stages.Settings:
    return stages.read(number, None, {"image_px": "64", **changes})


def test_a_first_stage_starts_from_its_relatives_and_its_new_parts_are_silent(tmp_path, relatives):
    put(tmp_path, relatives)
    assert missing(stage(1), str(tmp_path)) is None
    start = started(stage(1), str(tmp_path))
    assert not start.random
    model, at_random = start.model, started(stage(1, start="random"), str(tmp_path)).model.denoising_unet.state_dict()
    for key, tensor in model.reference_net.state_dict().items():
        source = "sd-image-variations-unet" if key.startswith("conv_out.") else "moore-reference-unet"
        assert torch.equal(tensor, relatives[source][key]), key
    for key, tensor in model.denoising_unet.state_dict().items():
        if "temporal_transformer.proj_out" in key or "attn2.to_out" in key:
            assert not tensor.any(), key
        elif ".motion_modules." in key:
            assert torch.equal(tensor, at_random[key]), key
        else:
            like = key.replace(".attn1_5.", ".attn1.").replace(".norm1_5.", ".norm1.")
            assert torch.equal(tensor, relatives["moore-denoising-unet"][like]), key
    assert all(torch.equal(tensor, relatives["moore-pose-guider"][key]) for key, tensor in model.v_kps_guider.state_dict().items())


def test_stage_2_takes_the_published_motion_once_and_keeps_the_pictures_of_stage_1(tmp_path, relatives):
    put(tmp_path, {"animatediff-motion": {"epoch": torch.zeros(1), "state_dict": relatives["animatediff-motion"]}})
    before = export(tmp_path / "stage_1", 1).denoising_unet.state_dict()
    start = started(stage(2), str(tmp_path))
    assert not start.random
    for key, tensor in start.model.denoising_unet.state_dict().items():
        if "temporal_transformer.proj_out" in key or "attn2.to_out" in key:
            assert not tensor.any(), key
        elif ".motion_modules." in key:
            assert torch.equal(tensor, relatives["animatediff-motion"][f"module.{key}"]), key
        else:
            assert torch.equal(tensor, before[key]), key
    after = export(tmp_path / "stage_2", 2).state_dict()
    for later in (stage(2, start="stage_2"), stage(3)):
        assert all(torch.equal(tensor, after[key]) for key, tensor in started(later, str(tmp_path)).model.state_dict().items())


def export(folder, number: int) -> VExpress:
    """A made-up model in the place of a stage's."""
    model = drawn(10 + number)
    official.save(model, folder / "model", dtype=None)
    exported.describe(folder / "model", model="full", stage=number, step=1, random=False)
    return model


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("sd-image-variations-unet", "prefixed"),
        ("moore-reference-unet", "one short"),
        ("moore-denoising-unet", "reshaped"),
        ("moore-pose-guider", "prefixed"),
    ],
)
def test_a_file_that_is_not_the_relative_is_refused_in_a_sentence(name, wrong, tmp_path, relatives):
    put(tmp_path, relatives | {name: spoilt(relatives[name], wrong)})
    refused(tmp_path, name, stage(1))


@pytest.mark.parametrize("wrong", ["a page", "cut", "nested"])
def test_a_file_that_holds_no_named_tensors_is_refused_in_a_sentence(wrong, tmp_path, relatives):
    name = "moore-reference-unet"
    file = tmp_path / name
    torch.save(relatives[name], file, _use_new_zipfile_serialization=False)
    broken = {
        "a page": b"<html>",
        "cut": file.read_bytes()[: file.stat().st_size // 3],
        "nested": {"unet": relatives[name]},
    }[wrong]
    put(tmp_path, relatives | {name: broken})
    refused(tmp_path, name, stage(1), VerificationError)


@pytest.mark.parametrize("wrong", ["prefixed", "one short", "reshaped", "empty"])
def test_motion_that_is_not_the_published_one_is_refused_in_a_sentence(wrong, tmp_path, relatives):
    name = "animatediff-motion"
    export(tmp_path / "stage_1", 1)
    put(tmp_path, {name: spoilt(relatives[name], wrong)})
    refused(tmp_path, name, stage(2))


def refused(tmp_path, name: str, settings: stages.Settings, kind: type[Exception] = UsageError) -> None:
    with pytest.raises(kind) as error:
        started(settings, str(tmp_path))
    assert name in str(error.value) and "\n" not in str(error.value)


def spoilt(state: dict[str, torch.Tensor], wrong: str) -> object:
    first = next(key for key in state if key.endswith("conv_in.weight") or ".norm.weight" in key)
    return {
        "prefixed": {f"unet.{key}": tensor for key, tensor in state.items()},
        "one short": {key: tensor for key, tensor in state.items() if key != first},
        "reshaped": state | {first: torch.ones(3)},
        "empty": {},
    }[wrong]
