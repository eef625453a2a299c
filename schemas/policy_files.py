"""Policies as YAML: those that come with the project, and a user's own files."""

import re
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from schemas.errors import MissingError, UsageError
from schemas.policy import OPERATORS, Policy, Rule, checked_value
from schemas.policy_columns import near, rule_columns
from schemas.scores import SHOWN

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


def shipped() -> list[str]:
    """Names of the policies that come with the project."""
    return sorted(entry.name.removesuffix(".yaml") for entry in files("schemas").joinpath("policies").iterdir() if entry.name.endswith(".yaml"))


def load(name_or_file: str) -> Policy:
    """The policy of that name, or of a YAML file.

    Raises `MissingError` when there is neither, or when a rule names a column that is not there, and `UsageError` for a
    file that is no policy.
    """
    if name_or_file in shipped():
        return parse(files("schemas").joinpath("policies", f"{name_or_file}.yaml").read_text(encoding="utf-8"), name_or_file)
    path = Path(name_or_file).expanduser()
    if not path.is_file():
        raise MissingError(f"there is no policy {name_or_file!r}: give one of {', '.join(shipped())}, or a YAML file")
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{name_or_file} cannot be read as a policy: {error}") from None
    return parse(text, name_or_file)


def parse(text: str, where: str) -> Policy:
    """A policy from YAML. `where` names the text in errors."""
    try:
        record = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise UsageError(f"{where} is no YAML (operators such as '>=' stand in quotes): {' '.join(str(error).split())}") from None
    if not isinstance(record, dict) or not isinstance(record.get("rules"), list) or not record["rules"]:
        raise UsageError(f"{where} is no policy: it needs `name` and a list `rules`")
    _only_known(record, ("name", "about", "rules", "cascade"), where)
    rules = tuple(_rule(entry, number, where) for number, entry in enumerate(record["rules"], 1))
    names = [rule.name for rule in rules]
    if len(set(names)) < len(names):
        raise UsageError(f"{where}: two rules are called {next(name for name in names if names.count(name) > 1)}; names must differ")
    name = _safe_name(record.get("name", Path(where).stem), f"{where}: the policy's name")
    return Policy(name, rules, _cascade(record.get("cascade"), where), str(record.get("about", "")).strip())


def _rule(entry: Any, number: int, where: str) -> Rule:
    if not isinstance(entry, dict) or not isinstance(entry.get("column"), str):
        raise UsageError(f"{where}: rule {number} needs `name`, `column`, `op` and `value`")
    _only_known(entry, ("name", "column", "op", "value", "why"), f"{where}: rule {number}")
    column = entry["column"]
    name = _safe_name(entry.get("name", column), f"{where}: the name of rule {number}")
    if column not in rule_columns():
        raise MissingError(f"{where}: rule {name} looks at {column!r}, which is no number or boolean of clip_metadata{near(column, rule_columns())}")
    op = OPERATORS.get(str(entry.get("op")))
    if op is None:
        raise UsageError(f"{where}: rule {name} has operator {entry.get('op')!r}; the operators are: {', '.join(dict.fromkeys(OPERATORS.values()))}")
    return Rule(name, column, op, checked_value(name, column, op, entry.get("value")), " ".join(str(entry.get("why", "")).split()))


def _cascade(groups: Any, where: str) -> tuple[tuple[str, ...], ...]:
    if groups is None:
        return ()
    ordered = [group if isinstance(group, list) else [group] for group in groups] if isinstance(groups, list) else [[groups]]
    for scorer in (scorer for group in ordered for scorer in group):
        if scorer not in SHOWN:
            raise UsageError(f"{where}: cascade names {scorer!r}, which is no scorer; the scorers are: {', '.join(SHOWN)}")
    return tuple(tuple(group) for group in ordered)


def _only_known(record: dict, known: tuple[str, ...], where: str) -> None:
    unknown = [str(key) for key in record if key not in known]
    if unknown:
        raise UsageError(f"{where}: there is no key {unknown[0]!r}{near(unknown[0], known)}; the keys are: {', '.join(known)}")


def _safe_name(name: Any, what: str) -> str:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise UsageError(f"{what} must be 1 to 64 letters, digits, '_', '-' or '.', not {name!r}")
    return name
