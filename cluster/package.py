"""The project as one zip for `--py-files`: how the code reaches executors that have no checkout (cluster.md §7)."""

import hashlib
import io
import tempfile
import zipfile
from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

HOUSE = ("cluster", "inference", "jobs", "schemas", "training", "udfs")
"""The project's packages; each goes in whole, with the files that it reads."""

_LEFT_OUT = ("__pycache__",)
_STAMP = (1980, 1, 1, 0, 0, 0)


def contents() -> Iterator[tuple[str, bytes]]:
    """Names and bytes of all files of the project's packages, in one order."""
    for package in HOUSE:
        yield from _below(files(package), package)


def _below(folder: Traversable, name: str) -> Iterator[tuple[str, bytes]]:
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        path = f"{name}/{entry.name}"
        if entry.is_dir() and entry.name not in _LEFT_OUT:
            yield from _below(entry, path)
        elif entry.is_file() and not entry.name.endswith((".pyc", ".partial")):
            yield path, entry.read_bytes()


def packed() -> bytes:
    """The zip; the same bytes for the same code."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in contents():
            entry = zipfile.ZipInfo(name, _STAMP)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = (0o755 if name.endswith(".sh") else 0o644) << 16
            archive.writestr(entry, data)
    return buffer.getvalue()


def write_package(target: Path | None = None) -> Path:
    """Write the zip to `target`, or below the temporary folder under a name that tells its content; returns its path."""
    data = packed()
    if target is None:
        target = Path(tempfile.gettempdir(), f"talkvid-{hashlib.sha256(data).hexdigest()[:16]}.zip")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=target.parent, prefix=f".{target.name}-", delete=False) as partial:
        written = Path(partial.name)
        try:
            partial.write(data)
            partial.flush()
            written.chmod(0o644)
            written.replace(target)
        except BaseException:
            written.unlink()
            raise
    return target


def runs_from_zip() -> bool:
    """True in a process that got the project as a zip, for example by `spark-submit --py-files`."""
    return ".zip/" in __file__
