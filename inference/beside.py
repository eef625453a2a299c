"""What metrics need beside the frames of a pair: a portrait, and the sound of each video."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference.about import about
from inference.metrics.face_gauge import SYNC
from inference.metrics.video_pair import VideoPair, named
from inference.picture import read_picture
from inference.staged_inputs import staged_inputs
from schemas.codes import Rejected
from udfs.media import audio_16k
from udfs.scorer import RGB

MOST_PORTRAIT_PX = 1600


class Beside:
    """The portrait, and each side's sound, as the `wanted` metrics need them; `lost` says of a metric why it cannot be had.

    `item` as `inference.evaluating.evaluate_items` takes it, `places` local paths of its videos. A reason names an input by its own address.
    """

    def __init__(self, item: dict[str, Any], places: dict[str, Path | None], pair: VideoPair, wanted: list[str]) -> None:
        self.portrait: RGB | None = None
        self.sounds: dict[str, NDArray[np.float32]] = {}
        self.lost: dict[str, Rejected] = {}
        if "csim_portrait" in wanted:
            with self._costing("csim_portrait"):
                self.portrait = _portrait(item["portrait"])
        for side, names in SYNC.items():
            if asked := [name for name in names if name in wanted]:
                with self._costing(*asked):
                    self.sounds[side] = _sound(item, places[side], pair, side)

    @contextmanager
    def _costing(self, *metrics: str) -> Iterator[None]:
        try:
            yield
        except Rejected as rejection:
            self.lost |= dict.fromkeys(metrics, rejection)


def heard(item: dict[str, Any], pair: VideoPair) -> bool:
    """Whether the generated video has sound, its own or that which it was made of."""
    return pair.probes["generated"].has_audio or item["audio"] is not None


def _sound(item: dict[str, Any], video: Path | None, pair: VideoPair, side: str) -> NDArray[np.float32]:
    """A video's own sound, else the one that it was made of."""
    if pair.probes[side].has_audio:
        assert video is not None
        with named(side):
            return audio_16k(video, 0.0, pair.seconds)
    with _copied("the sound", item["audio"]) as path:
        return audio_16k(path, 0.0, pair.seconds)


def _portrait(uri: str) -> RGB:
    with _copied("the portrait", uri) as path:
        return np.ascontiguousarray(read_picture(path, MOST_PORTRAIT_PX))


@contextmanager
def _copied(what: str, uri: str) -> Iterator[Path]:
    with staged_inputs({what: uri}, {what: what}) as places, about(what, places[what]):
        yield places[what]
