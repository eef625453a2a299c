"""Metrics beside their golden numbers: every case gives deviations, relative ones but where said (metrics.md §2 to §5)."""

import zlib
from collections.abc import Iterator
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from torch import nn

from inference.metrics import lmd, lpips
from inference.metrics.frechet import Moments, frechet_distance
from inference.metrics.identity import identity_similarity
from inference.metrics.pixels import l1, psnr
from inference.metrics.ssim import ssim
from tests.udfs.nets.golden_rules import Deviation, Golden, apart, picked, texture
from tests.udfs.nets.metrics_rules import features, generator, landmark_tracks, metric_weight, picture_pair

SETS = {"a": (64, 80, 12), "b": (300, 257, 48), "singular": (8, 9, 12)}
CHANNELS = {"alex": (64, 192, 384, 256, 256), "vgg": (64, 128, 256, 512, 512)}
LPIPS = 1e-4


def relative(name: str, found: float, wanted: float, allowed: float) -> Deviation:
    return Deviation(name, float(abs(found / wanted - 1)), allowed)


def frechet_deviations(golden: Golden) -> Iterator[Deviation]:
    """Against pytorch-fid, torch-fidelity, StyleGAN and LatentSync (which takes means in float32)."""
    for name, (n, m, width) in SETS.items():
        one, other = Moments.of(features(n, width)), Moments.of(features(m, width, 1))
        facts, allowed = golden.facts[f"frechet.{name}"], 1e-7 if name == "singular" else 1e-8
        for ddof, published in ((1, ("pytorch_fid", "torch_fidelity_f64")), (0, ("stylegan_featurestats",))):
            found = frechet_distance(one, other, ddof=ddof)
            for source in published:
                yield relative(f"{name} {source}", found, facts[f"ORIG.{source}"], allowed)
            yield relative(f"{name} by eigenvalues, ddof {ddof}", found, facts[f"OWN.eigh_ddof{ddof}"], allowed)
        yield relative(f"{name} LatentSync", frechet_distance(one, other, ddof=1), facts["ORIG.latentsync_compute_fvd"], 1e-6)


def picture_deviations(golden: Golden) -> Iterator[Deviation]:
    """SSIM and PSNR of scikit-image, L1."""
    one, other = picture_pair(64, 80)
    assert [zlib.crc32(one.tobytes()), zlib.crc32(other.tobytes())] == golden.facts["IN.lpips"]["crc32"]
    facts = golden.facts["image"]
    yield relative("SSIM", ssim(one, other), facts["ORIG.skimage.ssim_gauss11_rgb"], 1e-10)
    yield relative("PSNR", psnr(one, other), facts["ORIG.skimage.psnr"], 1e-10)
    yield relative("L1", l1(one, other), facts["OWN.l1_0_1"], 1e-10)


def landmark_deviations(golden: Golden) -> Iterator[Deviation]:
    """Every convention of LMD."""
    real, generated = landmark_tracks(12)
    tracks, facts = (generated, real), golden.facts["OWN.lmd"]
    yield relative("mouth", lmd.lmd(*tracks, centred=False), facts["mouth_raw"], 1e-10)
    yield relative("mouth, centred", lmd.lmd(*tracks), facts["mouth_centred"], 1e-10)
    yield relative("face", lmd.lmd(*tracks, lmd.FACE, centred=False), facts["face_raw"], 1e-10)
    yield relative("face, centred", lmd.lmd(*tracks, lmd.FACE), facts["face_centred"], 1e-10)
    yield relative("mouth, centred, over the eyes' distance", lmd.lmd_over_interocular(*tracks), facts["mouth_centred_over_iod"], 1e-10)


def identity_deviations(golden: Golden) -> Iterator[Deviation]:
    """Mean cosine."""
    one = generator(7).standard_normal((5, 512))
    other = one + 0.7 * generator(8).standard_normal((5, 512))
    yield relative("CSIM", float(identity_similarity(other, one).mean()), golden.facts["OWN.csim"]["mean"], 1e-10)


def published_heads(kind: str) -> list[np.ndarray]:
    """The heads of lpips 0.1, which torchmetrics carries byte for byte."""
    package = Path(next(iter(find_spec("torchmetrics").submodule_search_locations)))
    state = torch.load(package / "functional" / "image" / "lpips_models" / f"{kind}.pth", map_location="cpu", weights_only=True)
    return [state[f"lin{layer}.model.1.weight"].flatten().numpy() for layer in range(5)]


def lpips_head_deviations(golden: Golden, kind: str) -> Iterator[Deviation]:
    """Distance alone: drawn features, real heads."""
    random, heads, facts = generator(99), published_heads(kind), golden.facts[f"ORIG.lpips.{kind}.features_only"]
    pairs = []
    for layer, channels in enumerate(CHANNELS[kind]):
        shape = (1, channels, (24 >> layer) + 1, (24 >> layer) + 1)
        pairs.append([np.maximum(random.standard_normal(shape), 0).astype(np.float32) for _ in "ab"])
    one, other = zip(*pairs)
    found = lpips.by_layer(one, other, heads)[0]
    for layer, wanted in enumerate(facts["layers"]):
        yield relative(f"{kind} layer {layer}", found[layer], wanted, LPIPS)
    yield relative(f"{kind} value", lpips.between_features(one, other, heads)[0], facts["value"], LPIPS)
    vectors = [lpips.as_vectors(part, heads) for part in (one, other)]
    yield relative(f"{kind} as vectors", lpips.between_vectors(*vectors)[0], facts["value"], LPIPS)


@torch.inference_mode()
def lpips_deviations(golden: Golden, kind: str) -> Iterator[Deviation]:
    """From pictures: a trunk with weights by rule, real heads; two pictures, then a video."""
    trunk, heads = Trunk(kind), published_heads(kind)
    one, other = (trunk(lpips.network_input(picture[None])) for picture in picture_pair(64, 80))
    for layer, found in enumerate(one):
        name = f"ORIG.lpips.{kind}.relu{layer}"
        assert list(found.shape) == golden.facts[name]["shape"]
        yield Deviation(f"{kind} features {layer}, absolute", apart(picked(found, 32), golden.arrays[name]), LPIPS)
    facts = golden.facts[f"ORIG.lpips.{kind}.rule_trunk_real_heads"]
    for layer, (found, wanted) in enumerate(zip(lpips.by_layer(one, other, heads)[0], facts["layers"])):
        yield relative(f"{kind} layer {layer}", found, wanted, LPIPS)
    yield relative(f"{kind} value", lpips.between_features(one, other, heads)[0], facts["value"], LPIPS)
    if kind == "vgg":
        vectors = [lpips.as_vectors(part, heads) for part in (one, other)]
        yield relative("vgg as one vector", lpips.between_vectors(*vectors)[0], golden.facts["OWN.lpips.vgg.as_one_vector"], LPIPS)
    seen = (trunk(lpips.network_input(frame[None])) for frame in texture(4, 64, 80, 61))
    found = np.array([lpips.between_features(frame, following, heads)[0] for frame, following in pairwise(seen)])
    facts = golden.facts[f"ORIG.lpips.{kind}.temporal"]
    for step, (value, wanted) in enumerate(zip(found, facts["pairs"], strict=True)):
        yield relative(f"{kind} step {step}", value, wanted, LPIPS)
    yield relative(f"{kind} temporal", found.mean(), facts["mean"], LPIPS)


class Trunk:
    """Features of AlexNet or VGG16 after five ReLUs, weights by rule; keys and layers as torchvision has them (metrics.md §4.1)."""

    def __init__(self, kind: str) -> None:
        self._layers, self._taps = _alex() if kind == "alex" else _vgg()
        state = nn.ModuleDict({"features": self._layers}).state_dict()
        self._layers.load_state_dict({key.removeprefix("features."): metric_weight(key, tuple(value.shape)) for key, value in state.items()})

    def __call__(self, pictures: np.ndarray) -> list[np.ndarray]:
        x, found = torch.from_numpy(pictures), []
        for number, layer in enumerate(self._layers):
            x = layer(x)
            if number in self._taps:
                found.append(x.numpy())
        return found


def _alex() -> tuple[nn.Sequential, tuple[int, ...]]:
    layers = [nn.Conv2d(3, 64, 11, 4, 2), nn.ReLU(), nn.MaxPool2d(3, 2), nn.Conv2d(64, 192, 5, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2)]
    for inputs, outputs in ((192, 384), (384, 256), (256, 256)):
        layers += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU()]
    return nn.Sequential(*layers), (1, 4, 7, 9, 11)


def _vgg() -> tuple[nn.Sequential, tuple[int, ...]]:
    layers, inputs = [], 3
    for outputs, convolutions in zip(CHANNELS["vgg"], (2, 2, 3, 3, 3)):
        for _ in range(convolutions):
            layers += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU()]
            inputs = outputs
        layers.append(nn.MaxPool2d(2, 2))
    return nn.Sequential(*layers[:-1]), (3, 8, 15, 22, 29)
