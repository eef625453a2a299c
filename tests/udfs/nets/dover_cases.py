"""DOVER beside its golden numbers: every case gives deviations."""

import zlib
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn

from tests.udfs.nets.golden_rules import Deviation, Golden, apart, picked, texture
from udfs.nets.dover import sampling, views
from udfs.nets.dover.network import Dover
from udfs.nets.dover.scores import dover_scores, overall

CHANNELS_FIRST = (0, 4, 1, 2, 3)
FEATURES, MAP, SCORE, FUSED = 2e-5, 5e-6, 1e-6, 1e-5


def network_deviations(network: Dover, golden: Golden, case: str) -> Iterator[Deviation]:
    """Features, maps and scores of one input, `A`, `B` or `C`."""
    found: list[Deviation] = []
    handles = [module.register_forward_hook(_tap(golden, f"{case}.{name}", order, found)) for name, module, order in _taps(network)]
    with torch.inference_mode():
        aesthetic = network.aesthetic_map(_input(golden, case, "aes"))
        technical = network.technical_map(_input(golden, case, "tech"))
    for handle in handles:
        handle.remove()
    yield from found
    scores = [scored.double().mean().item() for scored in (aesthetic, technical)]
    expected = golden.arrays[f"{case}.scores"]
    yield Deviation(f"{case}.aes.map", apart(aesthetic, golden.arrays[f"{case}.aes.map"]), MAP)
    yield Deviation(f"{case}.tech.map", apart(technical, golden.arrays[f"{case}.tech.map"]), MAP)
    yield Deviation(f"{case}.scores a", abs(scores[0] - expected[0]), SCORE)
    yield Deviation(f"{case}.scores t", abs(scores[1] - expected[1]), SCORE)
    yield Deviation(f"{case}.scores fused", abs(overall(*scores) - expected[2]), FUSED)


def _input(golden: Golden, case: str, view: str) -> Tensor:
    facts = golden.facts["cases"][f"{case}.input"][view]
    pictures = np.stack([texture(facts["T"], facts["H"], facts["W"], seed) for seed in facts["texture_seeds"]])
    assert zlib.crc32(pictures.tobytes()) == facts["uint8_crc32"]
    return torch.from_numpy(np.stack([views.normalised(picture) for picture in pictures]))


def _taps(network: Dover) -> Iterator[tuple[str, nn.Module, tuple[int, ...] | None]]:
    technical, aesthetic = network.technical_backbone, network.aesthetic_backbone
    yield "tech.patch_embed", technical.patch_embed, CHANNELS_FIRST
    for number, stage in enumerate(technical.layers):
        yield f"tech.layer{number}", stage, CHANNELS_FIRST
        for block in (0, 1):
            yield f"tech.layer{number}.block{block}", stage.blocks[block], None
    for number, stage in enumerate(aesthetic.stages):
        yield f"aes.stage{number}", stage, CHANNELS_FIRST
    for block in (0, 1):
        yield f"aes.stage0.block{block}", aesthetic.stages[0][block], CHANNELS_FIRST
    yield "aes.down0", aesthetic.downsample_layers[0][1], CHANNELS_FIRST
    for number in (1, 2, 3):
        yield f"aes.down{number}", aesthetic.downsample_layers[number][1], None
    yield "tech.out", technical, None
    yield "aes.out", aesthetic, None


def _tap(golden: Golden, name: str, order: tuple[int, ...] | None, found: list[Deviation]):
    def record(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        values = (output if order is None else output.permute(order)).numpy()
        expected = golden.arrays[f"{name}.pick"]
        found.append(Deviation(name, apart(picked(values, len(expected)), expected), FEATURES))
        mean, deviation, top, length = golden.arrays[f"{name}.stats"]
        exact = values.astype(np.float64)
        found.append(Deviation(f"{name} mean", abs(exact.mean() - mean), 1e-6))
        found.append(Deviation(f"{name} deviation", abs(exact.std() - deviation), 1e-6))
        found.append(Deviation(f"{name} largest", abs(np.abs(exact).max() - top), 5e-5))
        found.append(Deviation(f"{name} length", abs(np.sqrt((exact**2).sum()) / length - 1), 1e-6))

    return record


def sampling_deviations(golden: Golden) -> Iterator[Deviation]:
    """Frame numbers, with the original's draws."""
    for frames in map(int, golden.facts["sampler"]["frame_indices"]):
        draws = np.random.RandomState(0)
        for name, plan in (("tech", sampling.TECHNICAL), ("aes", sampling.AESTHETIC)):
            bound = plan.starts_below(frames)
            starts = draws.randint(0, bound, size=plan.segments) if bound > 1 else np.zeros(plan.segments, np.int64)
            yield Deviation(f"idx.{frames}.{name}", apart(plan.indices(frames, starts), golden.arrays[f"idx.{frames}.{name}"]), 0)


def fragment_deviations(golden: Golden) -> Iterator[Deviation]:
    """Mosaics, with the original's offsets: exact, but for one unit in one of 1000 values of an enlarged frame."""
    for name, facts in golden.facts["sampler"]["fragments"].items():
        rows, columns = (np.moveaxis(golden.arrays[f"frag.{name}.off_{side}"], -1, 0) for side in "hw")
        pictures = texture(facts["T"], facts["H"], facts["W"], facts["texture_seed"])
        found = np.stack([views.mosaic(picture, rows[number // 32], columns[number // 32]) for number, picture in enumerate(pictures)])
        yield from _pixel_deviations(golden, f"frag.{name}", found, facts, off_by_one=name.startswith("upsampled"))


def resize_deviations(golden: Golden) -> Iterator[Deviation]:
    """Whole frames resized: at most one unit in one of 1000 values."""
    for name, facts in golden.facts["sampler"]["resize"].items():
        pictures = texture(facts["T"], facts["H"], facts["W"], facts["texture_seed"])
        found = np.stack([views.resized(picture, antialias=name.endswith("aa1")) for picture in pictures])
        yield from _pixel_deviations(golden, f"resize.{name}", found, facts, off_by_one=True)


def _pixel_deviations(golden: Golden, name: str, found: np.ndarray, facts: dict, *, off_by_one: bool) -> Iterator[Deviation]:
    values = np.ascontiguousarray(found.transpose(3, 0, 1, 2))
    expected = golden.arrays[f"{name}.pick"]
    yield Deviation(f"{name} values", apart(picked(values, len(expected)), expected), 1 if off_by_one else 0)
    yield Deviation(f"{name} sum", abs(int(values.sum(dtype=np.int64)) - facts["sum"]), values.size / 1000 if off_by_one else 0)
    if not off_by_one:
        yield Deviation(f"{name} checksum differs", zlib.crc32(values.tobytes()) != facts["crc32_uint8_CTHW"], 0)


def released_score_deviations(golden: Golden) -> Iterator[Deviation]:
    """`dover_scores` of raw aesthetic scores."""
    for raw, expected, _ in golden.facts["talkvid_scores"]["rows"]:
        yield Deviation(f"dover_scores of {raw}", abs(dover_scores(raw) - expected), 0.01 + 1e-9)
