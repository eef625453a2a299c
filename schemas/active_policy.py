"""The policy that is active in a lake: `curated` and `funnel` speak of it. It is kept whole in the settings."""

from schemas.ledger import Ledger
from schemas.policy import Policy
from schemas.policy_files import parse

KEY = "active_policy"
HOW = "no policy is active in this lake yet; make one active with: talkvid filter --policy lite --save"


def active_policy(ledger: Ledger) -> Policy | None:
    """The active policy, with the thresholds it was saved with; None before the first `filter --save`."""
    text = ledger.setting(KEY)
    return parse(text, "the active policy of this lake") if text else None


def make_active(ledger: Ledger, policy: Policy) -> None:
    """Make a policy the active one; nothing is written when it is already."""
    ledger.set(KEY, policy.to_json())
