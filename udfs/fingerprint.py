"""Fingerprints: what made a row (law 5)."""

import hashlib
import json
from dataclasses import asdict, fields, is_dataclass
from typing import Any

NO_RESULT = {"fingerprint": "not"}
"""Metadata of a configuration's field that bounds cost and changes no result."""
LATER = {"fingerprint": "later"}
"""Metadata of a field that came after rows were made, whose default does what was done before: those rows stay as good."""


def only_with(name: str) -> dict[str, str]:
    """Metadata of a field that changes a result only where the field `name` of the same configuration differs from its default."""
    return {"fingerprint": "with", "field": name}


def fingerprint(name: str, version: int, config: Any, weights_sha256: dict[str, str] | None = None) -> str:
    """`name-v<version>-<16 hex digits>` over version, parameters and weights.

    Begins with `random:` when any weight's hash does, so that real and random numbers never mix. Fields of a configuration that are
    marked `NO_RESULT` count as their defaults, those marked `LATER` only when they differ from it, those marked `only_with` a field with it only.
    """
    weights = dict(sorted((weights_sha256 or {}).items()))
    parameters = _that_count(config) if is_dataclass(config) and not isinstance(config, type) else config
    text = json.dumps([name, version, parameters, weights], sort_keys=True, default=str)
    mark = "random:" if any(value.startswith("random:") for value in weights.values()) else ""
    return f"{mark}{name}-v{version}-{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def _that_count(config: Any) -> dict[str, Any]:
    parameters = asdict(config)
    changed = {field.name for field in fields(config) if parameters[field.name] != field.default}
    for field in fields(config):
        mark = field.metadata.get("fingerprint")
        if mark == "not":
            parameters[field.name] = field.default
        elif (mark == "later" and field.name not in changed) or (mark == "with" and field.metadata["field"] not in changed):
            del parameters[field.name]
    return parameters
