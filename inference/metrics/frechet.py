"""Fréchet distance between two sets of features: FID of pictures, FVD of videos (metrics.md §2.3, §3)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FID_DDOF = 1
"""As pytorch-fid, clean-fid, torch-fidelity and torchmetrics; StyleGAN divides by n."""
FVD_DDOF = 0
"""As StyleGAN-V; the original and LatentSync divide by n - 1."""


@dataclass(frozen=True)
class Moments:
    """Count, mean (d,) and scatter matrix (d, d) of features, float64."""

    n: int
    mean: NDArray[np.float64]
    scatter: NDArray[np.float64]

    @classmethod
    def of(cls, features: NDArray[np.floating]) -> "Moments":
        """Of (n, d) features. Raises `ValueError` when there are none, or some are not finite."""
        values = np.asarray(features, np.float64)
        if values.ndim != 2 or len(values) == 0 or not np.isfinite(values).all():
            raise ValueError(f"finite features (n, d), at least one, are needed, not {values.shape}")
        mean = values.mean(0)
        return cls(len(values), mean, (values - mean).T @ (values - mean))

    def covariance(self, ddof: int) -> NDArray[np.float64]:
        """Scatter / (n - ddof). Raises `ValueError` when there are not more than `ddof`."""
        if self.n <= ddof:
            raise ValueError(f"a covariance of {self.n} needs more than {ddof}")
        return self.scatter / (self.n - ddof)


def frechet_distance(one: Moments, other: Moments, *, ddof: int) -> float:
    """|m1 - m2|² + Tr C1 + Tr C2 - 2 Tr (C1 C2)^½, at least 0 (Dowson and Landau 1982; Heusel et al. 2017).

    The trace of the root is the sum of the singular values of A'B with C1 = A A', C2 = B B': no matrix root that may turn complex, nothing added to
    the diagonals where there are fewer items than features, and the same both ways. Biased upwards there, so compare only at equal n.
    """
    gap, first, second = one.mean - other.mean, one.covariance(ddof), other.covariance(ddof)
    overlap = np.linalg.svd(_factor(first).T @ _factor(second), compute_uv=False).sum()
    return max(0.0, float(gap @ gap + np.trace(first) + np.trace(second) - 2 * overlap))


def _factor(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """A (d, rank) with A A' = matrix. Eigenvalues that are 0 but for rounding are left out: their roots would not be small."""
    values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    kept = values > max(values[-1], 0) * len(values) * np.finfo(np.float64).eps
    return vectors[:, kept] * np.sqrt(values[kept])
