"""SyncNet beside its golden numbers: every case gives deviations (metrics.md §1.6)."""

import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import nn

from tests.udfs.nets.golden_rules import Deviation, Golden, apart, picked, texture
from tests.udfs.nets.metrics_rules import face_boxes, generator, gliding_tones
from udfs.nets.syncnet import mfcc as front
from udfs.nets.syncnet.agreement import agreement, distance_table, framewise_confidence
from udfs.nets.syncnet.crop import cut, smoothed, square
from udfs.nets.syncnet.network import SyncNet, lip_embeddings, sound_embeddings
from udfs.nets.syncnet.session import judge

CEPSTRA, FEATURES, DISTANCES = 1e-9, 2e-4, 5e-4
TAPS = 15
"""Layers of each tower whose outputs are stored."""


def clip() -> np.ndarray:
    """(25, 224, 224, 3), blue first."""
    return texture(25, 224, 224, 21)


def against(golden: Golden, name: str, found: Any, allowed: float) -> Deviation:
    """`found` beside the stored array, or those of its values that are stored."""
    wanted, found = golden.arrays[name], np.asarray(found)
    assert list(found.shape) == golden.facts[name]["shape"], (name, found.shape)
    return Deviation(name, apart(found if wanted.shape == found.shape else picked(found, wanted.size), wanted), allowed)


def front_end_deviations(golden: Golden) -> Iterator[Deviation]:
    """Cepstra of a second, of silence, and the filters they come from."""
    sound = gliding_tones(16000)
    assert zlib.crc32(sound.tobytes()) == golden.facts["IN.syncnet.audio"]["crc32"]
    yield against(golden, "ORIG.mfcc", front.mfcc(sound), CEPSTRA)
    yield against(golden, "ORIG.mfcc.filterbank", front.mel_filters(), CEPSTRA)
    silence = front.mfcc(np.zeros(1000, np.int16))
    yield against(golden, "ORIG.mfcc.silence", silence, CEPSTRA)
    yield Deviation("bin edges", float(front.bin_edges() != golden.facts["OWN.mfcc.bin_edges"]), 0)
    rows = {length: len(front.mfcc(np.ones(int(length), np.int16))) for length in golden.facts["ORIG.mfcc.rows"]}
    yield Deviation("rows", float(rows != golden.facts["ORIG.mfcc.rows"]), 0)


@torch.inference_mode()
def tower_deviations(network: SyncNet, golden: Golden) -> Iterator[Deviation]:
    """The first window after each convolution, ReLU and pool, and what comes out."""
    frames = torch.from_numpy(clip()[:5]).permute(3, 0, 1, 2).float()
    windows = torch.from_numpy(front.windows_of(front.mfcc(gliding_tones(16000)), 1))
    for tag, tower, given in (("lip", network.netcnnlip, frames[None]), ("aud", network.netcnnaud, windows)):
        yield from _layer_deviations(golden, tag, tower, given)
    yield against(golden, "ORIG.lip.out0", network.lips(frames), FEATURES)
    yield against(golden, "ORIG.lip.feat0", network.netcnnlip(frames[None]).flatten(1), FEATURES)
    yield against(golden, "ORIG.aud.out0", network.sound(windows), FEATURES)


def _layer_deviations(golden: Golden, tag: str, tower: nn.Sequential, x: torch.Tensor) -> Iterator[Deviation]:
    """All that is stored of a tower's layers: `TAPS` of them, norms not among them."""
    stored = {name for name in golden.arrays if name.startswith(f"ORIG.{tag}.") and name.split(".")[2].isdigit()}
    compared = set()
    for number, layer in enumerate(tower):
        x = layer(x)
        name = f"ORIG.{tag}.{number}.{type(layer).__name__}"
        if name in stored:
            compared.add(name)
            yield against(golden, name, x, FEATURES)
    assert compared == stored and len(compared) == TAPS, stored - compared


def evaluation_deviations(network: SyncNet, golden: Golden) -> Iterator[Deviation]:
    """One second of picture and sound, up to offset, distance and confidence as three projects give them."""
    frames, sound = clip(), gliding_tones(16000)
    assert zlib.crc32(frames.tobytes()) == golden.facts["IN.syncnet.clip"]["crc32"]
    lips, heard = lip_embeddings(network, frames[:24]), sound_embeddings(network, front.mfcc(sound), 20)
    table = distance_table(lips, heard)
    yield against(golden, "ORIG.eval.im_feat", lips, FEATURES)
    yield against(golden, "ORIG.eval.cc_feat", heard, FEATURES)
    yield against(golden, "ORIG.eval.dists", table, DISTANCES)
    yield against(golden, "OWN.eval.mean_dist", table.mean(0), DISTANCES)
    yield against(golden, "OWN.eval.framewise_conf", framewise_confidence(table), DISTANCES)
    found, wanted = judge(network, frames, sound), golden.facts["ORIG.eval.latentsync"]
    yield Deviation("offset", float(found.offset_frames != wanted["offset"]), 0)
    yield Deviation("distance", abs(found.distance - wanted["min_dist"]), DISTANCES)
    yield Deviation("confidence", abs(found.confidence - wanted["conf"]), DISTANCES)
    yield Deviation("distance, Wav2Lip", abs(found.distance - golden.facts["ORIG.eval.wav2lip"]["third"]), DISTANCES)
    yield Deviation("confidence, joonson", abs(found.confidence - golden.facts["ORIG.eval.joonson"]["conf"]), DISTANCES)


def known_delay_deviations(golden: Golden) -> Iterator[Deviation]:
    """Distances alone, of embeddings that lag by three."""
    random = generator(77)
    lips = random.standard_normal((40, 8)).astype(np.float32)
    heard = (np.roll(lips, 3, 0) + 0.1 * random.standard_normal((40, 8))).astype(np.float32)
    table, wanted = distance_table(lips, heard), golden.facts["OWN.pdist.toy"]
    found = agreement(table)
    yield against(golden, "ORIG.pdist.toy.table", table, 1e-5)
    yield Deviation("offset", float(found.offset_frames != wanted["offset"]), 0)
    yield Deviation("distance", abs(found.distance - wanted["min"]), 1e-5)
    yield Deviation("confidence", abs(found.confidence - wanted["conf"]), 1e-5)


def crop_deviations(golden: Golden) -> Iterator[Deviation]:
    """From frames and boxes to what the network sees, to the bit."""
    frames, places = texture(20, 180, 320, 33), smoothed(face_boxes(20))
    for name, values in (("s", places.half_side), ("x", places.x), ("y", places.y)):
        yield against(golden, f"ORIG.crop.smoothed.{name}", values, 1e-9)
    squares = [square(*place) for place in zip(*places)]
    yield Deviation("squares", float([list(where) for where in squares] != golden.facts["OWN.crop.rect_y0y1x0x1_unpadded"]), 0)
    crops = np.stack([cut(frame, where) for frame, where in zip(frames, squares)])
    yield Deviation("crops", float(zlib.crc32(crops.tobytes()) != golden.facts["ORIG.crop.out"]["crc32"]), 0)
