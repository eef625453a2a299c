"""The target in this machine's copies of trainings whose stages lie in a store: those of lost trainings go, the notes of running ones are rewritten."""

import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from jobs.removal import trained
from jobs.removal.target import Target
from schemas.scratch import scratch_folder
from training.running import COPIES, not_running

TEXTS = "*.json*"
"""Names of files that may hold ids of clips: snapshot and notes, whole or half fetched."""


def named(target: Target) -> list[str]:
    """Files that name the target. What a running training reads is none of them: it stays until that ends."""
    found: list[str] = []
    for folder in _folders():
        with not_running(folder) as is_left:
            found += map(str, _naming(folder, target, TEXTS if is_left else "seen/rank-*.jsonl"))
    return found


def take_out(target: Target) -> None:
    """Remove copies of lost trainings that name the target, and have running ones forget what they noted of it."""
    for folder in _folders():
        with not_running(folder) as is_left:
            if is_left and _naming(folder, target, TEXTS):
                shutil.rmtree(folder, ignore_errors=True)
                with suppress(OSError):  # another stage of this output has copies there
                    folder.parent.rmdir()
            elif not is_left:
                trained.forget([str(note) for note in _naming(folder, target, "seen/rank-*.jsonl")], target)


def _folders() -> Iterator[Path]:
    yield from sorted(folder for folder in scratch_folder().glob(f"{COPIES}*/*") if folder.is_dir())


def _naming(folder: Path, target: Target, pattern: str) -> list[Path]:
    found = []
    for path in sorted(folder.rglob(pattern)):
        with suppress(FileNotFoundError):  # a training that ended removed it
            if target.named_by(path.read_text(errors="replace")):
                found.append(path)
    return found
