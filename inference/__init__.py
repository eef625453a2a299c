"""From a trained model to videos, and from videos to numbers.

`from inference import TalkVidInference` is the way in; torch is loaded when that name is asked for.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from inference.generator import Generated, TalkVidInference
    from inference.options import Options

__all__ = ["Generated", "Options", "TalkVidInference"]
_HOMES = {"Generated": "inference.generator", "Options": "inference.options", "TalkVidInference": "inference.generator"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"inference has no {name}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
