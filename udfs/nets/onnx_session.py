"""ONNX networks: one way to open them, so that the same input gives the same numbers."""

from pathlib import Path
from typing import TYPE_CHECKING

from udfs.scorer import Device

if TYPE_CHECKING:
    from onnxruntime import InferenceSession


def onnx_device(device: Device) -> Device:
    """`device` in float32 where this onnxruntime can use it, else the CPU beside it."""
    import onnxruntime

    usable = device.kind == "cpu" or "CUDAExecutionProvider" in onnxruntime.get_available_providers()
    return device.in_float32() if usable else device.as_cpu()


def open_session(model: Path | bytes, device: Device) -> "InferenceSession":
    """A session for a model file, or for its bytes, with `device.threads` threads, on CUDA where the device says so and onnxruntime can.

    The provider is always named: left to itself, onnxruntime has picked another one (weights.md).
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = device.threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    providers: list[object] = ["CPUExecutionProvider"]
    if device.kind == "cuda" and "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        providers.insert(0, ("CUDAExecutionProvider", {"device_id": device.index}))
    return onnxruntime.InferenceSession(model if isinstance(model, bytes) else str(model), options, providers=providers)
