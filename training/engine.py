"""What takes gradients and moves weights: torch alone here, DeepSpeed's ZeRO-2 in `deepspeed_engine.py`."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from schemas.errors import MissingError, UsageError
from training.processes import Processes
from training.shards import Segment, Stored, packed
from training.stages import Settings

MOMENTS = ("exp_avg", "exp_avg_sq")


class Moved(NamedTuple):
    """What a step did: the norm of the gradient before it was clipped, and whether the step was left out because a half-precision gradient overflowed."""

    gradient_norm: Tensor | float
    skipped: bool


class Engine(ABC):
    """Float32 master weights of the trained parameters, as far as this rank keeps them, and the optimiser that moves them.

    `masters` are tensors of any shape; `segments` say which numbers of which parameter they hold.
    """

    def __init__(
        self, parameters: Mapping[str, nn.Parameter], masters: list[Tensor], segments: list[Segment], optimizer: torch.optim.Optimizer, ema: float
    ) -> None:
        self.parameters, self.masters, self.segments, self.optimizer, self._ema = parameters, masters, segments, optimizer, ema
        self.average = [master.detach().clone() for master in masters] if ema else None

    @abstractmethod
    def __call__(self, *inputs: Any, **options: Any) -> Tensor:
        """The network's answer."""

    @abstractmethod
    def backward(self, loss: Tensor) -> None:
        """Gather the gradients of one part of a step; the loss is that part's mean."""

    @abstractmethod
    def _move(self) -> Moved:
        """Clip, move the masters, and bring the network's weights up to date."""

    @abstractmethod
    def loss_scale(self) -> dict[str, float]:
        """The state of the loss scale by name; empty where there is none."""

    @abstractmethod
    def set_loss_scale(self, state: Mapping[str, float]) -> None:
        """As `loss_scale` gave it."""

    def step(self) -> Moved:
        """End a step."""
        moved = self._move()
        if self.average is not None and not moved.skipped:
            torch._foreach_lerp_(self.average, [master.detach() for master in self.masters], 1.0 - self._ema)
        return moved

    def begin(self, weights: Mapping[str, Tensor]) -> None:
        """Start from these weights, by name, which may be more exact than the network's own."""
        with torch.no_grad():
            for segment in self.segments:
                given = weights[segment.name].detach().reshape(-1)[segment.first : segment.first + segment.length]
                self.masters[segment.tensor].view(-1)[segment.at : segment.at + segment.length].copy_(given)
            if self.average is not None:
                torch._foreach_copy_(self.average, self.masters)

    def shard(self) -> dict[str, Any]:
        """All that this rank has to keep, as `training.shards` describes it."""
        rows = {"master": packed(self.segments, self.masters)}
        states = [self.optimizer.state.get(master, {}) for master in self.masters]
        steps = 0.0
        if all(name in state for state in states for name in MOMENTS):
            rows |= {name: packed(self.segments, [state[name] for state in states]) for name in MOMENTS}
            steps = float(states[0]["step"])
        if self.average is not None:
            rows["average"] = packed(self.segments, self.average)
        shard = {"segments": [(segment.name, segment.first, segment.length) for segment in self.segments], "rows": rows}
        shard |= {"optimizer_steps": steps, "loss_scale": self.loss_scale(), "rng": torch.get_rng_state()}
        if any(states) and "exp_avg" not in rows:
            shard["optimizer"] = self.optimizer.state_dict()
        return shard

    def restore(self, stored: Stored, rank: int) -> None:
        """Take over what `shard` gave on all ranks. Raises `UsageError` where an 8-bit optimiser met other ranks."""
        stored.unpack("master", self.segments, self.masters)
        first = stored.shards[0]
        if stored.has(MOMENTS[0]):
            for master in self.masters:
                moments = {name: torch.zeros_like(master, memory_format=torch.preserve_format).detach() for name in MOMENTS}
                self.optimizer.state[master] = {"step": torch.tensor(first["optimizer_steps"]), **moments}
            for name in MOMENTS:
                stored.unpack(name, self.segments, [self.optimizer.state[master][name] for master in self.masters])
        elif any("optimizer" in shard for shard in stored.shards):
            own = [(segment.name, segment.first, segment.length) for segment in self.segments]
            if rank >= len(stored.shards) or stored.shards[rank]["segments"] != own:
                raise UsageError("an 8-bit optimiser can go on only with the number of ranks it was stopped with")
            self.optimizer.load_state_dict(stored.shards[rank]["optimizer"])
        if self.average is not None:
            stored.unpack("average" if stored.has("average") else "master", self.segments, self.average)
        self.set_loss_scale(first["loss_scale"])
        torch.set_rng_state(stored.shards[min(rank, len(stored.shards) - 1)]["rng"])
        with torch.no_grad():
            for name, parameter in self.parameters.items():
                parameter.copy_(stored.numbers("master", name, 0, parameter.numel()).view(parameter.shape))


def engine_for(network: nn.Module, parameters: Mapping[str, nn.Parameter], settings: Settings, processes: Processes) -> Engine:
    """The engine that `settings.engine` asks for. Raises `MissingError` where it, or an 8-bit optimiser, is not installed."""
    if settings.precision == "fp16" and processes.device.type == "cpu":
        raise UsageError("precision=fp16 needs a GPU; take bf16 or fp32 here")
    if uses_deepspeed(settings):
        from training.deepspeed_engine import DeepSpeedEngine

        return DeepSpeedEngine(network, parameters, settings, processes)
    return PlainEngine(network, parameters, settings, processes)


def uses_deepspeed(settings: Settings) -> bool:
    """True when DeepSpeed is asked for, or left open and installed. Raises `MissingError` where it is asked for and not there."""
    installed = find_spec("deepspeed") is not None
    if settings.engine == "deepspeed" and not installed:
        raise MissingError("engine=deepspeed: DeepSpeed is not installed; take engine=plain, or pip install deepspeed")
    return settings.engine == "deepspeed" or (settings.engine == "auto" and installed)


def optimizer_for(tensors: list[Tensor], settings: Settings) -> torch.optim.Optimizer:
    """AdamW over `tensors`. Raises `MissingError` where an 8-bit one is asked for and bitsandbytes is not installed."""
    options = {"lr": settings.learning_rate, "betas": (settings.beta1, settings.beta2), "eps": settings.epsilon, "weight_decay": settings.weight_decay}
    if settings.optimizer == "adamw":
        return torch.optim.AdamW(tensors, **options)
    if find_spec("bitsandbytes") is None:
        raise MissingError("optimizer=adamw8bit: bitsandbytes is not installed; take optimizer=adamw")
    from bitsandbytes.optim import AdamW8bit

    return AdamW8bit(tensors, **options)


class PlainEngine(Engine):
    """torch alone. Every rank keeps everything; with several ranks gradients are averaged before each step.

    With half-precision weights a gradient is moved to its float32 master as soon as it is there, so that parts of a step add up in float32.
    """

    def __init__(self, network: nn.Module, parameters: Mapping[str, nn.Parameter], settings: Settings, processes: Processes) -> None:
        self._network, self._settings, self._processes = network, settings, processes
        own = list(parameters.values())
        self._half = own[0].dtype != torch.float32
        masters = [parameter.detach().float().requires_grad_() for parameter in own] if self._half else own
        segments = [Segment(name, 0, parameter.numel(), index, 0) for index, (name, parameter) in enumerate(parameters.items())]
        super().__init__(parameters, masters, segments, optimizer_for(masters, settings), settings.ema)
        self._scale = LossScale() if settings.precision == "fp16" else None
        if self._half:
            for parameter, master in zip(own, masters):
                parameter.register_post_accumulate_grad_hook(lambda parameter, master=master: _hand_over(parameter, master))

    def __call__(self, *inputs: Any, **options: Any) -> Tensor:
        """As `Engine.__call__`."""
        return self._network(*inputs, **options)

    def backward(self, loss: Tensor) -> None:
        """As `Engine.backward`: scaled, and divided by the parts of a step."""
        (loss * ((self._scale.now if self._scale else 1.0) / self._settings.accumulation)).backward()

    def _move(self) -> Moved:
        gradients = [master.grad for master in self.masters if master.grad is not None]
        if self._processes.world > 1:
            for gradient in gradients:
                torch.distributed.all_reduce(gradient)
        torch._foreach_mul_(gradients, 1.0 / (self._processes.world * (self._scale.now if self._scale else 1.0)))
        norm = torch.nn.utils.clip_grad_norm_(self.masters, self._settings.clip_norm)
        skipped = self._scale is not None and not self._scale.saw(finite=bool(norm.isfinite()))
        if not skipped:
            self.optimizer.step()
            if self._half:
                torch._foreach_copy_([parameter.detach() for parameter in self.parameters.values()], [master.detach() for master in self.masters])
        self.optimizer.zero_grad(set_to_none=True)
        return Moved(norm.detach(), skipped)

    def loss_scale(self) -> dict[str, float]:
        """As `Engine.loss_scale`, of `LossScale`."""
        return {} if self._scale is None else {"now": self._scale.now, "good_steps": self._scale.good_steps, "patience": self._scale.patience}

    def set_loss_scale(self, state: Mapping[str, float]) -> None:
        """As `Engine.set_loss_scale`; what another kind of scaler gave is passed over."""
        if self._scale is not None and "now" in state:
            self._scale.now, self._scale.good_steps, self._scale.patience = state["now"], int(state["good_steps"]), int(state["patience"])


class LossScale:
    """A factor that keeps half-precision gradients from vanishing: halved when they overflow (the first time is forgiven), doubled after 1000 good steps."""

    def __init__(self, now: float = 2.0**16) -> None:
        self.now, self.good_steps, self.patience = now, 0, 2

    def saw(self, *, finite: bool) -> bool:
        """Note how a step went; True when it may be taken."""
        if finite:
            self.good_steps += 1
            if self.good_steps % 1000 == 0:
                self.now, self.patience = self.now * 2.0, 2
        else:
            self.good_steps = 0
            self.patience -= 1
            if self.patience <= 0:
                self.now = max(1.0, self.now / 2.0)
        return finite


def _hand_over(parameter: nn.Parameter, master: Tensor) -> None:
    gradient = parameter.grad
    assert gradient is not None
    if master.grad is None:
        master.grad = gradient.float()
    else:
        master.grad += gradient
    parameter.grad = None
