"""The `config.json` that published weights have beside them: it says what their network has to be built with."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from schemas.errors import VerificationError

Network = TypeVar("Network")


def built_for(weights: Path, build: Callable[[dict[str, Any]], Network]) -> Network:
    """`build` of what the `config.json` beside the file `weights` says, of nothing where there is none.

    Raises `VerificationError` for one that is damaged, or describes no network that `build` can make.
    """
    described = weights.with_name("config.json")
    if not described.is_file():
        return build({})
    try:
        return build(dict(json.loads(described.read_bytes())))
    except MemoryError:
        raise
    except Exception as error:  # wrong entries can fail in any way the network's library can
        raise VerificationError(
            f"{described} does not describe a network that can be built: {str(error).splitlines()[0] if str(error) else error!r}"
        ) from error
