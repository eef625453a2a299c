"""Pictures to latents and back."""

import json

import pytest
import torch

from schemas.errors import MissingError, VerificationError
from training.model.image_coder import SCALE, ImageCoder, mean_latents, sampled_latents


@pytest.fixture(scope="module")
def coder():
    return ImageCoder.load(smoke=True)


@pytest.fixture
def pictures():
    return torch.rand(3, 3, 64, 128, generator=torch.Generator().manual_seed(1)) * 2 - 1


def test_latents_are_an_eighth_of_the_picture_and_come_back_as_a_picture(coder, pictures):
    moments = coder.moments(pictures)
    assert moments.shape == (3, 8, 8, 16)
    back = coder.decode(mean_latents(moments))
    assert back.shape == pictures.shape
    assert 0 <= back.min() < back.max() <= 1


def test_random_weights_are_the_same_every_time_and_say_that_they_are_random(coder, pictures):
    torch.manual_seed(77)
    again = ImageCoder.load(smoke=True)
    assert torch.equal(again.moments(pictures), coder.moments(pictures))
    assert again.fingerprint == coder.fingerprint
    assert coder.fingerprint.startswith("random:")


def test_latents_are_mean_or_draw_of_the_posterior_times_the_scale():
    moments = torch.cat([torch.full((1, 4, 2, 2), 3.0), torch.full((1, 4, 2, 2), 2.0)], dim=1)
    noise = torch.randn(1, 4, 2, 2)
    torch.testing.assert_close(mean_latents(moments), torch.full((1, 4, 2, 2), 3.0 * SCALE))
    torch.testing.assert_close(sampled_latents(moments, noise), (3.0 + torch.e * noise) * SCALE)


def test_a_picture_is_coded_alike_alone_and_among_others(coder):
    many = torch.rand(9, 3, 64, 64) * 2 - 1
    torch.testing.assert_close(coder.moments(many)[8:], coder.moments(many[8:]), rtol=0, atol=1e-5)


def test_a_folder_in_the_published_layout_is_taken_also_with_the_old_names_of_attention(coder, pictures, tmp_path):
    network = coder._network
    old = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
    state = {}
    for key, tensor in network.state_dict().items():
        for new, name in old.items():
            key = key.replace(f".{new}.", f".{name}.") if ".attentions." in key else key
        state[key] = tensor
    torch.save(state, tmp_path / "diffusion_pytorch_model.bin")
    (tmp_path / "config.json").write_text(json.dumps({**network.config, "_class_name": "AutoencoderKL"}, default=str))
    loaded = ImageCoder.load(path=tmp_path)
    assert torch.equal(loaded.moments(pictures), coder.moments(pictures))
    assert not loaded.fingerprint.startswith("random:")


@pytest.mark.parametrize("damaged", ["{", "[1]", '{"block_out_channels": "wide"}'])
def test_a_damaged_description_is_one_sentence(coder, tmp_path, damaged: str):
    torch.save(coder._network.state_dict(), tmp_path / "diffusion_pytorch_model.bin")
    (tmp_path / "config.json").write_text(damaged)
    with pytest.raises(VerificationError, match="config.json does not describe a network") as refused:
        ImageCoder.load(path=tmp_path)
    assert "\n" not in str(refused.value)


def test_a_file_that_is_another_network_is_refused(tmp_path):
    torch.save({"conv.weight": torch.zeros(1)}, tmp_path / "diffusion_pytorch_model.bin")
    with pytest.raises(VerificationError, match="is missing"):
        ImageCoder.load(path=tmp_path)
    with pytest.raises(MissingError, match="holds no VAE"):
        ImageCoder.load(path=tmp_path / "elsewhere")
