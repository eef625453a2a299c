"""The geometry that both UNets share: levels of layers, and the path through them (vexpress.md §2)."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from training.model.config import UNetConfig
from training.model.motion import MotionModule
from training.model.resnet import Downsample, ResnetBlock, Upsample
from training.model.spatial_transformer import SpatialTransformer
from training.model.time_embedding import TimeEmbedding


class Layer(NamedTuple):
    """What runs between two skips. `name` is that of its spatial attention, such as `up_blocks.1.attentions.2`."""

    name: str
    resnet: ResnetBlock
    attention: SpatialTransformer | None
    motion: MotionModule | None


class Level(nn.Module):
    """Layers at one size of the image, and the step to the next size, if there is one.

    `inputs` are the widths that go into the residual blocks; in the middle of the UNet, and only there, the last of them has neither attention nor motion.
    """

    def __init__(self, name: str, config: UNetConfig, inputs: list[int], width: int, block: Callable[[int], nn.Module] | None, motion: bool) -> None:
        super().__init__()
        self.name = name
        accompanied = 1 if name == "mid_block" else len(inputs)
        self.resnets = nn.ModuleList([ResnetBlock(given, width, config.time_width, config.groups) for given in inputs])
        self.attentions = nn.ModuleList([SpatialTransformer(width, config.groups, block) for _ in range(accompanied)] if block else [])
        motions = [MotionModule(width, config.groups, config.motion_heads, config.motion_frames) for _ in range(accompanied)] if motion else []
        self.motion_modules = nn.ModuleList(motions)
        self.downsamplers = nn.ModuleList()
        self.upsamplers = nn.ModuleList()

    def layers(self) -> Iterator[Layer]:
        """In the order in which they run."""
        for index, resnet in enumerate(self.resnets):
            attention = self.attentions[index] if index < len(self.attentions) else None
            motion = self.motion_modules[index] if index < len(self.motion_modules) else None
            yield Layer(f"{self.name}.attentions.{index}", resnet, attention, motion)


class UNet(nn.Module):
    """The parts of a UNet down to its last up level. Subclasses say what a layer does and walk through all of them.

    With `checkpointing` on, layers keep only their input for the backward pass and run twice.
    """

    def __init__(self, config: UNetConfig, block: Callable[[int], nn.Module], *, motion: bool) -> None:
        super().__init__()
        self.config = config
        self.checkpointing = False
        widths = config.channels
        last = len(widths) - 1
        self.conv_in = nn.Conv2d(config.latent_channels, widths[0], 3, padding=1)
        self.time_embedding = TimeEmbedding(widths[0], config.time_width)
        self.down_blocks, self.up_blocks = nn.ModuleList(), nn.ModuleList()
        skips, width = [widths[0]], widths[0]
        for index, outputs in enumerate(widths):
            inputs = [width] + [outputs] * (config.layers_per_level - 1)
            level = Level(f"down_blocks.{index}", config, inputs, outputs, block if index < last else None, motion)
            skips += [outputs] * config.layers_per_level
            if index < last:
                level.downsamplers.append(Downsample(outputs))
                skips.append(outputs)
            self.down_blocks.append(level)
            width = outputs
        self.mid_block = Level("mid_block", config, [width, width], width, block, motion)
        for index, outputs in enumerate(reversed(widths)):
            inputs = [given + skips.pop() for given in [width] + [outputs] * config.layers_per_level]
            level = Level(f"up_blocks.{index}", config, inputs, outputs, block if index > 0 else None, motion)
            if index < last:
                level.upsamplers.append(Upsample(outputs))
            self.up_blocks.append(level)
            width = outputs

    def walk(self, x: Tensor, run: Callable[[Tensor, Layer], Tensor]) -> Tensor:
        """Take (n, channels[0], h, w), the output of `conv_in`, through all layers by `run`."""
        skips = [x]
        for level in self.down_blocks:
            for layer in level.layers():
                x = run(x, layer)
                skips.append(x)
            for down in level.downsamplers:
                x = down(x)
                skips.append(x)
        for layer in self.mid_block.layers():
            x = run(x, layer)
        for level in self.up_blocks:
            for layer in level.layers():
                x = run(torch.cat([x, skips.pop()], dim=1), layer)
            for up in level.upsamplers:
                x = up(x)
        return x

    def attention_names(self) -> list[str]:
        """Names of the spatial attentions, in the order in which they run."""
        levels = [*self.down_blocks, self.mid_block, *self.up_blocks]
        return [layer.name for level in levels for layer in level.layers() if layer.attention is not None]

    @property
    def dtype(self) -> torch.dtype:
        """Of the weights; inputs are brought to it."""
        return self.conv_in.weight.dtype

    def _check_size(self, latents: Tensor) -> None:
        multiple = 2 ** (len(self.config.channels) - 1)
        if any(side % multiple for side in latents.shape[-2:]):
            raise ValueError(f"latents of {latents.shape[-2]}x{latents.shape[-1]} do not fit: both sides must be multiples of {multiple}")

    def _kept_small(self, layer: Callable[..., Any], *arguments: Any) -> Any:
        """Run a layer, checkpointed when that is on (not re-entrant: the re-entrant kind loses gradients, vexpress.md §11.3)."""
        if self.checkpointing and torch.is_grad_enabled():
            return checkpoint(layer, *arguments, use_reentrant=False, preserve_rng_state=False)
        return layer(*arguments)
