"""LPIPS 0.1: distance of two pictures in the features of a network (Zhang et al. 2018; metrics.md §4.1).

The networks are elsewhere (`networks.py`); here is what is made of their features.
"""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Features = Sequence[NDArray[np.float32]]
"""Of each of five layers (N, C, H, W), after its ReLU."""
Heads = Sequence[NDArray[np.float32]]
"""Of each layer (C,): how much a channel counts, not negative."""
Vectors = TypeVar("Vectors")
"""(N, D), numpy or torch."""

SHIFT = np.array((-0.030, -0.088, -0.188), np.float32)
SCALE = np.array((0.458, 0.448, 0.450), np.float32)
_EPSILON = 1e-10


def network_input(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(N, H, W, 3) RGB -> (N, 3, H, W): 0..255 to -1..1, then shifted and scaled by channel; not resized."""
    scaled = (pictures.astype(np.float32) / np.float32(127.5) - 1 - SHIFT) / SCALE
    return np.ascontiguousarray(scaled.transpose(0, 3, 1, 2))


def by_layer(one: Features, other: Features, heads: Heads) -> NDArray[np.float64]:
    """(N, 5): weighted squared difference of unit features, mean over the picture. LPIPS is the sum over layers."""
    layers = zip(one, other, heads, strict=True)
    differences = [np.einsum("nchw,c->nhw", np.square(_unit(a) - _unit(b)), head, dtype=np.float64).mean((1, 2)) for a, b, head in layers]
    return np.stack(differences, axis=1)


def between_features(one: Features, other: Features, heads: Heads) -> NDArray[np.float64]:
    """(N,) LPIPS of N pairs; 0 for equal pictures."""
    return by_layer(one, other, heads).sum(1)


def as_vectors(features: Features, heads: Heads) -> NDArray[np.float32]:
    """(N, D): one vector per picture whose squared distance is LPIPS, as the published `vgg16.pt` gives it; D depends on the picture's size."""
    blocks = [_unit(layer) * np.sqrt(head)[:, None, None] / np.sqrt(layer.shape[2] * layer.shape[3]) for layer, head in zip(features, heads, strict=True)]
    return np.concatenate([block.reshape(len(block), -1) for block in blocks], axis=1).astype(np.float32)


def between_vectors(one: Vectors, other: Vectors) -> Vectors:
    """(N,) LPIPS of N pairs of vectors: their squared distance (metrics.md §4.2)."""
    return ((one - other) ** 2).sum(-1)


def _unit(layer: NDArray[np.float32]) -> NDArray[np.float32]:
    return layer / (np.sqrt(np.square(layer).sum(1, keepdims=True)) + _EPSILON)
