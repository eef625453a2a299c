"""The command line as a user meets it: words, streams and exit statuses."""

import importlib
import json
import os
import signal
import subprocess
import sys

import pytest

from jobs.arguments import Parser, verb_parser
from jobs.cli import VERBS, run_verb
from jobs.job import Job
from jobs.summary import Summary, check_sum
from schemas.errors import MissingError, VerificationError
from schemas.lake import Lake
from schemas.lease import lease
from schemas.place import Place


def talkvid(*words: str, **environment: str) -> subprocess.CompletedProcess:
    """Run the console command."""
    return subprocess.run([sys.executable, "-m", "jobs.cli", *words], capture_output=True, text=True, env=os.environ | environment, timeout=120)


def job(**options) -> Job:
    """A verb that needs no Spark and counts one input."""
    settings = {
        "arguments": lambda parser: parser.add_argument("--some-flag", type=int, default=1),
        "configure": lambda args: args,
        "run": lambda spark, lake, config: Summary("try", {"in": 1, "failed": 1}),
        "needs_spark": lambda config: False,
        "creates_lake": lambda config: True,
    }
    return Job("try", "a try", **(settings | options))


def test_no_words_lists_the_verbs_and_is_a_usage_error():
    answer = talkvid()
    assert answer.returncode == 2
    assert all(verb in answer.stdout for verb in VERBS)


def test_unknown_verb_is_one_line_and_exit_2():
    answer = talkvid("frobnicate")
    assert answer.returncode == 2
    assert answer.stderr.count("\n") == 1
    assert "frobnicate" in answer.stderr


def test_unknown_flag_is_one_line_and_exit_2(tmp_path):
    answer = talkvid("score", "--lake", str(tmp_path), "--nonsense")
    assert answer.returncode == 2
    assert answer.stderr.count("\n") == 1


@pytest.mark.parametrize("verb", ["segment", "score", "export", "report", "sql"])
def test_missing_lake_is_one_sentence_and_exit_3(tmp_path, verb):
    words = {"export": [str(tmp_path / "out")], "sql": ["SELECT 1"]}.get(verb, [])
    answer = talkvid(verb, *words, "--lake", str(tmp_path / "none"))
    assert answer.returncode == 3, answer.stderr
    assert answer.stderr.count("\n") == 1
    assert "talkvid ingest" in answer.stderr
    assert answer.stdout == ""


def test_help_of_every_verb_answers():
    for verb in VERBS:
        told = verb_parser(importlib.import_module(f"jobs.{verb.replace('-', '_')}").JOB).format_help()
        assert "--lake" in told
        assert not {"None", "False", "[]"} & set(told.replace(")", " ").split()), f"{verb} tells defaults that are none"
    answer = talkvid("bench", "--help")
    assert (answer.returncode, answer.stderr) == (0, "") and answer.stdout.startswith("usage: talkvid bench")


def test_flags_take_dash_or_underscore():
    assert verb_parser(job()).parse_args(["--some_flag", "3"]).some_flag == 3
    assert verb_parser(job()).parse_args(["--some-flag=4"]).some_flag == 4
    parser = Parser(prog="p")
    parser.add_argument("--reference_image_path")
    assert parser.parse_args(["--reference-image-path", "f"]).reference_image_path == "f"


def test_last_line_of_stdout_is_the_summary(tmp_path, capsys):
    assert run_verb(job(), ["--lake", str(tmp_path)]) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("try: in=1 failed=1 seconds=")


def test_json_is_exactly_one_object(tmp_path, capsys):
    assert run_verb(job(), ["--lake", str(tmp_path), "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert (record["in"], record["failed"]) == (1, 1)
    assert {"seconds", "fingerprint", "outputs"} <= record.keys()


def test_more_failed_than_allowed_is_exit_6(tmp_path, capsys):
    assert run_verb(job(), ["--lake", str(tmp_path), "--max-failed", "0"]) == 6
    assert run_verb(job(), ["--lake", str(tmp_path), "--max-failed", "1"]) == 0


def test_error_of_the_user_has_no_traceback(tmp_path, capsys):
    def missing(spark, lake, config):
        raise MissingError("there is no such thing; make it")

    assert run_verb(job(run=missing), ["--lake", str(tmp_path)]) == 3
    assert capsys.readouterr().err == "talkvid try: there is no such thing; make it\n"


def test_nothing_that_a_verb_says_acts_on_the_terminal(tmp_path, capsys):
    hostile = "a\x1b]0;x\x07\x1b[2J\u009b31m\u202eb"

    def told(spark, lake, config):
        return Summary("try", {"in": 1}, results=hostile, notes=[hostile], failure=MissingError(hostile))

    def broken(spark, lake, config):
        raise RuntimeError(hostile)

    words = ["--lake", str(tmp_path)]
    assert [run_verb(job(run=told), words), run_verb(job(run=told), [*words, "--json"]), run_verb(job(run=broken), words)] == [3, 3, 1]
    said = capsys.readouterr()
    assert not set("\x1b\x07\u009b\u202e") & set(said.out + said.err)
    record = next(line for line in said.out.splitlines() if line.startswith("{"))
    assert json.loads(record)["notes"] == [hostile]


@pytest.mark.parametrize("lake", ["file", "file/below"])
def test_a_lake_that_cannot_be_a_folder_is_exit_2(tmp_path, capsys, lake):
    (tmp_path / "file").touch()
    assert run_verb(job(), ["--lake", str(tmp_path / lake)]) == 2
    assert capsys.readouterr().err.startswith(f"talkvid try: --lake {tmp_path / lake} can hold no lake: ")


@pytest.mark.parametrize(("path", "status"), [("file/below", 2), ("", 2), ("/proc/nothing", 1)])
def test_a_path_that_cannot_be_written_is_one_sentence(tmp_path, capsys, path, status):
    (tmp_path / "file").touch()

    def writing(spark, lake, config):
        (tmp_path / path).open("w")

    assert run_verb(job(run=writing), ["--lake", str(tmp_path / "lake")]) == status
    said = capsys.readouterr().err
    assert said.startswith(f"talkvid try: {tmp_path / path}: ") == (status == 2)


def test_a_verb_that_cannot_be_the_first_one_leaves_no_folder(tmp_path, capsys):
    assert run_verb(job(creates_lake=lambda config: False), ["--lake", str(tmp_path / "typo")]) == 3
    assert not (tmp_path / "typo").exists()


def test_what_is_known_to_be_missing_is_said_before_a_lake_is_made(tmp_path, capsys):
    def lacking(lake, config):
        raise MissingError("there is no model")

    assert run_verb(job(check=lacking), ["--lake", str(tmp_path / "new")]) == 3
    assert capsys.readouterr().err == "talkvid try: there is no model\n" and not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    "words",
    [
        ["evaluate"],
        ["evaluate", "--generations", "all"],
        ["ingest", "--recheck"],
        ["generate", "--checkpoint_path", "{there}", "--table", "wishes"],
        ["bench"],
        ["prepare"],
        ["maintain"],
        ["remove", "v"],
        ["filter", "--policy", "lite", "--save"],
        ["train", "--stage", "1", "--smoke"],
    ],
    ids=" ".join,
)
def test_mistyped_lake_is_not_made(tmp_path, capsys, words):
    verb = importlib.import_module(f"jobs.{words[0]}").JOB
    words = [word.format(there=tmp_path) for word in words[1:]]
    assert run_verb(verb, [*words, "--lake", str(tmp_path / "typo")]) == 3
    assert "typo" in capsys.readouterr().err and not (tmp_path / "typo").exists()


@pytest.mark.parametrize("verb", ["ingest", "run"])
@pytest.mark.parametrize(("source", "status"), [("{there}/nowhere", 3), ("https://localhost/video.mp4", 2)], ids=["absent", "address"])
def test_no_lake_is_made_for_sources_that_are_refused(tmp_path, capsys, verb, source, status):
    job = importlib.import_module(f"jobs.{verb}").JOB
    assert run_verb(job, [source.format(there=tmp_path), "--lake", str(tmp_path / "new")]) == status
    assert capsys.readouterr().err.startswith(f"talkvid {verb}: ") and not (tmp_path / "new").exists()


def test_numbers_beyond_what_spark_takes_are_refused():
    with pytest.raises(SystemExit) as ended:
        verb_parser(job()).parse_args(["--limit", "99999999999999999999"])
    assert ended.value.code == 2


@pytest.mark.parametrize("verb", ["bench", "filter", "report", "remove", "maintain", "weights", "doctor", "package", "cluster-conf"])
def test_limit_is_refused_in_one_line_where_nothing_can_be_limited(verb, capsys):
    parser = verb_parser(importlib.import_module(f"jobs.{verb.replace('-', '_')}").JOB)
    assert "--limit" not in parser.format_help()
    with pytest.raises(SystemExit) as ended:
        parser.parse_args(["--limit", "2"])
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith(f"talkvid {verb}: argument --limit: {verb} has nothing that could be limited")


def test_limit_of_sql_is_of_rows():
    assert "--limit N print at most N rows" in " ".join(verb_parser(importlib.import_module("jobs.sql").JOB).format_help().split())


def test_a_signal_after_the_end_has_no_traceback(tmp_path):
    code = (
        "import os, signal, sys; from jobs.cli import run_verb; from jobs.job import Job; from schemas.errors import Interrupted\n"
        "def interrupted(spark, lake, config): raise Interrupted(2)\n"
        "job = Job('try', '', lambda parser: None, lambda args: args, interrupted, needs_spark=lambda config: False, creates_lake=lambda config: True)\n"
        f"assert run_verb(job, ['--lake', {str(tmp_path)!r}]) == 130\n"
        "signal.raise_signal(signal.SIGINT); print('not reached')\n"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert (answer.returncode, answer.stdout) == (130, "")
    assert answer.stderr == "talkvid try: interrupted; what was committed stays, run it again to go on\n"


def test_unexpected_error_is_exit_1(tmp_path, capsys):
    def broken(spark, lake, config):
        raise RuntimeError("boom")

    assert run_verb(job(run=broken), ["--lake", str(tmp_path)]) == 1


def test_an_error_that_is_its_own_cause_ends_the_verb(tmp_path, capsys):
    def broken(spark, lake, config):
        error = RuntimeError("boom")
        raise error from error

    assert run_verb(job(run=broken), ["--lake", str(tmp_path)]) == 1


def test_interruption_is_told_as_such_though_spark_raises_over_it(tmp_path, capsys):
    def interrupted(spark, lake, config):
        try:
            signal.raise_signal(signal.SIGTERM)
        finally:
            raise RuntimeError("the answer from Java is empty")

    assert run_verb(job(run=interrupted), ["--lake", str(tmp_path)]) == 143
    assert capsys.readouterr().err == "talkvid try: interrupted; what was committed stays, run it again to go on\n"


def test_interruption_is_told_as_such_though_a_sentence_is_raised_over_it(tmp_path, capsys):
    def interrupted(spark, lake, config):
        try:
            signal.raise_signal(signal.SIGINT)
        finally:
            raise MissingError("the store does not answer")

    assert run_verb(job(run=interrupted), ["--lake", str(tmp_path)]) == 130
    assert capsys.readouterr().err == "talkvid try: interrupted; what was committed stays, run it again to go on\n"


def test_a_signal_that_spark_took_for_itself_is_an_interruption(tmp_path, capsys):
    def starting(spark, lake, config):
        raise KeyboardInterrupt

    assert run_verb(job(run=starting), ["--lake", str(tmp_path)]) == 130
    assert capsys.readouterr().err == "talkvid try: interrupted; what was committed stays, run it again to go on\n"


def test_busy_lake_is_exit_5_and_says_who_holds_it(tmp_path, capsys):
    with lease(Place.of(str(tmp_path)), "score"):
        assert run_verb(job(), ["--lake", str(tmp_path)]) == 5
    assert "score (pid" in capsys.readouterr().err
    assert run_verb(job(), ["--lake", str(tmp_path)]) == 0


def test_sum_that_does_not_add_up_is_a_verification_error():
    check_sum("score", "pending", ("scored", "failed"), {"pending": 3, "scored": 2, "failed": 1})
    with pytest.raises(VerificationError, match="pending=4 is not scored=2"):
        check_sum("score", "pending", ("scored", "failed"), {"pending": 4, "scored": 2, "failed": 1})


def test_every_table_is_made_with_comments_and_without_deletion_vectors(tmp_path):
    lake = Lake.at(str(tmp_path / "a lake"))
    lake.ledger.create()
    scores = lake.ledger.open("scores")
    assert scores.metadata().configuration["delta.checkpointInterval"] == "100"
    assert scores.metadata().configuration["delta.enableDeletionVectors"] == "false"
    assert "history of measurements" in scores.metadata().description.lower()
