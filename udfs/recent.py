"""What a scorer planned for the clips that are on their way to it."""

from collections import OrderedDict
from threading import Lock
from typing import Generic, TypeVar

from udfs.scorer import Clip

Plan = TypeVar("Plan")


class RecentPlans(Generic[Plan]):
    """The plans of the last `most` clips, by clip; clips are planned in several threads, and some never arrive (their decoding fails)."""

    def __init__(self, most: int = 1024) -> None:
        self._most = most
        self._plans: OrderedDict[Clip, Plan] = OrderedDict()
        self._lock = Lock()

    def keep(self, clip: Clip, plan: Plan) -> None:
        """Remember `plan`; the oldest ones beyond `most` are forgotten."""
        with self._lock:
            self._plans[clip] = plan
            self._plans.move_to_end(clip)
            while len(self._plans) > self._most:
                self._plans.popitem(last=False)

    def of(self, clip: Clip) -> Plan:
        """The plan of a clip that was kept not long ago."""
        with self._lock:
            return self._plans[clip]
