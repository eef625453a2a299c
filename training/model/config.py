"""Sizes of the networks: the published ones and a toy (vexpress.md §2, §6, §7.4)."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class UNetConfig:
    """Both UNets. `channels` are the widths of the levels, each half the size of the one before it; the last level has no spatial attention."""

    channels: tuple[int, ...] = (320, 640, 1280, 1280)
    layers_per_level: int = 2
    groups: int = 32
    heads: int = 8
    context_width: int = 768
    motion_heads: int = 8
    motion_frames: int = 32
    latent_channels: int = 4

    @property
    def time_width(self) -> int:
        """Width of the time vector."""
        return 4 * self.channels[0]


@dataclass(frozen=True)
class AudioProjectionConfig:
    """From `rows` rows of audio features to `queries` tokens; what comes out is as wide as the UNet's context."""

    features: int = 768
    rows: int = 10
    width: int = 768
    depth: int = 4
    heads: int = 12
    head_width: int = 64
    queries: int = 5
    expansion: int = 4


@dataclass(frozen=True)
class ModelConfig:
    """All four networks. `guider_channels` are the widths of the V-Kps guider, before its last convolution."""

    unet: UNetConfig = field(default_factory=UNetConfig)
    guider_channels: tuple[int, ...] = (16, 32, 96, 256)
    audio_projection: AudioProjectionConfig = field(default_factory=AudioProjectionConfig)


FULL = ModelConfig()
SMOKE = ModelConfig(
    unet=UNetConfig(channels=(32, 32, 64, 64), layers_per_level=1, groups=16, heads=4, motion_heads=4),
    guider_channels=(8, 8, 16, 16),
    audio_projection=AudioProjectionConfig(width=64, depth=1, heads=4, head_width=16),
)
"""Runs on a laptop in seconds; its weights are random and what it generates is noise."""
