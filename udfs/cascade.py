"""Cascades: expensive scorers are spared clips that already fail a policy (DESIGN.md, "A scorer")."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from schemas.policy import Policy
from udfs.registry import needed_by


@dataclass(frozen=True)
class Skipped:
    """The outcome of a scorer that a cascade spared a clip: the rule it fails already."""

    rule: str


@dataclass(frozen=True)
class Cascade:
    """Scorers in groups, cheap first: once a clip fails a rule, later groups are spared. The first group always runs.

    Scorers that the policy does not name are a last group of their own. A scorer never runs before one it needs.
    """

    policy: Policy

    def rank(self, scorer: str) -> int:
        """Number of the group that the scorer runs with: its own, or that of a scorer it needs where that comes later."""
        return max(self._group(name) for name in (scorer, *needed_by(scorer)))

    def _group(self, scorer: str) -> int:
        """Where the policy names it, or a scorer that needs it; after all groups for a scorer of neither kind."""
        groups = list(enumerate(self.policy.cascade))
        named = [number for number, group in groups if scorer in group]
        with_others = [number for number, group in groups if any(scorer in needed_by(other) for other in group)]
        return min(named or with_others, default=len(groups))

    def failed_before(self, scorer: str, row: Mapping[str, Any]) -> str | None:
        """The rule that keeps `scorer` from a clip of which `row` is known; None when it shall run."""
        if self.rank(scorer) == 0:
            return None
        return self.policy.first_failed(row, frozenset(name for name in self.before(scorer) if row.get(name) is not None))

    def before(self, scorer: str) -> frozenset[str]:
        """Scorers of earlier groups: those whose rules can spare it."""
        rank, named = self.rank(scorer), {name for group in self.policy.cascade for name in group}
        return frozenset(name for name in named.union(*map(needed_by, named)) if self.rank(name) < rank)

    def mark(self, rule: str) -> str:
        """What `scores.skipped_by` keeps: void as soon as the policy's rules change."""
        return f"{self.policy.policy_hash}:{rule}"
