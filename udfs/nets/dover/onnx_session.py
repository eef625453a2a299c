"""An ONNX export of DOVER, ready to judge views (dover.md §7)."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from schemas.errors import VerificationError
from udfs.nets.dover.sampling import AESTHETIC, TECHNICAL, VIEW_PX
from udfs.nets.dover.views import normalised
from udfs.scorer import Device

INPUTS = {
    "aes_view": [1, 3, AESTHETIC.segments, VIEW_PX, VIEW_PX],
    "tech_view": [TECHNICAL.segments, 3, TECHNICAL.length, VIEW_PX, VIEW_PX],
}
"""Shapes of one video's views."""


class OnnxJudge:
    """Runs the export at `path`, one video at a time. Its first output is aesthetic, its second technical."""

    def __init__(self, path: Path, device: Device) -> None:
        import onnxruntime
        from onnxruntime.capi.onnxruntime_pybind11_state import Fail, InvalidArgument, InvalidGraph, InvalidProtobuf
        from onnxruntime.capi.onnxruntime_pybind11_state import NotImplemented as NoKernel

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = device.threads
        options.inter_op_num_threads = 1
        options.enable_cpu_mem_arena = False  # an arena would keep the large passing tensors
        provider = "CPUExecutionProvider" if device.kind == "cpu" else ("CUDAExecutionProvider", {"device_id": device.index})
        try:
            self._session = onnxruntime.InferenceSession(str(path), options, providers=[provider])
        except (Fail, InvalidArgument, InvalidGraph, InvalidProtobuf, NoKernel) as error:
            raise VerificationError(f"{path} is no ONNX file that can be run: {error}") from error
        found = {given.name: given.shape for given in self._session.get_inputs()}
        if found != INPUTS or len(self._session.get_outputs()) != 2:
            raise VerificationError(f"{path} is no export of DOVER for one video: it takes {found}, not {INPUTS}; `talkvid weights export dover` makes one")
        types = {given.type for given in (*self._session.get_inputs(), *self._session.get_outputs())}
        if types != {"tensor(float)"}:
            other = ", ".join(sorted(types - {"tensor(float)"}))
            raise VerificationError(f"{path} is no export of DOVER in float32: it takes or gives {other}; `talkvid weights export dover` makes one")

    def __call__(self, aesthetic: NDArray[np.uint8], technical: NDArray[np.uint8]) -> tuple[list[float], list[float]]:
        """(V, 32, 224, 224, 3) and (3 V, 32, 224, 224, 3) views of 8 bit -> raw aesthetic and technical scores of V clips."""
        segments = technical.reshape(len(aesthetic), TECHNICAL.segments, *technical.shape[1:])
        raw = [
            self._session.run(None, {"aes_view": normalised(whole)[None], "tech_view": np.stack([normalised(segment) for segment in parts])})
            for whole, parts in zip(aesthetic, segments)
        ]
        return [float(np.mean(a)) for a, _ in raw], [float(np.mean(t)) for _, t in raw]
