"""What Spark's own pages show while an application runs, and with which words programs are started: saved as files, to be searched."""

import json
import threading
from pathlib import Path

from tests.cluster_real.nodes import Cluster, address, command_of

EVERY_S = 4.0
PAGES = ("environment/", "executors/", "jobs/", "stages/", "SQL/", "storage/")
PARTS = ("environment", "allexecutors", "jobs", "stages", "sql")


class Pages:
    """While open, the pages of the driver, of the master and of the workers are fetched again and again into `folder`, and the command lines
    of all nodes are noted in its file `commands`."""

    def __init__(self, cluster: Cluster, folder: Path) -> None:
        self._cluster, self._folder, self._ended = cluster, folder, threading.Event()
        self._commands: set[str] = set()
        self._thread = threading.Thread(target=self._look, daemon=True)
        folder.mkdir(parents=True, exist_ok=True)

    def __enter__(self) -> "Pages":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        self._thread.join()
        (self._folder / "commands").write_text("\n".join(sorted(self._commands)))

    def _look(self) -> None:
        while not self._ended.wait(EVERY_S):
            self._commands |= {command_of(pid) for node in self._cluster.nodes for pid in self._cluster.pids(node)}
            driver = f"http://{address('d')}:4040"
            found = self._fetch(f"{driver}/api/v1/applications")
            addresses = [f"http://{address('m')}:8080/", *(f"http://{address(node)}:8081/" for node in self._cluster.worker_nodes)]
            if found.startswith("["):
                for application in json.loads(found):
                    addresses += [f"{driver}/api/v1/applications/{application['id']}/{part}" for part in PARTS]
                addresses += [f"{driver}/{page}" for page in PAGES]
            for place in addresses:
                self._fetch(place)

    def _fetch(self, place: str) -> str:
        """A page, kept if there was one; the last of one address and length counts."""
        text = self._cluster.run("d", ["curl", "-s", "-m", "5", place], timeout=30).stdout
        if text:
            name = place.removeprefix("http://").replace("/", "_").replace(":", "_")
            (self._folder / f"{name}.{len(text)}").write_text(text)
        return text
