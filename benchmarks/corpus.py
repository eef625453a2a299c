"""Where the shared corpus of real footage lies."""

import os
from pathlib import Path


def corpus_folder() -> Path:
    """Folder `corpus` of `$TALKVID_SHARED`, else of the folder `shared` beside the repository."""
    return Path(os.environ.get("TALKVID_SHARED") or Path(__file__).resolve().parents[2] / "shared") / "corpus"
