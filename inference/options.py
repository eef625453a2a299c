"""What a user chooses about one generated video; names and defaults are those of the released programs' flags (vexpress.md §10)."""

from dataclasses import dataclass, fields
from typing import Any, get_args

from schemas.errors import UsageError

STRATEGIES = ("fix_face", "no_retarget", "naive_retarget", "offset_retarget")
MOST_CONTEXT_FRAMES = 32
"""As many as the motion modules have positions for."""
SIDE_MULTIPLE = 64


@dataclass(frozen=True)
class Options:
    """One video's parameters. Raises `UsageError` for values that mean nothing.

    `image_width`, `image_height` None: as the model was trained, 512 (128 for a smoke model). `kps_size`: side in px of the square picture that
    the coordinates in a key-point file belong to; None: the generated picture. `retarget_as_released` brings back two faults of the released
    retargeting (`inference.retargeting`). `median_filter`: the 3x3x3 median over time and place that the released program ends with.
    """

    retarget_strategy: str = "fix_face"
    retarget_as_released: bool = False
    num_inference_steps: int = 25
    guidance_scale: float = 3.5
    context_frames: int = 24
    context_overlap: int = 4
    reference_attention_weight: float = 0.95
    audio_attention_weight: float = 3.0
    image_width: int | None = None
    image_height: int | None = None
    fps: float = 30.0
    seed: int = 42
    kps_size: int | None = None
    median_filter: bool = True

    def __post_init__(self) -> None:
        for name, kind in self.types().items():
            if getattr(self, name) is not None:
                object.__setattr__(self, name, kind(getattr(self, name)))
        if self.retarget_strategy not in STRATEGIES:
            raise UsageError(f"there is no retarget_strategy {self.retarget_strategy!r}; choose one of {', '.join(STRATEGIES)}")
        _within("num_inference_steps", self.num_inference_steps, 1, 1000)
        _within("guidance_scale", self.guidance_scale, 0, 100)
        _within("context_frames", self.context_frames, 1, MOST_CONTEXT_FRAMES)
        _within("context_overlap", self.context_overlap, 0, self.context_frames - 1)
        _within("fps", self.fps, 1, 240)
        _within("seed", self.seed, 0, 2**63 - 1)
        for name in ("reference_attention_weight", "audio_attention_weight"):
            _within(name, getattr(self, name), 0, 100)
        for name in ("image_width", "image_height"):
            side = getattr(self, name)
            if side is not None and (side < SIDE_MULTIPLE or side > 2048 or side % SIDE_MULTIPLE):
                raise UsageError(f"{name} is a multiple of {SIDE_MULTIPLE} up to 2048, not {side}")
        if self.kps_size is not None:
            _within("kps_size", self.kps_size, 1, 1 << 16)

    @classmethod
    def types(cls) -> dict[str, type]:
        """The type of each option, by name."""
        return {field.name: next(iter(get_args(field.type)), field.type) for field in fields(cls)}


def _within(name: str, value: Any, least: float, most: float) -> None:
    if not least <= value <= most:
        raise UsageError(f"{name} is between {least:g} and {most:g}, not {value:g}")
