"""`talkvid report`: one HTML page that shows what a policy keeps of a lake, and why."""

import hashlib
import re
import sys
from argparse import ArgumentParser, Namespace
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobs import metadata
from jobs.job import Job
from jobs.random_weights import random_scorers, sentences
from jobs.removal import files
from jobs.report_page import distributions, diversity, facts, provenance, stills
from jobs.report_page.render import page
from jobs.summary import Summary, check_sum
from schemas import duck, storage
from schemas.active_policy import active_policy
from schemas.errors import UsageError
from schemas.lake import Lake
from schemas.ledger import now
from schemas.policy import Policy
from schemas.policy_files import load

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

VERSION = 1
"""Raised when the page changes, so that pages of older versions are made anew."""
DEFAULT_POLICY = "lite"
TABLES = ("videos", "sources", "segmentations", "clip_metadata", "failures", "runs")
"""Tables that the page tells of."""


@dataclass(frozen=True)
class ReportConfig:
    """Where the page goes (None: into the lake) and whose choice it shows (None: the active policy)."""

    out: str | None = None
    policy: str | None = None


def arguments(parser: ArgumentParser) -> None:
    """Flags of the verb."""
    parser.add_argument("out", metavar="OUT.html", nargs="?", help="file or s3a:// address to write; report.html in the lake when not given")
    parser.add_argument("--policy", metavar="P", help="policy by name or file; the active one when not given")


def configure(args: Namespace) -> ReportConfig:
    """The configuration of a command line. Raises `UsageError` for a name that cannot be an HTML file."""
    if args.out is not None and (not storage.is_remote(args.out) and Path(args.out).is_dir() or Path(args.out).suffix.lower() not in (".html", ".htm")):
        raise UsageError(f"report writes one HTML file, and {args.out} is no such name; try {Path(args.out, 'report.html')}")
    return ReportConfig(args.out, args.policy)


def run(spark: "SparkSession | None", lake: Lake, config: ReportConfig) -> Summary:
    """tables → facts → page."""
    policy, policy_is = _policy(lake, config)
    out = storage.address(config.out or lake.place.at("report.html"))
    state = _state(lake, policy)
    with duck.connect(lake.ledger, policy) as engine:
        facts.judge(engine, policy)
        totals = facts.totals(engine)
        random = random_scorers(engine, "judged")
        outdated = _made_before(out) != state
        if outdated:
            told = _told(engine, policy) | {"totals": totals, "random": random}
            told |= {"state": state, "lake": lake.place.root, "policy": policy, "policy_is": policy_is, "made_at": now()}
            storage.put_bytes(page(told).encode(), out)
    unknown = not files.note_report(lake, out)
    counts = {"in": totals.clips if outdated else 0, "clips": totals.clips, "kept": totals.kept, "rejected": totals.clips - totals.kept}
    check_sum("report", "clips", ("kept", "rejected"), counts)
    summary = Summary("report", counts, fingerprint=policy.policy_hash, outputs=[out], results=out)
    summary.notes = sentences(random, totals.clips)
    summary.notes += ["report: this lake cannot be written to, so that a removal will not find the page"] if unknown else []
    behind = metadata.behind(lake)
    summary.notes += [f"report: {behind} scored clips are not in clip_metadata yet; any writing verb brings them in"] if behind else []
    return summary


def _policy(lake: Lake, config: ReportConfig) -> tuple[Policy, str]:
    """The policy to show, and what it is to the lake."""
    active = active_policy(lake.ledger)
    chosen = load(config.policy) if config.policy else active
    if chosen is None:
        return load(DEFAULT_POLICY), "no policy is active yet"
    return chosen, "the active policy" if active and active.policy_hash == chosen.policy_hash else "not the active policy"


def _told(engine: Any, policy: Policy) -> dict[str, Any]:
    """All that the page tells, by the names that the template uses."""
    return {
        "rules": {rule.name: rule for rule in policy.rules},
        "steps": facts.steps(engine, policy),
        "ingested": facts.ingested(engine),
        "without_clips": facts.without_clips(engine),
        "sheets": stills.sheets(engine, policy),
        "histograms": distributions.histograms(engine, policy),
        "diversity": diversity.groups(engine),
        "failures": facts.failures(engine),
        "used": provenance.used(engine),
        "runs": facts.runs(engine),
    }


def _state(lake: Lake, policy: Policy) -> str:
    """What the page depends on: a page that has it already need not be made again."""
    return hashlib.sha256(repr((VERSION, lake.place.root, lake.ledger.versions(TABLES), policy.to_json())).encode()).hexdigest()


def _made_before(out: str) -> str | None:
    """The state that an earlier page at this place tells of."""
    found = re.search(rb'name="talkvid-state" content="([0-9a-f]{64})"', storage.read_bytes(out, 2000) or b"")
    return found[1].decode() if found else None


JOB = Job(
    "report",
    "write the HTML report",
    arguments,
    configure,
    run,
    check=lambda lake, config: lake.place.require(),
    needs_spark=lambda config: False,
    takes_lease=lambda config: False,
    limit="",
)

if __name__ == "__main__":
    from jobs.cli import main

    main(["report", *sys.argv[1:]])
