"""Published TorchScript networks are called as published, and run only when the manifest pins their bytes."""

from dataclasses import replace
from hashlib import sha256

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from inference.metrics import networks
from inference.metrics.lpips import between_vectors
from schemas.errors import MissingError, VerificationError
from udfs import weights
from udfs.scorer import Device


class Inception(nn.Module):
    def forward(self, img: Tensor, return_features: bool = False) -> Tensor:
        assert return_features
        return img.mean(dim=(2, 3))


class I3D(nn.Module):
    def forward(self, x: Tensor, rescale: bool = False, resize: bool = False, return_features: bool = False) -> Tensor:
        assert rescale and resize and return_features
        return x[:, :, :, 0, 0].mean(dim=2)


class Vgg(nn.Module):
    def forward(self, img: Tensor, resize_images: bool = True, return_lpips: bool = False) -> Tensor:
        assert return_lpips and not resize_images
        return img.flatten(1) / 255


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Put a small network in the place of a published one, pinned or not."""
    monkeypatch.setenv("TALKVID_WEIGHTS", str(tmp_path))

    def put(name: str, network: nn.Module, *, pinned: bool = True) -> None:
        weight = weights.entry(name)
        torch.jit.script(network).save(str(tmp_path / weight.file))
        digest = sha256((tmp_path / weight.file).read_bytes()).hexdigest() if pinned else None
        monkeypatch.setattr(weights, "MANIFEST", tuple(replace(one, sha256=digest) if one.name == name else one for one in weights.MANIFEST))

    return put


def test_every_published_network_is_pinned_in_the_manifest():
    assert all(len(weights.entry(name).sha256) == 64 for name in (networks.FID, networks.FVD, networks.LPIPS))


def test_pictures_become_features(install):
    install(networks.FID, Inception())
    pictures = np.random.default_rng(0).integers(0, 256, (2, 5, 7, 3), np.uint8)
    np.testing.assert_allclose(networks.FidFeatures(Device())(pictures), pictures.mean((1, 2)), rtol=1e-6)


def test_clips_become_features(install):
    install(networks.FVD, I3D())
    clips = np.random.default_rng(0).integers(0, 256, (2, 16, 4, 6, 3), np.uint8)
    np.testing.assert_allclose(networks.FvdFeatures(Device())(clips), clips[:, :, 0, 0].mean(1), rtol=1e-6)


def test_clips_too_short_for_the_network_are_an_error(install):
    install(networks.FVD, I3D())
    with pytest.raises(ValueError, match="at least 9 frames, not 8"):
        networks.FvdFeatures(Device())(np.zeros((1, 8, 4, 4, 3), np.uint8))


def test_pictures_become_vectors_whose_distance_is_lpips(install):
    install(networks.LPIPS, Vgg())
    vectors = networks.LpipsVectors(Device())
    black, white = vectors(np.zeros((1, 2, 2, 3), np.uint8)), vectors(np.full((1, 2, 2, 3), 255, np.uint8))
    assert between_vectors(black, white).tolist() == [12.0]


def test_a_missing_file_is_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setenv("TALKVID_WEIGHTS", str(tmp_path))
    with pytest.raises(MissingError, match="weights fetch fvd-i3d"):
        networks.FvdFeatures(Device())


def test_a_file_of_other_bytes_is_not_run(install, tmp_path):
    install(networks.FID, Inception())
    torch.jit.script(Vgg()).save(str(tmp_path / weights.entry(networks.FID).file))
    with pytest.raises(VerificationError, match="fid-inception"):
        networks.FidFeatures(Device())


def test_a_program_that_the_manifest_does_not_pin_is_not_run(install):
    install(networks.FID, Inception(), pinned=False)
    with pytest.raises(VerificationError, match="does not pin"):
        networks.FidFeatures(Device())
