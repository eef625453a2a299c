"""Measuring videos as a worker of `jobs.batches`: pairs of addresses in, values and features out."""

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pyarrow as pa

from inference.beside import Beside, heard
from inference.metrics import networks
from inference.metrics.catalogue import BY_NAME, FACES, PORTRAIT, REAL, Settings
from inference.metrics.face_gauge import SYNC, FaceGauge, SyncGauge
from inference.metrics.gauges import FidGauge, FvdGauge, LpipsGauge, PixelGauge, Value
from inference.metrics.video_pair import VideoPair, named
from schemas.codes import RETRYABLE, Rejected
from schemas.errors import TalkvidError
from schemas.evaluated import FEATURES, VALUE
from udfs.device import claim
from udfs.faces.backend import FaceBackend
from udfs.faces.choose import face_backend
from udfs.faces.dlib_landmarks import DlibLandmarks
from udfs.media import staged
from udfs.scorer import Clip, Device
from udfs.sync import Sync, SyncConfig

ROWS = pa.schema([("item_id", pa.string()), ("values", pa.list_(VALUE)), ("features", pa.list_(FEATURES)), ("code", pa.string()), ("detail", pa.string())])
"""Result rows: what was measured, or the code and the sentence of a failure."""

_PAIRED = ("l1", "psnr", "ssim", "lpips", "lmd", "lmd_interocular")
"""Metrics that need both videos in one shape."""
FRAMES = "frames"
"""Stands among the features for the size at which a side was looked at: one row, width and height in px."""


@dataclass(frozen=True)
class EvaluationPlan:
    """What the workers of one run do; `fingerprints` are pairs with a metric's name."""

    fingerprints: tuple[tuple[str, str], ...]
    settings: Settings = Settings()
    device: str = "cpu"
    threads: int = 1


class Networks:
    """What the metrics load, each when it is first asked for."""

    def __init__(self, plan: EvaluationPlan, device: Device) -> None:
        self._plan, self._device = plan, device

    @cached_property
    def fid(self) -> networks.FidFeatures:
        """Inception."""
        return networks.FidFeatures(self._device)

    @cached_property
    def fvd(self) -> networks.FvdFeatures:
        """I3D."""
        return networks.FvdFeatures(self._device)

    @cached_property
    def lpips(self) -> networks.LpipsVectors:
        """VGG16 with LPIPS' heads."""
        return networks.LpipsVectors(self._device)

    @cached_property
    def faces(self) -> FaceBackend:
        """The face back end of the settings."""
        settings = self._plan.settings
        backend = face_backend(settings.faces, settings.side_px, settings.threshold)
        backend.setup(self._device)
        return backend

    @cached_property
    def landmarks(self) -> DlibLandmarks:
        """68 points."""
        return DlibLandmarks()

    @cached_property
    def sync(self) -> Sync:
        """SyncNet, as the scorer `sync` uses it."""
        scorer = Sync(SyncConfig(boxes=self._plan.settings.faces))
        scorer.setup(scorer.runs_on(self._device))
        return scorer


@lru_cache(maxsize=1)
def _loaded(plan: EvaluationPlan) -> Networks:
    """Once per process."""
    device = claim(plan.device, plan.threads)
    if device.kind == "cpu":
        import torch

        torch.set_num_threads(device.threads)
    return Networks(plan, device)


def evaluate_items(plan: EvaluationPlan, items: list[dict[str, Any]]) -> Iterator[tuple[int, list[dict]]]:
    """Measure each item: `item_id`, `metrics` (names), and an address or None for `generated, real, audio` (sound of the generated one, where it
    has none itself) and `portrait`. Without a generated video only the features of the real one are taken."""
    loaded = _loaded(plan)
    fingerprints = dict(plan.fingerprints)
    for index, item in enumerate(items):
        row: dict[str, Any] = {"item_id": item["item_id"], "values": [], "features": [], "code": None, "detail": None}
        try:
            values, features, missed = measure(loaded, plan.settings, item)
            row["values"] = [
                {"metric": name, "fingerprint": fingerprints[name], "value": found.value, "reason": found.reason} for name, found in values.items()
            ]
            row["features"] = features
            if missed is not None:
                row |= {"code": missed.code, "detail": missed.detail}
        except Rejected as rejection:
            row |= {"code": rejection.code, "detail": rejection.detail}
        except TalkvidError:
            raise
        except Exception as error:  # noqa: BLE001 - one video must not end the job; the row names what happened
            row |= {"code": "internal", "detail": f"{type(error).__name__}: {error}"}
        yield index, [row]


def died(item: dict[str, Any]) -> list[dict]:
    """The row of an item that killed its Python process twice."""
    detail = "the process that measured this video died, and again when it had the video alone"
    return [{"item_id": item["item_id"], "values": [], "features": [], "code": "worker_died", "detail": detail}]


def measure(loaded: Networks, settings: Settings, item: dict[str, Any]) -> tuple[dict[str, Value], list[dict[str, Any]], Rejected | None]:
    """Values by metric, and rows of features. Each video is decoded once; frames stream. Raises `Rejected` for a video that cannot be read.

    A portrait or a sound that cannot be had costs the metrics that use it: they have a reason. Where that may go away by itself, they have nothing,
    so that they are measured another time, and the rejection comes third.
    """
    with ExitStack() as stack:
        places = {side: _staged(stack, side, item[side]) for side in ("generated", "real")}
        pair = VideoPair(places["generated"], places["real"], settings.fps)
        values = {name: Value(reason=reason) for name in item["metrics"] if (reason := _cannot(name, item, pair, settings))}
        beside = Beside(item, places, pair, [name for name in item["metrics"] if name not in values])
        values |= {name: Value(reason=lost.detail) for name, lost in beside.lost.items() if lost.code not in RETRYABLE}
        missed = next((lost for lost in beside.lost.values() if lost.code in RETRYABLE), None)
        wanted = [name for name in item["metrics"] if name not in values and name not in beside.lost]
        features: list[dict[str, Any]] = []
        if not wanted:
            return values, features, missed
        gauges = _Gauges(loaded, settings, item, beside, pair, wanted)
        for moment in pair:
            gauges.see(moment)
        found = gauges.values()
        for metric, by_side in gauges.features().items():
            features += [_features(metric, side, rows) for side, rows in by_side.items()]
            found[metric] = Value()
        features += [_features(FRAMES, side, np.array([pair.size(side)])) for side in pair.probes]
        return values | {name: found[name] for name in wanted}, features, missed


class _Gauges:
    """The gauges that the wanted metrics need, fed together."""

    def __init__(self, loaded: Networks, settings: Settings, item: dict[str, Any], beside: Beside, pair: VideoPair, wanted: list[str]) -> None:
        names = set(wanted)
        stride = settings.stride
        self._plain: list[PixelGauge | LpipsGauge | FaceGauge] = []
        self._sets: dict[str, FidGauge | FvdGauge] = {}
        if pixels := [name for name in ("l1", "psnr", "ssim") if name in names]:
            self._plain.append(PixelGauge(pixels))
        if vectors := [name for name in ("lpips", "temporal_lpips", "temporal_lpips_real") if name in names]:
            self._plain.append(LpipsGauge(vectors, loaded.lpips, stride))
        if "fid" in names:
            self._sets["fid"] = FidGauge(loaded.fid, stride)
        if "fvd" in names:
            self._sets["fvd"] = FvdGauge(loaded.fvd, _window(item["real"] or item["generated"], pair.count, settings.fvd_frames), settings.fvd_frames)
        self._faces: FaceGauge | None = None
        self._sync: dict[str, SyncGauge] = {}
        if any(FACES in BY_NAME[name].weights for name in names):
            landmarks = loaded.landmarks if {"lmd", "lmd_interocular"} & names else None
            self._faces = FaceGauge(wanted, loaded.faces, landmarks, stride, beside.portrait)
            self._sync = {side: SyncGauge(loaded.sync, _clip(item, pair, side), sound, side) for side, sound in beside.sounds.items()}
        self._all = [*self._plain, *self._sets.values(), *([self._faces] if self._faces else []), *self._sync.values()]

    def see(self, moment: Any) -> None:
        """Hand the next moment of the pair to every gauge."""
        for gauge in self._all:
            gauge.see(moment)

    def values(self) -> dict[str, Value]:
        """Value or reason by metric of one pair, after its last moment."""
        found = {name: value for gauge in (*self._plain, *([self._faces] if self._faces else [])) for name, value in gauge.values().items()}
        for side, gauge in self._sync.items():
            assert self._faces is not None
            found |= gauge.values(self._faces.seen[side])
        return found

    def features(self) -> dict[str, dict[str, np.ndarray]]:
        """By metric of sets and side (`generated`, `real`), features (n, width) of this pair."""
        return {metric: gauge.features() for metric, gauge in self._sets.items()}


def _cannot(name: str, item: dict[str, Any], pair: VideoPair, settings: Settings) -> str:
    """Why this pair has no value of a metric; empty when it may have one."""
    metric = BY_NAME[name]
    checks: list[tuple[bool, Callable[[], str]]] = [
        (REAL in metric.needs and item["real"] is None and not metric.of_sets, lambda: "there is no real video to compare with"),
        (item["generated"] is None and not metric.of_sets, lambda: "there is no generated video"),
        (PORTRAIT in metric.needs and item["portrait"] is None, lambda: "there is no portrait to compare with"),
        (name in _PAIRED and not pair.comparable, lambda: f"the real video has another shape: {_sizes(pair)}"),
        (name == "ssim" and min(_smallest(pair)) < 11, lambda: "the pictures are smaller than SSIM's window of 11 px"),
        (name == "fvd" and pair.count < settings.fvd_frames, lambda: f"it is shorter than {settings.fvd_frames} frames of 1/{settings.fps:g} s"),
        (name in SYNC["generated"] and item["generated"] is not None and not heard(item, pair), lambda: "the video has no sound"),
        (name in SYNC["real"] and item["real"] is not None and not pair.probes["real"].has_audio, lambda: "the real video has no sound"),
    ]
    return next((sentence() for applies, sentence in checks if applies), "")


def _staged(stack: ExitStack, name: str, uri: str | None) -> Path | None:
    if uri is None:
        return None
    with named(name):
        return stack.enter_context(staged(uri))


def _clip(item: dict[str, Any], pair: VideoPair, side: str) -> Clip:
    found = pair.probes["generated" if pair.comparable else side]
    return Clip(item["item_id"], item["item_id"], item[side], 0.0, pair.seconds, found.width, found.height, found.fps, True)


def _window(place: str, count: int, frames: int) -> int:
    """Where the window of `frames` begins: at a share of the length that is drawn from the file's name, without folder and extension.

    The real video's name, as nothing else is the same for every model on one benchmark and on every machine; a share, as two models
    may make the same video a frame longer or shorter.
    """
    return int(hashlib.sha256(PurePosixPath(place).stem.encode()).hexdigest()[:8], 16) * (count - frames + 1) >> 32


def _features(metric: str, side: str, rows: np.ndarray) -> dict[str, Any]:
    whole = np.ascontiguousarray(rows, "<f4")
    return {"metric": metric, "side": side, "rows": len(whole), "width": whole.shape[1], "data": whole.tobytes()}


def _sizes(pair: VideoPair) -> str:
    return " and ".join(f"{found.width}x{found.height}" for found in pair.probes.values())


def _smallest(pair: VideoPair) -> tuple[int, int]:
    found = next(iter(pair.probes.values()))
    return found.width, found.height


def item_name(*parts: object) -> str:
    """A name for an item, from what tells it apart."""
    return "e" + hashlib.sha256(json.dumps([str(part) for part in parts]).encode()).hexdigest()[:20]
