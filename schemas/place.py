"""Where a lake lies: a folder or an object-store prefix, and the paths below it. Knows nothing of Spark."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from schemas.errors import MissingError, UsageError

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://")
MAINTENANCE = frozenset({"OPTIMIZE", "VACUUM START", "VACUUM END", "SET TBLPROPERTIES"})
"""Delta operations that bring no new data, so that they do not count as new input."""


@dataclass(frozen=True)
class Place:
    """The root of a lake. `root` is an absolute folder or a URI with a scheme (`s3a://bucket/prefix`)."""

    root: str

    @classmethod
    def of(cls, text: str) -> "Place":
        """The place a user named; relative folders become absolute. Raises `UsageError` for a name that cannot be used."""
        if not text.strip():
            raise UsageError("--lake is empty; give a folder or an object-store prefix")
        if text.startswith("file://"):
            text = text[len("file://") :]
        if _SCHEME.match(text):
            return cls(text.rstrip("/"))
        folder = str(Path(text).expanduser().absolute())
        if set(folder) & set("%[]"):
            raise UsageError(f"--lake {folder}: a lake's folder cannot have %, [ or ] in its name, which delta-rs misreads")
        return cls(folder)

    @property
    def is_local(self) -> bool:
        """True for a folder."""
        return not _SCHEME.match(self.root)

    def at(self, *parts: str) -> str:
        """A path below the root."""
        return "/".join([self.root, *parts])

    def table(self, name: str) -> str:
        """Address of a table for Spark."""
        return self.at("tables", name)

    def table_for_rust(self, name: str) -> str:
        """Address of a table for delta-rs, whose S3 scheme is `s3://`."""
        return re.sub(r"^s3[an]://", "s3://", self.table(name))

    def table_uri(self, name: str) -> str:
        """Address of a table as a URI with escapes, for SQL texts."""
        return "file://" + quote(self.table(name)) if self.is_local else self.table(name)

    def media(self, video_id: str) -> str:
        """Folder of the media that was copied or downloaded for a video."""
        return self.at("media", video_id)

    def exists(self) -> bool:
        """True when a lake was created here."""
        if self.is_local:
            return Path(self.table("runs"), "_delta_log").is_dir()
        from deltalake import DeltaTable

        return DeltaTable.is_deltatable(self.table_for_rust("runs"))

    def require(self) -> None:
        """Raise `MissingError` unless a lake is here."""
        if not self.exists():
            raise MissingError(f"there is no lake at {self.root}; make one with: talkvid ingest FOLDER --lake {self.root}")

    def version(self, table: str) -> int:
        """Newest Delta version of a table; -1 where there is none. Costs a folder listing."""
        if self.is_local:
            return max(self._local_versions(table), default=-1)
        from deltalake import DeltaTable
        from deltalake.exceptions import TableNotFoundError

        try:
            return DeltaTable(self.table_for_rust(table)).version()
        except TableNotFoundError:
            return -1

    def data_version(self, table: str, since: int) -> int:
        """`since` when only maintenance was committed after it, else the newest version."""
        newest = self.version(table)
        if newest <= since or not self.is_local:
            return newest
        if any(self._operation(table, version) not in MAINTENANCE for version in range(since + 1, newest + 1)):
            return newest
        return since

    def _local_versions(self, table: str) -> list[int]:
        log = Path(self.table(table), "_delta_log")
        return [int(entry.stem) for entry in log.glob("*.json") if entry.stem.isdigit()]

    def _operation(self, table: str, version: int) -> str:
        entry = Path(self.table(table), "_delta_log", f"{version:020d}.json")
        if not entry.exists():
            return "unknown"
        for line in entry.read_text().splitlines():
            action = json.loads(line)
            if "commitInfo" in action:
                return action["commitInfo"].get("operation", "unknown")
        return "unknown"
