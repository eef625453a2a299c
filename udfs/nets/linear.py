"""Linear layers of the networks here, and where they run fastest."""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Activation = Literal["none", "gelu", "gelu_tanh"]


class Linear(nn.Linear):
    """`nn.Linear` followed by an optional GELU (`gelu` exact, `gelu_tanh` the tanh form), for inference.

    (..., inputs) in any floating dtype -> (..., outputs) in the dtype of the weights. On a CPU in float32 the product and the activation are one
    oneDNN call: 1.1 to 2 times the speed of the default product, depending on the processor (dover.md §9 b).
    """

    def __init__(self, inputs: int, outputs: int, *, bias: bool = True, activation: Activation = "none") -> None:
        super().__init__(inputs, outputs, bias=bias)
        self.activation = activation

    def forward(self, x: Tensor) -> Tensor:
        """(..., inputs) in any floating dtype -> (..., outputs) in the dtype of the weights."""
        x = x.to(self.weight.dtype)
        if _runs_on_onednn(x):
            name, _, form = self.activation.partition("_")
            return torch.ops.mkldnn._linear_pointwise(x, self.weight, self.bias, name, [], (form or "none") if name == "gelu" else "")
        x = F.linear(x, self.weight, self.bias)
        if self.activation == "none":
            return x
        return F.gelu(x, approximate="tanh" if self.activation == "gelu_tanh" else "none")


def _runs_on_onednn(x: Tensor) -> bool:
    eager = not torch.is_grad_enabled() and not torch.compiler.is_compiling()
    return eager and x.device.type == "cpu" and x.dtype == torch.float32 and torch.backends.mkldnn.is_available()


def use_dtype(network: nn.Module, dtype: torch.dtype) -> nn.Module:
    """Hold the weights of products and convolutions in `dtype`; norms, position tables and residual sums stay float32. Returns `network`."""
    for module in network.modules():
        if isinstance(module, nn.Linear | nn.Conv2d | nn.Conv3d):
            module.to(dtype)
    return network
