"""What the official checkpoints hold: every key with its shape."""

import functools
import json
from collections.abc import Mapping
from importlib import resources

Shapes = Mapping[str, tuple[int, ...]]


@functools.cache
def shapes(checkpoint: str) -> Shapes:
    """Keys and shapes of `checkpoint` (the name of a .json file here, e.g. `dover`, `cotracker3_offline`), in the file's order."""
    text = (resources.files(__name__) / f"{checkpoint}.json").read_text()
    return {key: tuple(shape) for key, shape in json.loads(text).items()}


def differences(checkpoint: str, found: Shapes) -> list[str]:
    """How `found` differs from what `checkpoint` must hold, one phrase each, missing keys first; empty when they agree."""
    wanted = shapes(checkpoint)
    missing = [f"{key} is missing" for key in wanted if key not in found]
    unknown = [f"{key} is not part of {checkpoint}" for key in found if key not in wanted]
    reshaped = [f"{key} is {list(found[key])}, expected {list(shape)}" for key, shape in wanted.items() if key in found and tuple(found[key]) != shape]
    return missing + unknown + reshaped
