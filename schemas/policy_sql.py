"""Policies compiled to SQL that Spark and DuckDB read alike. Only names of the schema and numbers get into it."""

from typing import Literal

from schemas.policy import Policy, Rule, Value
from schemas.policy_columns import column_kind

Dialect = Literal["spark", "duckdb"]


def passes_sql(rule: Rule) -> str:
    """True where the value meets the rule, false where it does not or is missing; never null."""
    return f"coalesce({_condition(rule)} AND NOT {missing_sql(rule)}, false)"


def missing_sql(rule: Rule) -> str:
    """True where the value is null or NaN (which both engines hold to be greater than any number)."""
    if column_kind(rule.column) == "real":
        return f"({rule.column} IS NULL OR isnan({rule.column}))"
    return f"({rule.column} IS NULL)"


def keeps_sql(policy: Policy) -> str:
    """True where every rule is met; never null."""
    return " AND ".join(passes_sql(rule) for rule in policy.rules)


def fate_sql(policy: Policy, first_step: int) -> str:
    """0 where a clip is kept; else the step of the first rule it fails, negative where that rule's value is missing.

    Rules are counted from `first_step`, which is at least 1.
    """
    cases = [
        f"WHEN {missing_sql(rule)} THEN {-step}" + (f" WHEN NOT ({_condition(rule)}) THEN {step}" if rule.op != "present" else "")
        for step, rule in enumerate(policy.rules, first_step)
    ]
    return f"CASE {' '.join(cases)} ELSE 0 END"


def failed_rules_sql(policy: Policy, dialect: Dialect) -> str:
    """Array of the names of all failed rules, `<rule>:missing` where the value is."""
    names = ", ".join(_failed_name(rule) for rule in policy.rules)
    if dialect == "spark":
        return f"array_compact(array({names}))"
    return f"list_filter([{names}], lambda failed: failed IS NOT NULL)"


def _failed_name(rule: Rule) -> str:
    missing = f"WHEN {missing_sql(rule)} THEN '{rule.name}:missing'"
    return f"CASE {missing} END" if rule.op == "present" else f"CASE {missing} WHEN NOT ({_condition(rule)}) THEN '{rule.name}' END"


def _condition(rule: Rule) -> str:
    if rule.op == "present":
        return f"{rule.column} IS NOT NULL"
    if isinstance(rule.value, tuple):
        return f"{rule.column} BETWEEN {_literal(rule.value[0])} AND {_literal(rule.value[1])}"
    return f"{rule.column} {rule.op} {_literal(rule.value)}"


def _literal(value: Value) -> str:
    """A DOUBLE in both engines: without an exponent they would read a DECIMAL."""
    if isinstance(value, bool):
        return "true" if value else "false"
    text = repr(float(value))
    return text if "e" in text else f"{text}e0"
