"""`runs` and `failures`: what every verb appends to stays few files."""

from dataclasses import dataclass

from jobs.history import new_run_id, record
from jobs.summary import Summary
from schemas.lake import Lake
from schemas.ledger import now

MOST_FILES = 64
RUNS = 100


@dataclass(frozen=True)
class Nothing:
    """A configuration without a choice."""


def test_a_hundred_small_verbs_leave_few_files(tmp_path):
    lake = Lake.at(str(tmp_path))
    lake.ledger.create()
    failure = {"entity": "v", "stage": "score:flow", "code": "timeout", "detail": "too slow", "retryable": True, "attempt": 1, "at": now()}
    for number in range(RUNS):
        lake.ledger.append("failures", [failure | {"entity": f"v{number}"}])
        record(lake, Summary("filter", {"in": 1}), Nothing(), run_id=new_run_id("filter"), started=now(), depends_on=())
    for table in ("runs", "failures"):
        assert len(lake.ledger.open(table).file_uris()) <= MOST_FILES
        assert lake.ledger.read(table).num_rows == RUNS
