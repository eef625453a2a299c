"""Where the ranks of a run keep what they make, when all of them see one folder; `checkpoint_store.py` is for ranks that do not."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from schemas import storage
from schemas.errors import MissingError, TalkvidError, UsageError
from training import checkpoints
from training.checkpoints import Manifest, Step
from training.processes import Processes
from training.stage_files import CONFIG


@dataclass
class Shelf:
    """`folder` is the stage's, as this rank sees it."""

    folder: Path

    @property
    def place(self) -> str:
        """Address of the stage, under which others find it."""
        return str(self.folder)

    def ready(self, rank: int) -> None:
        """Have settings and snapshot, and this rank's own metrics, in `folder`. Raises `MissingError` where this machine does not see them."""
        if not (self.folder / CONFIG).is_file():
            raise MissingError(f"there is no {CONFIG} in {self.folder}: all ranks must see the output, a folder that their machines share or an s3a:// prefix")

    def step(self, resume: str, processes: Processes) -> Step | None:
        """The step to go on from, chosen by the first rank: `auto` is the newest, `never` none, else the one named.

        Raises `MissingError` where that is not there, `UsageError` where the stage holds newer steps: a run goes on from the newest or begins anew.
        """
        chosen, trouble = None, None
        if processes.first:
            try:
                chosen, there = self._chosen(resume), self._newest()
                if there is not None and (chosen is None or not storage.same(chosen, there)):
                    raise UsageError(f"{there} is of another run, or later: move it away, as talkvid train does, or take another output")
            except TalkvidError as error:
                trouble = error
        chosen, trouble = processes.from_first((chosen, trouble))
        if trouble is not None:
            raise trouble
        return None if chosen is None else self.opened(chosen)

    def _chosen(self, resume: str) -> str | None:
        found = checkpoints.newest(self.folder) if resume == "auto" else None if resume == "never" else checkpoints.at(Path(resume))
        return None if found is None else str(found.folder)

    def _newest(self) -> str | None:
        found = checkpoints.newest(self.folder)
        return None if found is None else str(found.folder)

    def opened(self, place: str) -> Step:
        """The step at a place that `_chosen` gave, with all its files on this machine."""
        return checkpoints.opened(Path(place))

    def write(self, manifest: Manifest, shard: Mapping[str, Any], processes: Processes, keep: int) -> None:
        """Keep a step, all ranks together, and the newest `keep` steps only. Raises `UsageError` on every rank when one could not write."""
        checkpoints.write(self.folder, manifest, shard, processes, keep)

    def written(self, number: int) -> Step:
        """The step of the stage with that number."""
        return self.opened(storage.at(self.place, checkpoints.step_name(number)))

    def keep_frozen(self, state: Mapping[str, Tensor]) -> None:
        """Keep what the stage does not train."""
        checkpoints.write_frozen(self.folder, state)

    def share_metrics(self, rank: int, *, due: bool = False) -> None:
        """Let others see this rank's metrics; `due`: only if that was not done lately."""

    def share_model(self) -> None:
        """Let others see the exported model."""

    def clear(self, processes: Processes) -> None:
        """Remove copies of what lies elsewhere, when all ranks are done."""
