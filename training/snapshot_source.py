"""Batches of a training run from the `samples` that its `snapshot.json` pins, and those that are held out."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from schemas.place import Place
from training.batch import Batch
from training.lost_files import lost
from training.processes import Processes
from training.snapshot import GONE, TABLE, FileGoneError, Snapshot
from training.stages import Settings

if TYPE_CHECKING:
    from training.data import StreamSettings

RETRIES = 5
"""Times in a row that the clips may have to be looked up again before one batch comes."""


@dataclass(frozen=True)
class SnapshotSource:
    """As `training.train.Source`."""

    snapshot: Snapshot

    @classmethod
    def of(cls, file: Path) -> "SnapshotSource":
        """The source that a file pins. Raises as `Snapshot.read`."""
        return cls(Snapshot.read(file))

    @property
    def version(self) -> int:
        """Of the table `samples`."""
        return self.snapshot.version

    @property
    def random(self) -> bool:
        """True when features were made with random weights."""
        return self.snapshot.random

    def batches(self, settings: Settings, processes: Processes, start_step: int) -> Iterator[Batch]:
        """This rank's batches. When files are gone, because clips were removed, the clips are looked up again and the batches go on at the same step."""
        from training.data import SampleStream

        snapshot, step, tries = self._split(self.snapshot, settings)[0], start_step, 0
        while True:
            try:
                with SampleStream(snapshot, self._stream(settings), processes.rank, processes.world, start_step=step, device=processes.device) as stream:
                    if processes.first and not tries:
                        print(*(f"training: {sentence}\n" for sentence in stream.sentences), sep="", end="", file=sys.stderr, flush=True)
                    for batch in stream:
                        yield batch
                        step, tries = batch.step + 1, 0
            except FileGoneError as error:
                tries += 1
                if tries > RETRIES:
                    raise
                print(f"training: {error}; looked up again", file=sys.stderr, flush=True)
                snapshot = _looked_up(snapshot)

    def held_out(self, settings: Settings) -> list[Batch]:
        """The first samples of the clips held out, as they are, where they lie now; none where all of those that hold a sample were removed."""
        from training.data import SampleStream

        snapshot = self.snapshot
        for tries in range(RETRIES + 1):
            held = self._split(snapshot, settings)[1]
            if held is None or not any(frames >= _shortest(settings) and place != GONE for frames, place in zip(held.frames, held.places)):
                return []
            try:
                with SampleStream(held, self._stream(settings, alone=True)) as stream:
                    return [batch for _, batch in zip(range(settings.validation_samples), stream)]
            except FileGoneError:
                if tries == RETRIES:
                    raise
                snapshot = _looked_up(snapshot)
        raise AssertionError("a loop that returns or raises")

    def _split(self, snapshot: Snapshot, settings: Settings) -> tuple[Snapshot, Snapshot | None]:
        from training.held_out import split

        return split(snapshot, settings.validation_samples, _shortest(settings))

    def _stream(self, settings: Settings, *, alone: bool = False) -> "StreamSettings":
        """What the stream needs to know; `alone`: for one sample at a time, not mirrored, in this process.

        Cached latents are used when all clips have them, from the kind of VAE that the model goes with.
        """
        from training.data import StreamSettings

        cached = self.snapshot.latents
        return StreamSettings(
            frames=settings.frames,
            batch_per_rank=1 if alone else settings.batch_per_rank,
            seed=settings.seed,
            flip=0.0 if alone else settings.flip,
            workers=0 if alone else settings.workers,
            reference_margin=settings.reference_margin,
            latents=cached is not None and cached.startswith("random:") == (settings.model == "smoke"),
        )


def _shortest(settings: Settings) -> int:
    """Frames that a sample needs."""
    from training.sample import SampleSettings

    return SampleSettings(settings.seed, settings.frames, reference_margin=settings.reference_margin).shortest


def _looked_up(snapshot: Snapshot) -> Snapshot:
    """The clips where they lie now. Raises `MissingError` where none is left, or the newest version itself lacks files."""
    try:
        return snapshot.resolved()
    except FileGoneError as error:
        place = Place.of(snapshot.lake)
        raise lost(place, place.version(TABLE), error) from error
