"""A stage of training whose home is a store: it runs in a folder of this machine, and its steps go to the store as they are written.

A step counts once its manifest is there, which goes last; a killed upload leaves files without one, which nobody reads and the next run writes over.
"""

import json
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from schemas import storage
from schemas.errors import TalkvidError
from training import exported
from training.checkpoints import MANIFEST, newest

EVERY_S = 5.0
_LATE = (MANIFEST, exported.NOTE)
"""Files that say that what lies beside them is whole."""


@dataclass
class StoredStage:
    """`folder`, the stage's on this machine, and `uri`, where it is kept."""

    folder: Path
    uri: str
    _sent: dict[str, tuple[int, float]] = field(default_factory=dict)

    def bring(self, only_model: bool = False) -> None:
        """Fetch what a run goes on from: settings, snapshot, metrics, what is not trained, the model, and the newest whole step; or the
        model alone, which is what another stage starts from."""
        names = {file.uri.removeprefix(f"{self.uri}/"): file for file in storage.listed(self.uri)}
        if only_model:
            names = {name: file for name, file in names.items() if name.startswith(f"{exported.MODEL_FOLDER}/")}
        steps = sorted(name.partition("/")[0] for name in names if name.startswith("step-") and name.endswith(f"/{MANIFEST}"))
        here = newest(self.folder)
        wanted = [name for name in names if not name.startswith(("step-", "."))]
        if steps and (here is None or here.folder.name < steps[-1]):
            manifest = json.loads(storage.read_bytes(storage.at(self.uri, steps[-1], MANIFEST)) or b"{}")
            wanted += [f"{steps[-1]}/{name}" for name in manifest["files"]] + [f"{steps[-1]}/{MANIFEST}"]
        for name in sorted(wanted, key=_rank):
            target = self.folder / name
            if not target.is_file() or target.stat().st_size != names[name].bytes:
                target.parent.mkdir(parents=True, exist_ok=True)
                half = target.with_name(f".{target.name}.half")
                storage.fetch(names[name].uri, half)
                half.replace(target)
            self._sent[name] = _state(target)

    def send(self) -> None:
        """Put what is new, manifests after the files that they speak of; steps that are no longer kept here go from the store too."""
        for path in sorted(self._whole(), key=lambda path: _rank(self._name(path))):
            name = self._name(path)
            try:
                state = _state(path)
                if self._sent.get(name) != state:
                    storage.put_file(path, storage.at(self.uri, name))
                    self._sent[name] = state
            except FileNotFoundError:  # a step that was pruned meanwhile
                continue
        kept = {name.partition("/")[0] for name in map(self._name, self._whole()) if name.startswith("step-")}
        if kept:
            for gone in sorted({file.uri.removeprefix(f"{self.uri}/").partition("/")[0] for file in storage.listed(self.uri)} - kept):
                if gone.startswith("step-"):
                    storage.delete(storage.at(self.uri, gone, MANIFEST))
                    storage.delete_below(storage.at(self.uri, gone))

    def _whole(self) -> list[Path]:
        """Files that are not being written: hidden ones are, and a step's until it has its name."""
        found = (path for path in self.folder.rglob("*") if path.is_file())
        return [path for path in found if not any(part.startswith(".") for part in path.relative_to(self.folder).parts)]

    def _name(self, path: Path) -> str:
        return str(path.relative_to(self.folder))

    @contextmanager
    def sending(self) -> Iterator[None]:
        """Send what is new every few seconds, and all of it at the end. A store that is away for a while is told and tried again."""
        ended = threading.Event()

        def keep_sending() -> None:
            while not ended.wait(EVERY_S):
                try:
                    self.send()
                except (TalkvidError, OSError) as error:
                    print(f"train: {self.uri} could not be written: {error}; it is tried again", file=sys.stderr, flush=True)

        thread = threading.Thread(target=keep_sending, name="talkvid-sending", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
            self.send()


def _rank(name: str) -> tuple[bool, str]:
    return name.rpartition("/")[2] in _LATE, name


def _state(path: Path) -> tuple[int, float]:
    return path.stat().st_size, path.stat().st_mtime
