"""DOVER as an ONNX file, for `onnxruntime` (dover.md §7)."""

from pathlib import Path

import torch
from torch import Tensor

from udfs.nets.dover.network import Dover

OPSET = 18


def export(network: Dover, aesthetic: Tensor, technical: Tensor, out: Path) -> None:
    """Write `network` with inputs `aes_view` and `tech_view` of the shapes of these views and the outputs of `Dover.forward`.

    All shapes are fixed, so that what depends on them only is worked out once, when the file is opened.
    """
    with torch.no_grad():
        network(aesthetic, technical)  # settles the windows, which would else be kept as symbols of the graph
        program = torch.onnx.export(
            network,
            (aesthetic, technical),
            input_names=["aes_view", "tech_view"],
            output_names=["aesthetic", "technical"],
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    program.save(str(out))
