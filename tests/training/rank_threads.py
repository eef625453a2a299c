"""Ranks as threads of one process, for what they tell each other."""

import threading
from collections.abc import Callable, Sequence
from typing import Any

from training.processes import Processes


class Together:
    """What each rank says goes to all."""

    def __init__(self, world: int) -> None:
        self.said: list = [None] * world
        self.barrier = threading.Barrier(world)

    def rank(self, number: int) -> Processes:
        together = self

        class Rank(Processes):
            def all(self, thing):
                together.said[self.rank] = thing
                together.barrier.wait(30)
                said = list(together.said)
                together.barrier.wait(30)
                return said

            def sums(self, values):
                return [sum(column) for column in zip(*self.all(values))]

            def from_first(self, thing):
                return self.all(thing)[0]

            def wait(self):
                self.all(None)

        return Rank(number, len(self.said))


def together(own: Sequence[Any], work: Callable[[Any, Processes], object]) -> list:
    """What `work` gave, or raised, on each rank; `own` is what it works with, one of each rank's."""
    ranks, ends = Together(len(own)), [None] * len(own)

    def run(number: int) -> None:
        try:
            ends[number] = work(own[number], ranks.rank(number))
        except Exception as error:
            ends[number] = error

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(own))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return ends
