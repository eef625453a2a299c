"""What a scorer is, and what passes through one (DESIGN.md, "A scorer")."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from schemas.codes import Rejected
from udfs.registered import Registered

RGB = NDArray[np.uint8]
"""A frame: (height, width, 3), 8 bit, red first, upright, with square pixels, cropped to the clip's box."""
GPU_CLIPS = 8
"""Clips that a GPU is given at once."""


@dataclass(frozen=True, slots=True)
class Clip:
    """A span of a video as scorers see it. `width_px` x `height_px` is the size of the frames they get; `registered` is the file that it is a
    span of, where that is known."""

    clip_id: str
    video_id: str
    uri: str
    start_s: float
    end_s: float
    width_px: int
    height_px: int
    fps: float
    has_audio: bool
    crop: tuple[int, int, int, int] | None = None
    audio_uri: str | None = None
    registered: Registered | None = None


@dataclass(frozen=True, slots=True)
class Device:
    """Where networks run. `kind` is `cpu` or `cuda`; `threads` bounds one network's CPU threads."""

    kind: str = "cpu"
    index: int = 0
    threads: int = 1
    dtype: str = "float32"

    @property
    def torch_name(self) -> str:
        """The device's name for torch."""
        return "cpu" if self.kind == "cpu" else f"cuda:{self.index}"

    @property
    def clips_at_once(self) -> int:
        """How many clips it is given at once: a GPU works on them together."""
        return GPU_CLIPS if self.kind == "cuda" else 1

    def as_cpu(self) -> "Device":
        """The CPU beside it, with as many threads, in float32."""
        return Device("cpu", 0, self.threads)

    def in_float32(self) -> "Device":
        """The same device in float32."""
        return replace(self, dtype="float32")


@dataclass(slots=True)
class Reduced:
    """What is left of a clip once its frames have streamed past: the reduced views of one scorer.

    `indices[i]` is the clip's source frame (0 = its first) that `frames[i]` came from, `times_s[i]` that frame's
    time from the clip's start. `audio_16k` is mono float32 in -1..1 when the scorer `needs` it (empty without audio);
    `head` is the head scorer's dict when the scorer `needs` that.
    """

    clip: Clip
    indices: list[int] = field(default_factory=list)
    times_s: list[float] = field(default_factory=list)
    frames: list[Any] = field(default_factory=list)
    audio_16k: NDArray[np.float32] | None = None
    head: dict[str, Any] | None = None


Outcome = dict[str, Any] | Rejected
"""A scorer's answer for one clip: its values by name (every field of `schemas.scores.STORED[name]`), or why there are none."""


@runtime_checkable
class Scorer(Protocol):
    """One measurement of clips. Spark-free; its configuration is a frozen dataclass, `config`.

    `version` is raised by hand when results change (law 5). `weights` names entries of the weights manifest.
    """

    name: str
    version: int
    needs: frozenset[str]
    weights: tuple[str, ...]
    config: Any

    def runs_on(self, device: Device) -> Device:
        """Where and in which dtype it works when `device` is offered: what its rows say made them."""

    def setup(self, device: Device) -> None:
        """Load heavy objects, once per process, on what `runs_on` answered. Raises `MissingError` when weights are not there."""

    def plan(self, clip: Clip, pts: Sequence[float]) -> Sequence[int]:
        """Ascending indices into `pts` of the frames it wants; `pts` are frame times from the clip's start, in seconds."""

    def reduce(self, clip: Clip, frame: RGB, index: int) -> Any:
        """Keep only what is needed of a frame, at once. May return the value for `Reduced.frames`; must not keep `frame`."""

    def score(self, clips: list[Reduced]) -> list[Outcome]:
        """Measure a batch of clips; one outcome per clip, in order, independent of the batch's other clips."""
