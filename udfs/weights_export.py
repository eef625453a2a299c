"""Networks written as ONNX files, from checkpoints that are there."""

import tempfile
from collections.abc import Callable
from pathlib import Path

from schemas.errors import UsageError
from udfs import weights
from udfs.weights_manifest import Weight


def export(name: str) -> Weight:
    """Export the weights `name` and add the file; returns its entry. Raises `UsageError` for what has no export, and as `weights.path` does."""
    weights.entry(name)
    if name not in EXPORTS:
        raise UsageError(f"the weights {name} have no export; those that have one: {', '.join(EXPORTS)}")
    target, write = EXPORTS[name]
    checkpoint = weights.path(name)
    with tempfile.TemporaryDirectory(dir=weights.folder()) as folder:
        file = Path(folder) / weights.entry(target).file
        write(checkpoint, file)
        return weights.add(file, target)


def _dover(checkpoint: Path, out: Path) -> None:
    import torch

    from udfs.checkpoint import network_from
    from udfs.nets.dover.network import Dover
    from udfs.nets.dover.onnx_export import export
    from udfs.nets.dover.onnx_session import INPUTS

    export(network_from(checkpoint, "dover", Dover), *(torch.zeros(shape) for shape in INPUTS.values()), out)


EXPORTS: dict[str, tuple[str, Callable[[Path, Path], None]]] = {"dover": ("dover-onnx", _dover)}
"""Entry to the entry of its export, and what writes it."""
