"""Long sound through wav2vec2's convolutions, a part at a time."""

import pytest
import torch
from transformers import Wav2Vec2Config, Wav2Vec2Model

from udfs.speech_convolutions import ROWS_AT_ONCE, InParts
from udfs.speech_features import rows_of


def encoder(**changes) -> torch.nn.Module:
    torch.manual_seed(3)
    network = Wav2Vec2Model(Wav2Vec2Config(num_hidden_layers=1, intermediate_size=32, conv_dim=(16,) * 7, **changes)).feature_extractor.eval()
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, 0.1, 0.3)
    return network.double()


@pytest.mark.parametrize("samples", [400, 16_000, 161_000, 16_000 * 24 + 77])
@pytest.mark.parametrize("changes", [{}, {"feat_extract_norm": "layer", "conv_bias": True}])
def test_parts_give_what_the_whole_gives(samples, changes):
    network = encoder(**changes)
    sound = torch.randn(1, samples, generator=torch.Generator().manual_seed(samples), dtype=torch.float64) + 0.3
    with torch.inference_mode():
        expected, found = network(sound), InParts(network)(sound)
    assert found.shape == (1, 16, rows_of(samples))
    torch.testing.assert_close(found, expected, atol=1e-9, rtol=1e-9)


def test_no_layer_is_given_more_than_a_part():
    network, given = encoder(), []
    for layer in network.conv_layers:
        layer.conv.register_forward_pre_hook(lambda module, inputs: given.append(inputs[0].shape[-1]))
    with torch.inference_mode():
        InParts(network)(torch.randn(1, 16_000 * 50, dtype=torch.float64))
    assert max(given) <= 320 * ROWS_AT_ONCE + 400
