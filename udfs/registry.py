"""Which scorers there are, which of them can run here, and what fingerprint each has. To add a scorer, add a line to `SCORERS`."""

from collections.abc import Mapping, Sequence
from importlib import import_module
from inspect import signature
from types import MappingProxyType
from typing import Any

from schemas.errors import MissingError, UsageError
from udfs import weights
from udfs.fingerprint import fingerprint
from udfs.scorer import Scorer

SCORERS: dict[str, str] = {
    "technical": "udfs.technical:Technical",
    "flow": "udfs.flow:Flow",
    "head": "udfs.head:Head",
    "dover": "udfs.dover:Dover",
    "cotracker": "udfs.cotracker:CoTracker",
    "sync": "udfs.sync:Sync",
}
"""Name (its struct in `schemas.scores.STORED`) to `module:class`; cheap ones first."""

_DEFAULTS: Mapping[str, Any] = MappingProxyType({})


def build(names: Sequence[str], configs: Mapping[str, Any] = _DEFAULTS) -> list[Scorer]:
    """The scorers called `names`, each with its configuration of `configs` or its default; not yet set up.

    Raises `UsageError` for a name that is no scorer, and `MissingError`, the sentence of the first missing file, when weights
    are not there (DESIGN.md, "Weights": when the job is built).
    """
    scorers = [made(name, configs) for name in dict.fromkeys(names)]
    for scorer in scorers:
        sentence = _lacks(scorer)
        if sentence:
            raise MissingError(f"scorer {scorer.name}: {sentence}")
    return scorers


def made(name: str, configs: Mapping[str, Any] = _DEFAULTS) -> Scorer:
    """The scorer called `name`, with its configuration of `configs` or its default, whether or not its weights are there.

    Raises `UsageError` for a name that is no scorer, and for a configuration that means nothing to it.
    """
    kind = _kind(name)
    return kind(configs[name]) if name in configs else kind()


def available_scorers(configs: Mapping[str, Any] = _DEFAULTS) -> tuple[list[str], dict[str, str]]:
    """Names of the scorers whose weights are there, their own and those of what they need, and for each of the others the sentence that says
    what it lacks."""
    lacking = {name: next(filter(None, (_lacks(made(each, configs)) for each in _with_needed(name))), "") for name in SCORERS}
    return [name for name, sentence in lacking.items() if not sentence], {name: sentence for name, sentence in lacking.items() if sentence}


def lacking_weights(name: str, configs: Mapping[str, Any] = _DEFAULTS) -> list[str]:
    """Names of the weights that the scorer `name`, configured so, and those it needs lack."""
    return [weight for each in _with_needed(name) for weight in made(each, configs).weights if not weights.available(weight)]


def needed_by(name: str) -> frozenset[str]:
    """Names of the scorers whose values the scorer `name` takes: they are measured before it, in the same run."""
    return _kind(name).needs & SCORERS.keys() if name in SCORERS else frozenset()


def _with_needed(name: str) -> list[str]:
    return [name, *sorted(needed_by(name))]


def default_config(name: str) -> Any:
    """The configuration that the scorer `name` has when it is given none; None for one that has no settings."""
    parameter = signature(_kind(name)).parameters.get("config")
    return None if parameter is None else parameter.default


def scorer_fingerprint(scorer: Scorer) -> str:
    """What made its rows: version, parameters and the bytes of its weights (law 5)."""
    return fingerprint(scorer.name, scorer.version, scorer.config, {name: weights.sha256(name) for name in scorer.weights})


def _kind(name: str) -> type[Any]:
    if name not in SCORERS:
        raise UsageError(f"there is no scorer called {name!r}; there are {', '.join(SCORERS)}")
    module, _, class_name = SCORERS[name].partition(":")
    return getattr(import_module(module), class_name)


def _lacks(scorer: Scorer) -> str:
    missing = [name for name in scorer.weights if not weights.available(name)]
    return weights.missing_sentence(weights.entry(missing[0])) if missing else ""
