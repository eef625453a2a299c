"""Lakes compared: what two runs must have in common."""

import subprocess
import sys
from pathlib import Path

from schemas.lake import Lake


def rows(lake: Path, table: str) -> list[str]:
    """A table's rows without times and run ids, in an order of their own."""
    read = Lake.at(str(lake)).ledger.read(table).to_pylist()
    return sorted(repr({key: value for key, value in row.items() if key not in ("run_id", "at") and not key.endswith("_at")}) for row in read)


def talkvid_alone(*words: str) -> None:
    """`talkvid VERB …` on this machine, with two slots."""
    subprocess.run([sys.executable, "-m", "jobs.cli", words[0], "--master", "local[2,4]", "--quiet", *words[1:]], check=True, cwd="/", timeout=400)
