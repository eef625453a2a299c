"""Identity similarity (CSIM): whether the generated face is the person's (metrics.md §5)."""

import numpy as np
from numpy.typing import NDArray


def identity_similarity(generated: NDArray[np.floating], real: NDArray[np.floating]) -> NDArray[np.float64]:
    """(T, d) embeddings of generated frames against (d,) of the reference picture or (T, d) of the same real frames -> (T,) cosines, -1..1.

    A video's value is their mean. Compare within one embedding model only, and name it. Raises `ValueError` for an embedding of length zero.
    """
    one, other = np.asarray(generated, np.float64), np.asarray(real, np.float64)
    if other.ndim == 2 and len(one) != len(other):
        raise ValueError(f"{len(one)} generated frames cannot be compared with {len(other)} real ones")
    lengths = np.linalg.norm(one, axis=-1) * np.linalg.norm(other, axis=-1)
    if not (lengths > 0).all():
        raise ValueError("an embedding of length zero has no direction")
    return (one * other).sum(-1) / lengths
