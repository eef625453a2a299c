"""ZeRO-2 by DeepSpeed: optimiser state and gradients are divided among the ranks, settings from `configs/zero2.json`.

Only here is DeepSpeed imported. Its own checkpoints are not used: they are pickles, and tied to the number of ranks.
"""

import json
import logging
import os
import warnings
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

import torch
from torch import Tensor, nn

from training.engine import Engine, Moved, optimizer_for
from training.processes import Processes
from training.shards import Segment
from training.stages import Settings

_SCALE = ("cur_scale", "cur_iter", "last_overflow_iter", "cur_hysteresis")


class DeepSpeedEngine(Engine):
    """The network under DeepSpeed. Needs a process group, of one process at least."""

    def __init__(self, network: nn.Module, parameters: Mapping[str, nn.Parameter], settings: Settings, processes: Processes) -> None:
        deepspeed = _deepspeed()
        optimizer = optimizer_for(list(parameters.values()), settings)
        self._engine, *_ = deepspeed.initialize(model=network, optimizer=optimizer, config=configuration(settings, processes), dist_init_required=False)
        zero = self._engine.optimizer
        if [id(parameter) for parameter in zero.round_robin_bit16_groups[0]] != [id(parameter) for parameter in parameters.values()]:
            raise RuntimeError("DeepSpeed keeps the parameters in another order than they were given")
        self._zero = zero
        master = zero.single_partition_of_fp32_groups[0]
        super().__init__(parameters, [master], self._segments(parameters, master.numel(), processes), zero.optimizer, settings.ema)

    def _segments(self, parameters: Mapping[str, nn.Parameter], length: int, processes: Processes) -> list[Segment]:
        """What of which parameter lies in this rank's part of the one long row."""
        start = processes.rank * length
        segments = []
        for (name, parameter), offset in zip(parameters.items(), self._zero.round_robin_bit16_offsets[0]):
            first, end = max(offset, start), min(offset + parameter.numel(), start + length)
            if first < end:
                segments.append(Segment(name, first - offset, end - first, 0, first - start))
        return segments

    def __call__(self, *inputs: Any, **options: Any) -> Tensor:
        """As `Engine.__call__`."""
        return self._engine(*inputs, **options)

    def backward(self, loss: Tensor) -> None:
        """As `Engine.backward`; DeepSpeed divides by the parts of a step, and adds up the ranks' gradients."""
        self._engine.backward(loss)
        if not self._engine.is_gradient_accumulation_boundary():
            self._engine.step()

    def _move(self) -> Moved:
        """As `Engine._move`. DeepSpeed moves nothing for a gradient that is no number, and says infinity; only half precision's scale makes that good."""
        self._engine.step()
        norm = self._engine.get_global_grad_norm()
        return Moved(norm, bool(self.loss_scale()) and self._zero.overflow)

    def loss_scale(self) -> dict[str, float]:
        """As `Engine.loss_scale`, of DeepSpeed's dynamic scaler."""
        scaler = getattr(self._zero, "loss_scaler", None)
        return {name: getattr(scaler, name) for name in _SCALE} if getattr(scaler, "dynamic", False) else {}

    def set_loss_scale(self, state: Mapping[str, float]) -> None:
        """As `Engine.set_loss_scale`; what another kind of scaler gave is passed over."""
        if self.loss_scale() and set(_SCALE) <= set(state):
            for name in _SCALE:
                setattr(self._zero.loss_scaler, name, state[name])


def configuration(settings: Settings, processes: Processes) -> dict[str, Any]:
    """DeepSpeed's settings: `zero2.json`, and what the stage says."""
    stored = json.loads(files("training.configs").joinpath("zero2.json").read_text())
    stored["train_micro_batch_size_per_gpu"] = settings.batch_per_rank // settings.accumulation
    stored["gradient_accumulation_steps"] = settings.accumulation
    stored["gradient_clipping"] = settings.clip_norm
    if settings.precision != "fp32":
        stored[settings.precision]["enabled"] = True
    if processes.device.type == "cpu":
        stored["zero_optimization"]["overlap_comm"] = False
    return stored


def _deepspeed() -> Any:
    """The library, quiet, and without the extension that it would compile for a minute on machines without a GPU."""
    if not torch.cuda.is_available():
        os.environ.setdefault("DS_ACCELERATOR", "cpu")
    import deepspeed
    import deepspeed.ops

    if not torch.cuda.is_available():
        deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False
    logging.getLogger("DeepSpeed").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", category=FutureWarning, module="torch.distributed")  # DeepSpeed's own calls; nobody here can mend them
    if not deepspeed.comm.is_initialized():
        deepspeed.init_distributed(dist_init_required=False)
    return deepspeed
