"""Cascades: expensive scorers are spared clips that already fail a policy (DESIGN.md, "A scorer")."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from schemas.policy import Policy


@dataclass(frozen=True)
class Skipped:
    """The outcome of a scorer that a cascade spared a clip: the rule it fails already."""

    rule: str


@dataclass(frozen=True)
class Cascade:
    """Scorers in groups, cheap first: once a clip fails a rule, later groups are spared. The first group always runs."""

    policy: Policy

    def rank(self, scorer: str) -> int:
        """Number of the scorer's group; a scorer that the policy does not name runs first."""
        return next((number for number, group in enumerate(self.policy.cascade) if scorer in group), 0)

    def failed_before(self, scorer: str, row: Mapping[str, Any]) -> str | None:
        """The rule that keeps `scorer` from a clip of which `row` is known; None when it shall run."""
        if self.rank(scorer) == 0:
            return None
        return self.policy.first_failed(row, frozenset(name for name in self.before(scorer) if row.get(name) is not None))

    def before(self, scorer: str) -> frozenset[str]:
        """Scorers of earlier groups: those whose rules can spare it."""
        return frozenset(name for group in self.policy.cascade[: self.rank(scorer)] for name in group)

    def mark(self, rule: str) -> str:
        """What `scores.skipped_by` keeps: void as soon as the policy's rules change."""
        return f"{self.policy.policy_hash}:{rule}"
