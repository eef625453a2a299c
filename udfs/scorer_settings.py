"""Configurations of scorers from words such as `cotracker.points_per_side=32`."""

from collections.abc import Mapping
from dataclasses import Field, fields, replace
from typing import Any, get_args

from schemas.errors import UsageError
from udfs.registry import SCORERS, default_config

LARGEST = 10**9
"""No setting of a scorer means more: larger ones only overflow somewhere below."""


def configs_of(settings: Mapping[str, str], flag: str = "--set") -> dict[str, Any]:
    """By scorer its configuration, the default but for `settings`: `SCORER.FIELD` to the value as text.

    Raises `UsageError`, with what there is to choose from, for a scorer, a field or a value that means nothing.
    """
    configs: dict[str, Any] = {}
    for key, text in settings.items():
        scorer, _, name = key.partition(".")
        if scorer not in SCORERS:
            raise UsageError(f"{flag} {key}: takes SCORER.FIELD=VALUE, and there is no scorer {scorer!r}; there are {', '.join(SCORERS)}")
        config = configs.get(scorer) or default_config(scorer)
        if config is None:
            raise UsageError(f"{flag} {key}: {scorer} has no settings")
        known = {field.name: field for field in fields(config)}
        if name not in known:
            raise UsageError(f"{flag} {key}: {scorer} has no setting {name!r}; it has {', '.join(known)}")
        configs[scorer] = replace(config, **{name: _value(f"{flag} {key}", known[name], text)})
    return configs


def _value(where: str, field: Field, text: str) -> Any:
    """The text as the field's type; numbers are above 0, or from 0 where the default is 0."""
    kinds = get_args(field.type) or (field.type,)
    if type(None) in kinds and text == "none":
        return None
    if bool in kinds:
        if text not in ("true", "false"):
            raise UsageError(f"{where}: takes true or false, not {text!r}")
        return text == "true"
    if str in kinds:
        return text
    return _number(where, int if int in kinds else float, text, zero=field.default == 0)


def _number(where: str, kind: type, text: str, *, zero: bool) -> float:
    try:
        value = kind(text)
        fits = value <= LARGEST and (value > 0 or (zero and value == 0))
    except ValueError:
        fits = False
    if not fits:
        raise UsageError(f"{where}: takes a {'whole ' if kind is int else ''}number {'from 0' if zero else 'above 0'} to {LARGEST:,}, not {text!r}")
    return value
