"""`talkvid demo`: the whole line on sample footage, or on the user's own videos, told step by step."""

import os
import shlex
import sys
from argparse import ArgumentParser, Namespace
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from jobs import text_table
from jobs.arguments import assignments
from jobs.cli import Sessions
from jobs.job import Job
from jobs.run import RunConfig, run_line, steps, whole
from jobs.sql_cells import shown
from jobs.summary import Summary
from schemas import duck
from schemas.lake import Lake
from schemas.lease import lease
from udfs.footage import make_footage, write_labels

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection
    from pyspark.sql import SparkSession

POLICY = "lite"
MOST_ROWS = 24
"""Rows of the answer that are shown."""

FATES = """
SELECT parse_filename(uri) AS file, printf('%.1f to %.1f s', start_s, end_s) AS clip, if(kept, 'kept', 'dropped') AS verdict,
    array_to_string(coalesce(nullif(list_filter(failed_rules, lambda rule: NOT ends_with(rule, ':missing')), []), failed_rules), ', ') AS why
FROM clip_metadata JOIN verdicts USING (clip_id)
WHERE policy_hash = ?
UNION ALL
SELECT parse_filename(uri), '', arg_max(outcome, seen_at), coalesce(arg_max(code || ': ' || detail, seen_at), '')
FROM sources LEFT JOIN failures ON entity = uri AND stage = 'ingest'
GROUP BY uri HAVING arg_max(outcome, seen_at) NOT IN ('registered')
ORDER BY file, clip"""
"""What became of each file: a row per clip, and one per file that gave none. Rules that lack a value are named where no other failed."""


@dataclass(frozen=True)
class DemoConfig:
    """Everything is written below `out`. `source` is a folder with the user's videos; None: sample footage is made. `full`: on to evaluated videos."""

    out: str
    source: str | None = None
    full: bool = False
    lake: str = ""
    limit: int | None = None
    quiet: bool = False
    master: str | None = None
    conf: tuple[tuple[str, str], ...] = ()


def arguments(parser: ArgumentParser) -> None:
    """Flags of the verb."""
    parser.add_argument("out", metavar="OUT", nargs="?", default="./demo", help="folder for the footage, the lake, the dataset and the report")
    parser.add_argument("--input", metavar="DIR", help="your own videos in place of sample footage")
    parser.add_argument("--full", action="store_true", help="on through prepare, train, generate and evaluate, with tiny networks and random weights")
    parser.set_defaults(lake=None)


def configure(args: Namespace) -> DemoConfig:
    """The configuration of a command line. Without `--lake` the lake lies below OUT, so that a demo leaves the user's own lake alone."""
    out = Path(args.out).expanduser().absolute()
    args.lake = args.lake or str(out / "lake")
    return DemoConfig(str(out), args.input, args.full, args.lake, args.limit, args.quiet, args.master, tuple(assignments(args.conf, "--conf").items()))


def run(spark: "SparkSession | None", lake: Lake, config: DemoConfig) -> Summary:
    """footage → ingest → segment → score → filter → export → report; with `full` → prepare → train → generate → evaluate."""
    out = Path(config.out)
    labels = ()
    if config.source is None:
        _tell(config, f"Sample footage goes to {_short(out / 'footage')}: one face in motion, and a file for each thing that can be wrong.")
        make_footage(out / "footage")
        write_labels(out / "labels.csv", out / "footage")
        labels = ("--labels", str(out / "labels.csv"))
    _tell(config, "Now the whole line: ingest, segment, score, filter, export, report. Each step ends with its sums.")
    limit = () if config.limit is None else ("--limit", str(config.limit))
    line = RunConfig(
        sources=(config.source or str(out / "footage"),),
        policy=POLICY,
        export=str(out / "dataset"),
        report=str(out / "report.html"),
        ingest_words=labels + limit,
        shared=("--lake", lake.place.root, *(["--quiet"] if config.quiet else [])),
    )
    with Sessions(config.master, dict(config.conf)) as sessions:
        with lease(lake.place, "demo"):
            lake.ledger.create()
            summaries = run_line(lake, steps(line), sessions)
        told = _go_on(config, lake, summaries["filter"], line.shared, sessions) if config.full else []
    summary = whole("demo", summaries)
    with duck.connect(lake.ledger) as engine:
        summary.results = "\n\n".join([summaries["filter"].results, _fates(engine, summary.fingerprint), *told, _what_next(config, lake)])
    return summary


def _go_on(config: DemoConfig, lake: Lake, funnel: Summary, shared: tuple[str, ...], sessions: Sessions) -> list[str]:
    """The rest of the line, and what is to be shown of it; nothing where no clip was kept."""
    from jobs.demo_full import Rest, go_on

    if not funnel.counts["kept"]:
        return ["No clip was kept, so there is nothing to train on."]
    _tell(config, "On through prepare, train, generate and evaluate. The networks are tiny and their weights random: what they generate is noise.")
    rest = Rest(Path(config.out), POLICY, shared)
    summaries = go_on(lake, rest, sessions)
    videos = [f"Videos   {_short(Path(folder))}" for folder in summaries["generate"].outputs]
    places = [f"Model    {_short(rest.model)}", *videos, f"Metrics  {_short(rest.page)}"]
    return [summaries["evaluate"].results, "\n".join(places)]


def _fates(engine: "DuckDBPyConnection", policy_hash: str) -> str:
    rows = engine.execute(FATES, [policy_hash]).fetchall()
    cells = [tuple(shown(value) for value in row) for row in rows[:MOST_ROWS]]
    more = [f"… and {len(rows) - MOST_ROWS} more"] if len(rows) > MOST_ROWS else []
    return "\n".join([text_table.table(("file", "clip", "verdict", "why"), cells, (False,) * 4), *more])


def _what_next(config: DemoConfig, lake: Lake) -> str:
    """Where everything is, and three commands to go on with."""
    out, place = Path(config.out), _short(Path(lake.place.root)) if lake.place.is_local else lake.place.root
    asked = shlex.quote(place)
    return "\n".join(
        [
            f"Report   {_short(out / 'report.html')}",
            f"Dataset  {_short(out / 'dataset')}",
            f"Lake     {place}",
            "",
            "Next:",
            f'  talkvid sql --engine duckdb --lake {asked} "SELECT clip_id, flow.shake, head.avg_resolution FROM clip_metadata ORDER BY flow.shake DESC"',
            f"  talkvid filter --policy {POLICY} --set shake=20 --lake {asked}",
            "  talkvid run YOUR_VIDEOS --export ./dataset",
        ]
    )


def _tell(config: DemoConfig, sentence: str) -> None:
    if not config.quiet:
        print(sentence, file=sys.stderr, flush=True)


def _short(path: Path) -> str:
    """The path as one would type it from here."""
    relative = os.path.relpath(path)
    return str(path) if relative.startswith("..") else relative


JOB = Job(
    "demo",
    "the whole line on sample footage, or on your own",
    arguments,
    configure,
    run,
    needs_spark=lambda config: False,
    takes_lease=lambda config: False,
)

if __name__ == "__main__":
    from jobs.cli import main

    main(["demo", *sys.argv[1:]])
