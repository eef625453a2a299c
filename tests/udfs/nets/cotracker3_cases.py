"""CoTracker3 beside its golden numbers: every case gives deviations."""

import zlib
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor, nn

from tests.udfs.nets.golden_rules import Deviation, Golden, apart, picked, texture
from udfs.nets.cotracker3.correlation import LEVELS, interpolated, support_features, surroundings
from udfs.nets.cotracker3.network import CoTracker3, Estimate, Tracks, track_offline
from udfs.nets.cotracker3.online import STEP, WINDOW, track_online
from udfs.nets.cotracker3.predictor import NETWORK_SIZE, OnlinePredictor, SeenTracks, fitted, grid, predict_grid, predict_offline

SMALL = (96, 128)
ITERATIONS = {"off": 6, "off.iters1": 1, "off2": 4, "off60": 4, "off70": 4}
STREAMS = ("on.stream", "on.stream_sg", "on.stream_grid")
PREDICTIONS = ("pred.q_bwd", "pred.q_fwd", "pred.grid_f0", "pred.grid_f3")
FNET_TAPS = ("conv1", "layer1", "layer2", "layer3", "layer4", "conv2")
BOUNDS = {
    "fnet": 3e-4,
    **dict.fromkeys(("fmap", "support", "corrfeat", "corrvol"), 2e-5),
    **dict.fromkeys(("corremb", "tokens_in"), 1e-4),
    "updateformer": 1.5e-5,
    "delta": 5e-5,
}
TRACKS, VISIBILITY, CONFIDENCE = 1e-3, 1e-4, 2e-4


def video(golden: Golden, tag: str) -> Tensor:
    """(T, 3, H, W) in 0..255."""
    facts = golden.facts["entries"][f"{tag}.input"]
    pictures = texture(facts["T"], facts["H"], facts["W"], facts["texture_seed"])
    assert zlib.crc32(pictures.tobytes()) == facts["crc32_uint8_THWC"]
    return torch.from_numpy(pictures).permute(0, 3, 1, 2).float()


def queries(golden: Golden, tag: str) -> Tensor:
    return torch.from_numpy(golden.arrays[f"{tag}.queries"]).float()


@torch.inference_mode()
def offline_deviations(network: CoTracker3, golden: Golden, case: str) -> Iterator[Deviation]:
    """The raw offline model."""
    tag = case.split(".")[0]
    raw = track_offline(network, network.pyramid(video(golden, tag)), queries(golden, tag), ITERATIONS[case])
    yield from _raw_deviations(golden, case, raw)


@torch.inference_mode()
def inner_deviations(network: CoTracker3, golden: Golden) -> Iterator[Deviation]:
    """The raw offline model and every named tensor inside, case `off`."""
    asked, frames = queries(golden, "off"), video(golden, "off")
    taps = _Taps(golden, points=len(asked), frames=len(frames))
    handles = taps.attach(network)
    pyramid = network.pyramid(frames)
    raw = track_offline(network, pyramid, asked)
    for handle in handles:
        handle.remove()
    yield from taps.found
    yield from _raw_deviations(golden, "off", raw)
    supports = support_features(pyramid, asked)
    for number, (level, support) in enumerate(zip(pyramid.levels, supports, strict=True)):
        yield from _tensor_deviations(golden, f"off.fmap{number}", level.permute(0, 3, 1, 2))
        yield from _tensor_deviations(golden, f"off.support{number}", support.transpose(0, 1))
    for iteration in (0, 3):
        estimate = network.refine(Estimate.at_rest(asked, pyramid.frames), pyramid, lambda part: [level[part] for level in supports], iteration)
        xy = estimate.xy.transpose(0, 1)
        frame = torch.arange(pyramid.frames)[:, None].expand(-1, len(asked))
        for number, level in enumerate(pyramid.levels):
            yield from _tensor_deviations(golden, f"off.corrfeat.it{iteration}.l{number}", interpolated(*surroundings(level, frame, xy / 2**number)))


class _Taps:
    """Compares what passes through the modules with what passed through the original's."""

    def __init__(self, golden: Golden, *, points: int, frames: int) -> None:
        self.golden, self.points, self.frames = golden, points, frames
        self.found: list[Deviation] = []
        self.correlations = self.iteration = 0
        self.pieces: dict[str, list[Tensor]] = {}

    def attach(self, network: CoTracker3) -> list:
        fnet, former = network.fnet, network.updateformer
        handles = [fnet.register_forward_hook(self._piece("off.fnet"))]
        handles += [getattr(fnet, name).register_forward_hook(self._piece(f"off.fnet.{name}")) for name in FNET_TAPS]
        handles.append(network.corr_mlp.register_forward_hook(self._correlation))
        handles.append(former.input_transform.register_forward_pre_hook(self._tokens))
        for kind in ("time_blocks", "space_virtual2point_blocks", "space_virtual_blocks", "space_point2virtual_blocks"):
            handles += [module.register_forward_hook(self._block(f"{kind}.{number}")) for number, module in enumerate(getattr(former, kind))]
        handles.append(former.register_forward_hook(self._update))
        return handles

    def _compare(self, name: str, value: Tensor) -> None:
        self.found.extend(_tensor_deviations(self.golden, name, value))

    def _piece(self, name: str) -> Callable:
        """Joins the outputs of a module that sees the video piece by piece."""

        def record(module: nn.Module, inputs: tuple, output: Tensor) -> None:
            pieces = self.pieces.setdefault(name, [])
            pieces.append(output)
            if sum(map(len, pieces)) == self.frames:
                self._compare(name, torch.cat(pieces))

        return record

    def _correlation(self, module: nn.Module, inputs: tuple, output: Tensor) -> None:
        iteration, level = divmod(self.correlations, LEVELS)
        for name, value in (("corrvol", inputs[0]), ("corremb", output)):
            self._compare(f"off.{name}.it{iteration}.l{level}", value.transpose(0, 1).reshape(self.frames * self.points, -1))
        self.correlations += 1

    def _tokens(self, module: nn.Module, inputs: tuple) -> None:
        self._compare(f"off.tokens_in.it{self.iteration}", inputs[0].unsqueeze(0))

    def _block(self, name: str) -> Callable:
        def record(module: nn.Module, inputs: tuple, output: Tensor) -> None:
            self._compare(f"off.updateformer.{name}.it{self.iteration}", output if name.startswith("time") else output.transpose(0, 1))

        return record

    def _update(self, module: nn.Module, inputs: tuple, output: Tensor) -> None:
        name = f"off.delta.it{self.iteration}"
        if name in self.golden.arrays:
            self.found.append(Deviation(name, apart(output, self.golden.arrays[name]), BOUNDS["delta"]))
        self.iteration += 1


def _tensor_deviations(golden: Golden, name: str, value: Tensor) -> Iterator[Deviation]:
    """Of a tensor that has golden values; the others pass."""
    if f"{name}.pick" not in golden.arrays:
        return
    values = value.numpy()
    expected = golden.arrays[f"{name}.pick"]
    bound = BOUNDS[name.split(".")[1].rstrip("0123456789")]
    yield Deviation(name, apart(picked(values, len(expected)), expected), bound)
    mean, deviation, top, length = golden.arrays[f"{name}.stats"]
    exact = values.astype(np.float64)
    yield Deviation(f"{name} mean", abs(exact.mean() - mean), 3e-4)
    yield Deviation(f"{name} deviation", abs(exact.std() - deviation), 3e-4)
    yield Deviation(f"{name} largest", abs(np.abs(exact).max() - top), 3e-4)
    yield Deviation(f"{name} length", abs(np.sqrt((exact**2).sum()) / length - 1), 1e-5)


@torch.inference_mode()
def online_deviations(network: CoTracker3, golden: Golden) -> Iterator[Deviation]:
    """The raw online model on a whole video, case `on.direct`."""
    yield from _raw_deviations(golden, "on.direct", track_online(network, video(golden, "on"), queries(golden, "on")))


def stream_deviations(network: CoTracker3, golden: Golden, case: str) -> Iterator[Deviation]:
    """The online predictor at a small size, chunk by chunk."""
    asked, frames = queries(golden, "on"), video(golden, "on")
    predictor = {
        "on.stream": lambda: OnlinePredictor(network, asked, SMALL, size=SMALL),
        "on.stream_sg": lambda: OnlinePredictor(network, asked[:5], SMALL, support=True, size=SMALL),
        "on.stream_grid": lambda: OnlinePredictor.of_grid(network, 3, SMALL, frame=2, size=SMALL),
    }[case]()
    for start in range(0, len(frames) - STEP, STEP):
        seen = predictor.advance(frames[start : start + WINDOW])
        if start == 0:
            yield Deviation(f"{case}.first.tracks", apart(seen.xy, golden.arrays[f"{case}.first.tracks"]), TRACKS)
            yield Deviation(f"{case}.first.rawvis", apart(seen.raw.visibility, golden.arrays[f"{case}.first.rawvis"]), VISIBILITY)
    yield from _online_deviations(golden, case, seen)


def online_predictor_deviations(network: CoTracker3, golden: Golden) -> Iterator[Deviation]:
    """The online predictor at its own size, case `onpred`."""
    frames = video(golden, "onpred")
    predictor = OnlinePredictor(network, queries(golden, "onpred"), (frames.shape[2], frames.shape[3]))
    predictor.advance(frames[:WINDOW])
    yield from _online_deviations(golden, "onpred", predictor.advance(frames[STEP:]))


def prediction_deviations(network: CoTracker3, golden: Golden, case: str) -> Iterator[Deviation]:
    """The offline predictor, with the raw visibility of its forward pass."""
    frames, asked = video(golden, "pred"), queries(golden, "pred")
    seen = {
        "pred.q_bwd": lambda: predict_offline(network, frames, asked, backward=True),
        "pred.q_fwd": lambda: predict_offline(network, frames, asked, backward=False),
        "pred.grid_f0": lambda: predict_grid(network, frames, 4, backward=True),
        "pred.grid_f3": lambda: predict_grid(network, frames, 4, frame=3, backward=True),
    }[case]()
    yield Deviation(f"{case}.tracks", apart(seen.xy, golden.arrays[f"{case}.tracks"]), TRACKS)
    yield Deviation(f"{case}.visible", apart(seen.visible, golden.arrays[f"{case}.visible"]), 0)
    yield Deviation(f"{case}.raw0.vis", apart(seen.raw.visibility, golden.arrays[f"{case}.raw0.vis"]), VISIBILITY)


@torch.inference_mode()
def reversed_pass_deviations(network: CoTracker3, golden: Golden) -> Iterator[Deviation]:
    """Raw visibility of the passes through the reversed video, cases `pred.grid_f0` and `pred.grid_f3`."""
    pyramid = network.pyramid(fitted(video(golden, "pred"))).reversed_in_time()
    for frame in (0, 3):
        raw = track_offline(network, pyramid, grid(4, NETWORK_SIZE, pyramid.frames - 1 - frame))
        yield Deviation(f"pred.grid_f{frame}.raw1.vis", apart(raw.visibility, golden.arrays[f"pred.grid_f{frame}.raw1.vis"]), VISIBILITY)


def _raw_deviations(golden: Golden, case: str, raw: Tracks) -> Iterator[Deviation]:
    yield Deviation(f"{case}.tracks", apart(raw.xy, golden.arrays[f"{case}.tracks"]), TRACKS)
    yield Deviation(f"{case}.vis", apart(raw.visibility, golden.arrays[f"{case}.vis"]), VISIBILITY)
    yield Deviation(f"{case}.conf", apart(raw.confidence, golden.arrays[f"{case}.conf"]), CONFIDENCE)


def _online_deviations(golden: Golden, case: str, seen: SeenTracks) -> Iterator[Deviation]:
    yield Deviation(f"{case}.tracks", apart(seen.xy, golden.arrays[f"{case}.tracks"]), TRACKS)
    yield Deviation(f"{case}.visible", apart(seen.visible, golden.arrays[f"{case}.visible"]), 0)
    yield Deviation(f"{case}.rawvis", apart(seen.raw.visibility, golden.arrays[f"{case}.rawvis"]), VISIBILITY)
    yield Deviation(f"{case}.rawconf", apart(seen.raw.confidence, golden.arrays[f"{case}.rawconf"]), CONFIDENCE)
