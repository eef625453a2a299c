"""`talkvid weights`: list, fetch, verify, add and export network weights, with no lake and no Spark."""

import sys
from argparse import ArgumentParser, Namespace
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from jobs import text_table
from jobs.job import Job
from jobs.summary import Summary
from schemas.errors import MissingError, UsageError, VerificationError
from udfs import weights, weights_export
from udfs.weights_manifest import Weight

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from schemas.lake import Lake

ACTIONS = {
    "list": "every entry of the manifest, with its licence and whether it is there; of NAME also where it comes from",
    "fetch": "download NAME from its official address",
    "verify": "check the bytes of NAME, or of all that is there",
    "add": "take the copy FILE, whose entry is recognised or named by --name",
    "export": "write NAME for onnxruntime, beside it",
}


@dataclass(frozen=True)
class WeightsConfig:
    """`action` of `ACTIONS`; `subject` is a name, or for `add` a file; `name` is `add`'s entry."""

    action: str
    subject: str | None = None
    name: str | None = None


def arguments(parser: ArgumentParser) -> None:
    """Flags of the verb."""
    parser.add_argument("action", choices=ACTIONS, help="; ".join(f"{action}: {what}" for action, what in ACTIONS.items()))
    parser.add_argument("subject", nargs="?", metavar="NAME|FILE", help="entry of the manifest, or file to add")
    parser.add_argument("--name", metavar="NAME", help="add: which entry FILE is")


def configure(args: Namespace) -> WeightsConfig:
    """Configuration from the command line. Raises `UsageError` where NAME or FILE is lacking or too much."""
    if args.action in ("fetch", "add", "export") and args.subject is None:
        raise UsageError(f"weights {args.action} needs {'a file' if args.action == 'add' else 'a name; see talkvid weights list'}")
    if args.name is not None and args.action != "add":
        raise UsageError(f"--name goes with weights add, not with weights {args.action}")
    return WeightsConfig(args.action, args.subject, args.name)


def run(spark: "SparkSession | None", lake: "Lake", config: WeightsConfig) -> Summary:
    """Do `config.action`; raises `VerificationError` when weights are there but are not what was pinned."""
    if config.action == "list":
        return _list(config.subject)
    if config.action == "verify":
        return _verify(config.subject)
    if config.action == "fetch":
        return _taken("fetched", weights.fetch(str(config.subject)))
    if config.action == "export":
        return _taken("exported", weights_export.export(str(config.subject)))
    return _taken("added", weights.add(str(config.subject), config.name))


def _list(name: str | None) -> Summary:
    chosen = weights.manifest() if name is None else (weights.entry(name),)
    there = {weight.name for weight in chosen if weights.available(weight.name)}
    summary = Summary("weights", {"in": len(chosen), "there": len(there), "missing": len(chosen) - len(there)})
    summary.results = _table(chosen, there) if name is None else f"{_table(chosen, there)}\n\n{_details(chosen[0], name in there)}"
    summary.extra["weights"] = [asdict(weight) | {"there": weight.name in there} for weight in chosen]
    return summary


def _verify(name: str | None) -> Summary:
    states = weights.verify(name)
    if name is not None and states[name] == "missing":
        raise MissingError(weights.missing_sentence(weights.entry(name)))
    wrong = [state for state in states.values() if state not in ("ok", "missing")]
    if wrong:
        raise VerificationError("; ".join(wrong))
    missing = sum(state == "missing" for state in states.values())
    summary = Summary("weights", {"in": len(states), "ok": len(states) - missing, "missing": missing})
    summary.results = text_table.table(("name", "state"), list(states.items()), (False, False))
    summary.extra["states"] = states
    return summary


def _taken(word: str, weight: Weight) -> Summary:
    """Of one entry that is there now."""
    place = weights.path(weight.name)
    note = f"{weight.name}: {weight.gives}; licence: {weight.licence}, {weight.licence_note}"
    return Summary("weights", {"in": 1, word: 1}, fingerprint=weights.sha256(weight.name), outputs=[str(place)], notes=[note])


def _table(chosen: tuple[Weight, ...], there: set[str]) -> str:
    rows = [(weight.name, "there" if weight.name in there else "missing", weight.licence, _mib(weight), weight.gives, _origin(weight)) for weight in chosen]
    return text_table.table(("name", "state", "licence", "MiB", "gives", "from"), rows, (False, False, False, True, False, False))


def _details(weight: Weight, there: bool) -> str:
    """What does not fit into a line of the table."""
    where = f"it lies in {weights.path(weight.name)}" if there else f"to get it: {weights.how_to_get(weight)}"
    return f"licence: {weight.licence}, {weight.licence_note}\n{where}"


def _mib(weight: Weight) -> str:
    size = weight.bytes or weight.tensor_bytes
    about = "~" if weight.bytes is None else ""
    return "" if size is None else f"{about}{size / 2**20:.1f}"


def _origin(weight: Weight) -> str:
    return {"package": f"package {weight.package}", "download": "talkvid weights fetch", "user": "talkvid weights add"}[weight.kind]


JOB = Job(
    verb="weights",
    help="List, fetch, verify, add and export network weights, with their licences.",
    arguments=arguments,
    configure=configure,
    run=run,
    needs_spark=lambda config: False,
    takes_lease=lambda config: False,
    limit="",
)

if __name__ == "__main__":
    from jobs.cli import main

    main(["weights", *sys.argv[1:]])
