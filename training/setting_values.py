"""Values of settings: from YAML and the words of a command line to the kinds that `Settings` holds."""

from collections.abc import Mapping
from typing import Any, get_origin

import yaml

from schemas.errors import UsageError

AS_WRITTEN = frozenset({"languages", "speakers", "labels"})
"""Settings that hold names. YAML would read some names as something else: `no` (Norwegian) as false, `0012` as 10."""
_KINDS = {int: "a whole number", float: "a number", bool: "true or false", str: "a word"}


def of_file(text: str | bytes, source: str) -> dict[str, Any]:
    """What a YAML file says, NAME: VALUE. Raises `UsageError` for anything else."""
    try:
        said, written = yaml.safe_load(text), yaml.load(text, yaml.BaseLoader)
    except (yaml.YAMLError, ValueError) as error:  # PyYAML raises ValueError for a date that is none
        raise UsageError(f"{source} is no YAML: {str(error).splitlines()[0]}") from error
    if not isinstance(said, dict):
        raise UsageError(f"{source} holds no settings; write one NAME: VALUE a line")
    return {name: written.get(name, value) if name in AS_WRITTEN else value for name, value in said.items()}


def of_word(name: str, text: str) -> Any:
    """What VALUE of `--set NAME=VALUE` says; the word itself where it is no YAML."""
    try:
        value = yaml.load(text, yaml.BaseLoader if name in AS_WRITTEN else yaml.SafeLoader)
    except (yaml.YAMLError, ValueError):
        return text
    return text if value is None and name in AS_WRITTEN else value


def as_kind(kind: Any, value: Any, name: str, source: str) -> Any:
    """`value` as a field's type; numbers may be written in any way that Python reads. Raises `UsageError`."""
    if get_origin(kind) is Mapping:
        if not isinstance(value, Mapping) and value not in (None, ""):
            raise UsageError(f"{source}: {name} is {{COLUMN: [VALUE, …], …}}, not {value!r}")
        return {column: _names(values, f"{name}.{column}", source) for column, values in (value or {}).items()}
    if get_origin(kind) is tuple:
        return _names(value, name, source)
    if kind is float and not isinstance(value, bool):
        try:
            number = float(value)
        except (TypeError, ValueError, OverflowError):
            number = float("nan")
        if number == number and abs(number) != float("inf"):
            return number
    elif type(value) is kind:
        return value
    raise UsageError(f"{source}: {name} is {_KINDS[kind]}, not {value!r}")


def _names(value: Any, name: str, source: str) -> tuple[str, ...]:
    """One name, a list of them, or nothing at all, which is none."""
    members = value if isinstance(value, list | tuple) else [] if value in (None, "") else [value]
    if all(isinstance(member, str) and member for member in members):
        return tuple(members)
    raise UsageError(f"{source}: {name} is a list of names, not {value!r}")
