"""How an exported dataset lies on disk."""

from pathlib import Path

from jobs.layouts.bench import Bench
from jobs.layouts.folder import HuggingFace, TalkVid
from jobs.layouts.layout import Layout
from jobs.layouts.shards import WebDataset

LAYOUTS: dict[str, type[Layout]] = {"talkvid": TalkVid, "webdataset": WebDataset, "hf": HuggingFace, "bench": Bench}
CHOICES = ("talkvid", "webdataset", "hf")
"""What `export` writes; the others are written by verbs of their own."""


def layout(name: str, out: Path | str, *, media: bool, shard_size: int) -> Layout:
    """The layout of that name in folder `out`."""
    return LAYOUTS[name](out, media=media, shard_size=shard_size)
