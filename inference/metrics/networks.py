"""The published networks of FID, FVD and LPIPS: TorchScript files, which are programs, so run only when their bytes are those of the manifest."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from schemas.errors import VerificationError
from udfs import weights
from udfs.scorer import Device

if TYPE_CHECKING:
    from torch import Tensor

FID, FVD, LPIPS = "fid-inception", "fvd-i3d", "lpips-vgg16"
"""Their names in the weights manifest."""
LEAST_FVD_FRAMES = 9
"""I3D leaves nothing of shorter clips; 16 is the standard (metrics.md §3)."""


class FidFeatures:
    """Inception-v3 of 2015-12-05 as StyleGAN2-ADA published it, which resizes by itself (metrics.md §2.1, §2.2)."""

    def __init__(self, device: Device) -> None:
        self._network, self._device = _loaded(FID, device), device

    def __call__(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(N, H, W, 3) RGB of any size -> (N, 2048)."""
        return _run(self._network, self._device, pictures.transpose(0, 3, 1, 2), return_features=True).cpu().numpy()


class FvdFeatures:
    """I3D (Kinetics-400) as StyleGAN-V calls it: it scales 0..255 and resizes to 224x224 by itself (metrics.md §3)."""

    def __init__(self, device: Device) -> None:
        self._network, self._device = _loaded(FVD, device), device

    def __call__(self, clips: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(N, T, H, W, 3) RGB -> (N, 400). Raises `ValueError` for less than nine frames."""
        if clips.shape[1] < LEAST_FVD_FRAMES:
            raise ValueError(f"FVD needs clips of at least {LEAST_FVD_FRAMES} frames, not {clips.shape[1]}")
        given = clips.transpose(0, 4, 1, 2, 3)
        return _run(self._network, self._device, given, rescale=True, resize=True, return_features=True).cpu().numpy()


class LpipsVectors:
    """VGG16 with LPIPS' heads as StyleGAN2-ADA published it (metrics.md §4.2): LPIPS is `lpips.between_vectors` of its answers."""

    def __init__(self, device: Device) -> None:
        self._network, self._device = _loaded(LPIPS, device), device

    def __call__(self, pictures: NDArray[np.uint8]) -> "Tensor":
        """(N, H, W, 3) RGB, not resized -> (N, D) on the device; D depends on the size, 32 million for 512x512."""
        return _run(self._network, self._device, pictures.transpose(0, 3, 1, 2), resize_images=False, return_lpips=True)


def _loaded(name: str, device: Device) -> Any:
    """Raises `MissingError` when the file is not there, `VerificationError` when its bytes are others or the manifest pins none."""
    import torch

    if weights.entry(name).sha256 is None:
        raise VerificationError(f"the weights {name} are a program that the manifest does not pin by its sha256, so it is not run")
    return torch.jit.load(weights.path(name), map_location=device.torch_name).eval()


def _run(network: Any, device: Device, given: NDArray[np.uint8], **options: bool) -> "Tensor":
    """The network's answer to 0..255 float32, in true float32 on a GPU too."""
    import torch

    from udfs.nets.true_float32 import true_float32

    with torch.inference_mode(), true_float32():
        return network(torch.from_numpy(np.ascontiguousarray(given)).to(device.torch_name).float(), **options)
