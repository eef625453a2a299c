"""Policies: which clips to keep, as data: named rules over columns of `clip_metadata` (law 4)."""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from schemas.errors import UsageError
from schemas.policy_columns import column_kind, near

Value = float | bool | tuple[float, float] | None

OPERATORS = {">=": ">=", ">": ">", "<=": "<=", "<": "<", "=": "=", "==": "=", "!=": "!=", "between": "between", "present": "present", "not null": "present"}
"""Spellings of operators, and the one that is kept. `between` includes both ends; `present` asks only for a value."""


@dataclass(frozen=True)
class Rule:
    """One condition that a kept clip meets. `column` is a number or boolean of `clip_metadata`, dotted inside a struct."""

    name: str
    column: str
    op: str
    value: Value = None
    why: str = ""

    @property
    def scorer(self) -> str | None:
        """The scorer whose struct the rule looks into; None for columns known before scoring."""
        struct, dot, _ = self.column.partition(".")
        return struct if dot else None

    @property
    def expression(self) -> str:
        """The rule as people read it: `head.avg_movement >= 80`."""
        if self.op == "present":
            return f"{self.column} IS NOT NULL"
        if isinstance(self.value, tuple):
            return f"{self.column} BETWEEN {_plain(self.value[0])} AND {_plain(self.value[1])}"
        return f"{self.column} {self.op} {_plain(self.value)}"

    def holds(self, value: float | bool | None) -> bool | None:
        """Whether a measured value meets the rule; None when it is missing (null or NaN), which never keeps."""
        if value is None or (isinstance(value, float) and math.isnan(value)):
            return None
        if isinstance(self.value, tuple):
            return self.value[0] <= value <= self.value[1]
        compared = {
            ">=": lambda: value >= self.value,
            ">": lambda: value > self.value,
            "<=": lambda: value <= self.value,
            "<": lambda: value < self.value,
            "=": lambda: value == self.value,
            "!=": lambda: value != self.value,
            "present": lambda: True,
        }
        return compared[self.op]()


@dataclass(frozen=True)
class Policy:
    """Rules in the order of the funnel. `cascade` orders groups of scorers, cheap first, for `score --cascade`; those it leaves out come last."""

    name: str
    rules: tuple[Rule, ...]
    cascade: tuple[tuple[str, ...], ...] = ()
    about: str = ""

    @property
    def policy_hash(self) -> str:
        """16 hex digits over the rules and thresholds, in order; the reasons and the cascade do not count."""
        rules = [[rule.name, rule.column, rule.op, rule.value] for rule in self.rules]
        return hashlib.sha256(json.dumps(rules).encode()).hexdigest()[:16]

    def with_set(self, assignments: Mapping[str, str]) -> "Policy":
        """The policy with other thresholds: rule name, or a column that one rule uses, to the new value as text.

        Raises `UsageError` for a name that is neither, a column of several rules, and a value that is no number.
        """
        changed = {rule.name: rule for rule in self.rules}
        for key, text in assignments.items():
            name = self._rule_named(key).name
            changed[name] = replace(changed[name], value=_value_of(changed[name], text))
        return replace(self, rules=tuple(changed[rule.name] for rule in self.rules))

    def _rule_named(self, key: str) -> Rule:
        by_name = [rule for rule in self.rules if rule.name == key]
        found = by_name or [rule for rule in self.rules if rule.column == key]
        if len(found) > 1:
            raise UsageError(f"--set {key}: several rules of policy {self.name} use that column; name one of: {', '.join(rule.name for rule in found)}")
        if not found:
            known = [word for rule in self.rules for word in (rule.name, rule.column)]
            names = ", ".join(rule.name for rule in self.rules)
            raise UsageError(f"--set {key}: policy {self.name} has no such rule{near(key, known)}; its rules are: {names}")
        return found[0]

    def first_failed(self, row: Mapping[str, Any], scorers: frozenset[str] | None = None) -> str | None:
        """Name of the first rule that a row of `clip_metadata` (structs as dicts) fails, `<rule>:missing` where its value is; None when it passes.

        With `scorers`, only rules over those scorers and over columns known before scoring are asked: a cascade stops here.
        """
        for rule in self.rules:
            if scorers is not None and rule.scorer is not None and rule.scorer not in scorers:
                continue
            struct, _, leaf = rule.column.partition(".")
            value = row.get(struct)
            held = rule.holds(value if not leaf or value is None else value.get(leaf))
            if not held:
                return rule.name if held is False else f"{rule.name}:missing"
        return None

    def to_json(self) -> str:
        """The whole policy, reasons too, as `policy_files.parse` reads it."""
        return json.dumps({"name": self.name, "about": self.about, "rules": [asdict(rule) for rule in self.rules], "cascade": self.cascade})


def _plain(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:.0f}" if float(value).is_integer() and abs(value) < 1e15 else repr(float(value))


def _value_of(rule: Rule, text: str) -> Value:
    """A `--set` value as the rule's operator and column want it."""
    if rule.op == "present":
        raise UsageError(f"--set {rule.name}: the rule only asks for a value and has no threshold")
    if rule.op == "between":
        return checked_value(rule.name, rule.column, rule.op, [_number(part) for part in text.split(",")])
    if column_kind(rule.column) == "boolean" and text.lower() in ("true", "false"):
        return checked_value(rule.name, rule.column, rule.op, text.lower() == "true")
    return checked_value(rule.name, rule.column, rule.op, _number(text))


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def checked_value(name: str, column: str, op: str, value: Any) -> Value:
    """A threshold, checked against its operator and its column's type. Raises `UsageError`."""
    if op == "present":
        if value not in (None, True):
            raise UsageError(f"rule {name}: operator present takes no value")
        return None
    if op == "between":
        if not isinstance(value, list | tuple) or len(value) != 2 or not all(map(_is_number, value)) or value[0] > value[1]:
            raise UsageError(f"rule {name}: operator between takes two numbers, the lower first (with --set: LOW,HIGH), not {value!r}")
        return (float(value[0]), float(value[1]))
    if column_kind(column) == "boolean":
        if not isinstance(value, bool) or op not in ("=", "!="):
            raise UsageError(f"rule {name}: {column} is true or false; use operator = with true or false, not {op} {value!r}")
        return value
    if not _is_number(value):
        raise UsageError(f"rule {name}: the value must be a number, not {value!r}")
    return float(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
