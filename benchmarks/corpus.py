"""Where the shared footage and goldens lie."""

import os
from pathlib import Path


def shared_folder() -> Path:
    """`$TALKVID_SHARED`, else the folder `shared` beside the repository."""
    return Path(os.environ.get("TALKVID_SHARED") or Path(__file__).resolve().parents[2] / "shared")


def corpus_folder() -> Path:
    """Real footage, in the shared folder."""
    return shared_folder() / "corpus"


def goldens_folder() -> Path:
    """What the original networks gave, in the shared folder."""
    return shared_folder() / "specs" / "goldens"
