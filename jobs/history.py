"""What was run: rows in `runs`, and the question whether a verb has anything to do (law 7)."""

import json
import os
import time
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from jobs.summary import Summary
from schemas.lake import Lake
from schemas.ledger import now

NOT_KEPT = frozenset({"quiet", "json", "conf"})
"""Fields of configurations that say nothing of the result: how it is told, and what only Spark is told, secrets among it."""
APPENDED_BY_ALL = ("runs", "failures")
"""Tables to which any verb appends a little at a time."""


def new_run_id(verb: str) -> str:
    """`<verb>-<UTC time>-<process>`: sortable, safe as a file name."""
    return f"{verb}-{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}-{time.time_ns() % 10**9:09d}-{os.getpid()}"


def configuration_json(config: Any) -> str:
    """A configuration as it is compared and kept: all but what is in `NOT_KEPT`."""
    record = {key: value for key, value in asdict(config).items() if key not in NOT_KEPT}
    return json.dumps(record, sort_keys=True, default=str)


def record(
    lake: Lake,
    summary: Summary,
    config: Any,
    *,
    run_id: str,
    started: datetime,
    depends_on: Sequence[str],
    fingerprints: dict[str, str] | None = None,
) -> None:
    """Append the run to `runs`, and keep the tables that every verb appends to compact. `depends_on` names the tables whose growth means new
    work for the verb: none of them is touched."""
    lake.ledger.append(
        "runs",
        [
            {
                "run_id": run_id,
                "verb": summary.verb,
                "configuration": configuration_json(config),
                "input_versions": list(lake.ledger.versions(depends_on).items()),
                "fingerprints": list((fingerprints or {}).items()),
                "counts": list(summary.counts.items()),
                "output_uris": summary.outputs,
                "complete": summary.complete,
                "started": started,
                "finished": now(),
            }
        ],
    )
    for table in APPENDED_BY_ALL:
        lake.ledger.compact(table)


def idle_summary(lake: Lake, verb: str, config: Any, zeroed: dict[str, int], *, fingerprints: dict[str, str] | None = None) -> Summary | None:
    """A summary with the counts `zeroed` when the last complete run of this verb with this configuration saw the same tables and
    wanted the same fingerprints; None when there may be work."""
    run = lake.ledger.last_complete_run(verb, configuration_json(config))
    if run is None or run["fingerprints"] != (fingerprints or {}) or not lake.ledger.unchanged_since(run):
        return None
    return Summary(verb, dict(zeroed), outputs=list(run["output_uris"] or []), notes=[f"{verb}: nothing new since {run['finished']:%Y-%m-%d %H:%M}"])
