"""What official full-size checkpoints hold: every key with its shape."""

import functools
import gzip
import json
from collections.abc import Mapping
from importlib import resources

Shapes = Mapping[str, tuple[int, ...]]


@functools.cache
def shapes(file: str) -> Shapes:
    """Keys and shapes of an official file: `reference_net`, `denoising_unet`, `motion_module`, `v_kps_guider` or `audio_projection`."""
    if file == "motion_module":
        return {key: shape for key, shape in shapes("denoising_unet").items() if "motion_module" in key}
    packed = (resources.files(__name__) / f"{file}.json.gz").read_bytes()
    return {key: tuple(shape) for key, shape in json.loads(gzip.decompress(packed)).items()}
