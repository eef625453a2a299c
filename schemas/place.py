"""Where a lake lies: a folder or an object-store prefix, and the paths below it. Knows nothing of Spark."""

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from schemas import delta_log, s3
from schemas.errors import MissingError, UsageError

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://")
_STORE = re.compile(r"s3a://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[A-Za-z0-9._=-]+)*")


@dataclass(frozen=True)
class Place:
    """The root of a lake. `root` is an absolute folder or `s3a://bucket/prefix`, however that was spelled."""

    root: str

    @classmethod
    def of(cls, text: str) -> "Place":
        """The place a user named; relative folders become absolute. Raises `UsageError` for a name that cannot be used."""
        if not text.strip():
            raise UsageError("--lake is empty; give a folder or an object-store prefix")
        if text.startswith("file://"):
            text = text[len("file://") :]
        if _SCHEME.match(text):
            address = s3.spelled(text).rstrip("/")
            if not s3.is_s3(address):
                raise UsageError(f"--lake {text}: a lake is a folder or an s3a:// prefix")
            if not _STORE.fullmatch(address):
                raise UsageError(f"--lake {text}: a lake is named s3a://bucket/prefix with letters, digits, dots, - and _ only; a bucket has 3 or more")
            return cls(address)
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
        return s3.spelled(self.table(name), "s3")

    def rust_options(self) -> dict[str, str] | None:
        """Options with which delta-rs opens tables here; no secrets, those it reads from the environment."""
        return None if self.is_local else s3.rust_options()

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
        return self.version("runs") >= 0

    def require(self) -> None:
        """Raise `MissingError` unless a lake is here."""
        if not self.exists():
            raise MissingError(f"there is no lake at {self.root}; make one with: talkvid ingest FOLDER --lake {self.root}")

    def version(self, table: str) -> int:
        """Newest Delta version of a table; -1 where there is none. Costs a folder listing."""
        return delta_log.newest_version(self.table(table))

    def data_version(self, table: str, since: int) -> int:
        """`since` when only maintenance was committed after it, else the newest version."""
        newest = self.version(table)
        if newest >= since and all(delta_log.is_maintenance(self.table(table), version) for version in range(since + 1, newest + 1)):
            return since
        return newest
