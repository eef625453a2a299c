"""What lies in a lake on disk, to see that nothing changed."""

from pathlib import Path

from schemas.lake import Lake


def contents(lake: Lake) -> dict[str, int]:
    """Every file of the lake and its size."""
    return {str(path): path.stat().st_size for path in Path(lake.place.root).rglob("*") if path.is_file()}
