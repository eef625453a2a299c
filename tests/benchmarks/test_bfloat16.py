"""Which verdicts two number formats give differently."""

import pytest

from benchmarks.bfloat16 import flips, rules_about
from schemas.policy import Rule
from schemas.policy_files import load, shipped


@pytest.mark.parametrize(
    ("op", "value", "pairs"),
    [
        (">=", 5.0, [(4.9, 5.0), (5.0, 5.1), (4.0, 4.9)]),
        ("between", (1.0, 2.0), [(2.0, 2.1), (1.0, 2.0), (0.9, 2.1)]),
        ("=", 0.0, [(0.0, 0.1), (0.1, 0.2), (0.0, 0.0)]),
        ("!=", 0.0, [(0.0, 0.1), (0.1, 0.2), (0.0, 0.0)]),
        ("present", None, [(1.0, None), (1.0, 2.0), (None, None)]),
    ],
)
def test_a_verdict_that_the_rule_gives_one_side_only_is_a_flip(op, value, pairs):
    assert flips(pairs, Rule("r", "dover.dover_scores", op, value)) == 1


def test_every_rule_of_the_shipped_policies_about_a_column_is_asked_once():
    column = "cotracker.cotracker_ratio"
    expressions = [rule.expression for rule in rules_about(column)]
    assert len(expressions) == len(set(expressions)) and f"{column} IS NOT NULL" in expressions
    assert set(expressions) == {rule.expression for policy in shipped() for rule in load(policy).rules if rule.column == column}
