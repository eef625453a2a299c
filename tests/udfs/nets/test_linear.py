"""Linear layers, and their weights in oneDNN's layout."""

import pytest
import torch
from torch.nn import functional as F

from udfs.nets.linear import Linear, packed, use_dtype


@pytest.mark.parametrize("activation", ["none", "gelu", "gelu_tanh"])
@pytest.mark.parametrize("bias", [True, False])
def test_packed_weights_give_the_same_numbers(activation, bias):
    torch.manual_seed(0)
    layer = Linear(241, 96, bias=bias, activation=activation)
    x = torch.randn(3, 50, 241)
    with torch.inference_mode():
        expected = layer(x)
        assert torch.equal(packed(layer)(x), expected)
    plain = F.linear(x, layer.weight, layer.bias)
    plain = plain if activation == "none" else F.gelu(plain, approximate="tanh" if activation == "gelu_tanh" else "none")
    torch.testing.assert_close(expected, plain)


def test_layers_in_half_precision_are_left_as_they_are():
    layer = packed(use_dtype(torch.nn.Sequential(Linear(8, 8)), torch.bfloat16))[0]
    with torch.inference_mode():
        assert layer(torch.randn(2, 8)).dtype == torch.bfloat16


def test_packing_changes_no_key_and_no_gradient():
    layer = packed(Linear(8, 4))
    assert set(layer.state_dict()) == {"weight", "bias"}
    layer(torch.randn(2, 8)).sum().backward()
    assert layer.weight.grad is not None
