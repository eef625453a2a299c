"""The one argument parser of all verbs (DESIGN.md, "Jobs and their contract")."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

from jobs.job import Job

MOST = 2**31 - 1
"""Largest number that flags take: the largest that Spark's and Delta's own take."""


class _Help(argparse.ArgumentDefaultsHelpFormatter):
    """Tells defaults that are values; that a flag is not given by default goes without saying."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        return action.help if action.default in (None, False, []) else super()._get_help_string(action)


class Parser(argparse.ArgumentParser):
    """argparse, with flags that take `-` or `_`, and usage errors in one line."""

    def __init__(self, **options: object) -> None:
        super().__init__(allow_abbrev=False, formatter_class=_Help, **options)

    def parse_known_args(self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None) -> tuple[argparse.Namespace, list[str]]:
        """Parse, after giving every long flag this parser knows its own spelling."""
        words = list(sys.argv[1:] if args is None else args)
        return super().parse_known_args([self._as_declared(word) for word in words], namespace)

    def _as_declared(self, word: str) -> str:
        if not word.startswith("--") or word == "--":
            return word
        flag, equals, value = word.partition("=")
        for spelling in (flag, flag.replace("_", "-"), "--" + flag[2:].replace("-", "_")):
            if spelling in self._option_string_actions:
                return spelling + equals + value
        return word

    def error(self, message: str) -> NoReturn:
        """One line and exit 2."""
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


def verb_parser(job: Job) -> Parser:
    """The parser of one verb: what all verbs take, then its own."""
    parser = Parser(prog=f"talkvid {job.verb}", description=job.help)
    everywhere = parser.add_argument_group("every verb")
    lake = os.environ.get("TALKVID_LAKE", "./lake")
    everywhere.add_argument("--lake", metavar="URI", default=lake, help="folder or object-store prefix of the lake ($TALKVID_LAKE)")
    everywhere.add_argument("--master", metavar="M", help="Spark master; all local cores when not given")
    everywhere.add_argument("--conf", metavar="K=V", action="append", default=[], help="Spark setting, repeatable")
    limit = natural if job.limit else _refusing(f"{job.verb} has nothing that could be limited")
    everywhere.add_argument("--limit", metavar="N", type=limit, help=job.limit or argparse.SUPPRESS)
    everywhere.add_argument("--max-failed", metavar="N", type=natural, help="exit 6 when more than N inputs fail")
    everywhere.add_argument("--json", action="store_true", help="print one JSON object to stdout")
    everywhere.add_argument("--quiet", action="store_true", help="no progress")
    job.arguments(parser)
    return parser


def _refusing(sentence: str) -> Callable[[str], NoReturn]:
    """A type for argparse that takes no value, with the sentence that says why."""

    def refuse(text: str) -> NoReturn:
        raise argparse.ArgumentTypeError(sentence)

    return refuse


def natural(text: str) -> int:
    """A whole number from 0 to `MOST`, for argparse."""
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"{text} is negative")
    if value > MOST:
        raise argparse.ArgumentTypeError(f"{text} is more than {MOST}")
    return value


def assignments(words: list[str], flag: str) -> dict[str, str]:
    """`K=V` words as a dict. Raises `UsageError` for a word without `=`."""
    from schemas.errors import UsageError

    pairs = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or not key:
            raise UsageError(f"{flag} takes NAME=VALUE, not {word!r}")
        pairs[key.strip()] = value.strip()
    return pairs
