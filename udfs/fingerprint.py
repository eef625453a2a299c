"""Fingerprints: what made a row (law 5)."""

import hashlib
import json
from dataclasses import asdict, is_dataclass
from typing import Any


def fingerprint(name: str, version: int, config: Any, weights_sha256: dict[str, str] | None = None) -> str:
    """`name-v<version>-<16 hex digits>` over version, parameters and weights.

    Begins with `random:` when any weight's hash does, so that real and random numbers never mix.
    """
    weights = dict(sorted((weights_sha256 or {}).items()))
    parameters = asdict(config) if is_dataclass(config) and not isinstance(config, type) else config
    text = json.dumps([name, version, parameters, weights], sort_keys=True, default=str)
    mark = "random:" if any(value.startswith("random:") for value in weights.values()) else ""
    return f"{mark}{name}-v{version}-{hashlib.sha256(text.encode()).hexdigest()[:16]}"
