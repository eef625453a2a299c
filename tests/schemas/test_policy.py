"""Policies: reading, thresholds, hashes, and verdicts that agree in Python, DuckDB and Spark."""

import math

import duckdb
import pytest

from schemas.errors import MissingError, UsageError
from schemas.policy import Policy, Rule
from schemas.policy_columns import rule_columns
from schemas.policy_files import load, parse, shipped
from schemas.policy_sql import failed_rules_sql, fate_sql, keeps_sql, passes_sql

HEAD_THRESHOLDS = {
    "avg_movement": 80,
    "min_movement": 60,
    "avg_orientation": 70,
    "min_orientation": 30,
    "avg_completeness": 100,
    "min_completeness": 100,
    "avg_resolution": 50,
    "min_resolution": 40,
    "avg_rotation": 70,
    "min_rotation": 60,
}


def by_name(policy: Policy) -> dict[str, Rule]:
    return {rule.name: rule for rule in policy.rules}


def test_the_three_policies_of_the_design_are_there():
    assert shipped() == ["lite", "talkvid", "talkvid_paper"]


@pytest.mark.parametrize("name", ["talkvid", "talkvid_paper", "lite"])
def test_every_shipped_threshold_has_its_reason_beside_it(name):
    policy = load(name)
    assert policy.name == name
    assert policy.about
    assert all(len(rule.why) > 20 for rule in policy.rules)


def test_talkvid_asks_what_the_released_scripts_ask():
    rules = by_name(load("talkvid"))
    assert rules["dover_scores"].expression == "dover.dover_scores >= 5"
    assert rules["cotracker_ratio"].expression == "cotracker.cotracker_ratio IS NOT NULL"
    head = {name: rule.value for name, rule in rules.items() if rule.scorer == "head"}
    assert head == HEAD_THRESHOLDS | {"face_consistency": 80}
    assert {rule.op for rule in rules.values() if rule.scorer == "head"} == {">="}


def test_talkvid_paper_asks_what_the_paper_says():
    rules = by_name(load("talkvid_paper"))
    assert rules["dover_scores"].expression == "dover.dover_scores >= 7"
    ratio = sorted(rule.expression for rule in rules.values() if rule.scorer == "cotracker")
    assert ratio == ["cotracker.cotracker_ratio <= 0.999", "cotracker.cotracker_ratio >= 0.85"]
    assert {name: rule.value for name, rule in rules.items() if rule.scorer == "head"} == HEAD_THRESHOLDS


def test_lite_needs_no_download():
    assert {rule.scorer for rule in load("lite").rules} <= {None, "technical", "flow", "head"}


def test_a_threshold_is_set_by_rule_or_by_column():
    by_column = load("talkvid").with_set({"head.avg_movement": "85"})
    assert by_name(by_column)["avg_movement"].value == 85
    assert by_column == load("talkvid").with_set({"avg_movement": "85"})


def test_a_column_of_two_rules_is_no_name_for_a_threshold():
    with pytest.raises(UsageError, match="tracking, still_face"):
        load("talkvid_paper").with_set({"cotracker.cotracker_ratio": "0.9"})


@pytest.mark.parametrize(
    "assignment",
    [
        {"head.avg_movment": "85"},
        {"avg_movement": "high"},
        {"avg_movement": "nan"},
        {"avg_movement": "85; DROP TABLE clips"},
        {"avg_movement": "inf"},
        {"cotracker_ratio": "0.9"},
    ],
)
def test_a_wrong_threshold_is_a_usage_error(assignment):
    with pytest.raises(UsageError):
        load("talkvid").with_set(assignment)


def test_a_misspelt_rule_is_answered_with_the_near_one():
    with pytest.raises(UsageError, match="did you mean.*avg_movement"):
        load("talkvid").with_set({"avg_movment": "85"})


def test_the_hash_follows_thresholds_and_not_reasons():
    policy = load("talkvid")
    reworded = parse(policy.to_json().replace("released", "published"), "reworded")
    assert reworded != policy
    assert reworded.policy_hash == policy.policy_hash
    assert policy.with_set({"avg_movement": "85"}).policy_hash != policy.policy_hash
    assert policy.with_set({"avg_movement": "80.0"}).policy_hash == policy.policy_hash


def test_a_policy_survives_being_kept_as_json():
    policy = load("talkvid_paper").with_set({"dover_scores": "6.5"})
    assert parse(policy.to_json(), "kept") == policy


def test_an_unknown_policy_names_those_there_are():
    with pytest.raises(MissingError, match="lite, talkvid, talkvid_paper"):
        load("talkvidd")


def test_a_users_file_is_read(tmp_path):
    file = tmp_path / "mine.yaml"
    rules = ["{name: long, column: duration_s, op: between, value: [3, 30]}", "{name: sound, column: has_audio, op: '=', value: true}"]
    file.write_text(f"name: mine\nrules: [{', '.join(rules)}]\n")
    policy = load(str(file))
    assert [rule.expression for rule in policy.rules] == ["duration_s BETWEEN 3 AND 30", "has_audio = true"]
    assert policy.with_set({"long": "4,20"}).rules[0].value == (4.0, 20.0)


@pytest.mark.parametrize(
    ("rule", "error"),
    [
        ("{name: a, column: head.avg_movment, op: '>=', value: 1}", MissingError),
        ("{name: a, column: '1=1; DROP TABLE clips', op: '>=', value: 1}", MissingError),
        ("{name: a, column: title, op: '=', value: 1}", MissingError),
        ("{name: 'a'' OR 1=1', column: duration_s, op: '>=', value: 1}", UsageError),
        ("{name: a, column: duration_s, op: '>= 0 OR 1', value: 1}", UsageError),
        ("{name: a, column: duration_s, op: '>=', value: '1 OR 1=1'}", UsageError),
        ("{name: a, column: duration_s, op: '>=', value: .nan}", UsageError),
        ("{name: a, column: duration_s, op: '>='}", UsageError),
        ("{name: a, column: duration_s, op: between, value: [3, 1]}", UsageError),
        ("{name: a, column: has_audio, op: '>=', value: 1}", UsageError),
        ("{name: a, column: duration_s, op: '>=', value: 1, vlaue: 2}", UsageError),
        ("just text", UsageError),
    ],
)
def test_a_bad_rule_is_refused_in_one_sentence(rule, error):
    with pytest.raises(error) as raised:
        parse(f"name: p\nrules:\n  - {rule}\n", "p.yaml")
    assert "\n" not in str(raised.value)


BAD_NAME = "name: 'x; y'\nrules: [{name: a, column: fps, op: '>', value: 1}]"


@pytest.mark.parametrize("text", ["", "rules: []", "name: p", "a: [", BAD_NAME, "!!python/object:os.system {}"])
def test_what_is_no_policy_is_a_usage_error(text):
    with pytest.raises(UsageError):
        parse(text, "p.yaml")


def test_two_rules_of_one_name_are_refused():
    rule = "{name: a, column: fps, op: '>', value: 1}"
    with pytest.raises(UsageError, match="two rules are called a"):
        parse(f"name: p\nrules: [{rule}, {rule}]", "p.yaml")


def test_a_cascade_names_scorers_in_order():
    rules = "rules: [{name: a, column: fps, op: '>', value: 1}]"
    assert parse(f"name: p\ncascade: [[technical, flow], head, [dover]]\n{rules}", "p").cascade == (("technical", "flow"), ("head",), ("dover",))
    with pytest.raises(UsageError, match="no scorer"):
        parse(f"name: p\ncascade: [[duration]]\n{rules}", "p")


def test_a_cascade_asks_only_the_rules_that_can_be_known():
    policy = load("talkvid")
    row = {"head": dict.fromkeys(HEAD_THRESHOLDS, 100.0) | {"face_consistency": 100.0, "avg_movement": 79.9}, "dover": None}
    assert policy.first_failed(row, frozenset({"head"})) == "avg_movement"
    assert policy.first_failed(row, frozenset({"dover"})) == "dover_scores:missing"
    assert policy.first_failed(row, frozenset()) is None


OPERATORS = [(">=", 2), (">", 2), ("<=", 2), ("<", 2), ("=", 2), ("!=", 2), ("between", [1, 2]), ("present", None)]
VALUES = [None, math.nan, 1.0, 2.0, 3.0, math.inf]
RULES = [f"{{name: r{number}, column: fps, op: '{op}', value: {value or '~'}}}" for number, (op, value) in enumerate(OPERATORS)]
EVERY_OPERATOR = parse(f"name: p\nrules: [{', '.join(RULES)}]", "p")


def expected_failed(value: float | None) -> list[str]:
    names = {True: None, False: "{}", None: "{}:missing"}
    found = [(rule.name, names[rule.holds(value)]) for rule in EVERY_OPERATOR.rules]
    return [pattern.format(name) for name, pattern in found if pattern]


def selected(dialect: str) -> str:
    rules = ", ".join(f"{passes_sql(rule)} AS {rule.name}" for rule in EVERY_OPERATOR.rules)
    return f"SELECT {rules}, {keeps_sql(EVERY_OPERATOR)} AS kept, {fate_sql(EVERY_OPERATOR, 1)} AS fate, {failed_rules_sql(EVERY_OPERATOR, dialect)} AS failed"


def assert_agrees_with_python(value: float | None, row: dict) -> None:
    assert [row[rule.name] for rule in EVERY_OPERATOR.rules] == [bool(rule.holds(value)) for rule in EVERY_OPERATOR.rules]
    assert list(row["failed"]) == expected_failed(value)
    assert row["kept"] == (not row["failed"])
    first = row["failed"][0] if row["failed"] else None
    assert EVERY_OPERATOR.first_failed({"fps": value}) == first
    step = 0 if first is None else int(first[1]) + 1
    assert row["fate"] == (-step if first and first.endswith(":missing") else step)


def test_duckdb_judges_as_python_does():
    for value in VALUES:
        text = "NULL" if value is None else f"'{value}'"
        rows = duckdb.sql(f"{selected('duckdb')} FROM (SELECT CAST({text} AS DOUBLE) AS fps)").to_arrow_table().to_pylist()
        assert_agrees_with_python(value, rows[0])


def test_spark_judges_as_python_does(spark):
    frame = spark.createDataFrame([(value,) for value in VALUES], "fps double")
    rows = spark.sql(f"{selected('spark')} FROM {{values}}", values=frame).collect()
    for value, row in zip(VALUES, rows, strict=True):
        assert_agrees_with_python(value, row.asDict())


def test_thresholds_are_doubles_in_both_engines(spark):
    rule = Rule("r", "fps", "<=", 0.1 + 0.2)
    below = math.nextafter(0.1 + 0.2, 0)
    above = math.nextafter(0.1 + 0.2, 1)
    query = f"SELECT {passes_sql(rule)} AS kept FROM (SELECT CAST('{{}}' AS DOUBLE) AS fps)"
    for value, kept in ((below, True), (0.1 + 0.2, True), (above, False)):
        assert duckdb.sql(query.format(repr(value))).fetchall() == [(kept,)]
        assert spark.sql(query.format(repr(value))).collect()[0]["kept"] is kept


def test_every_column_of_a_rule_is_a_name_that_both_engines_read(spark):
    from schemas.clip_metadata import TABLE
    from schemas.duck_tables import duck_types
    from schemas.spark import spark_schema

    names = ", ".join(f"{column} AS c{number}" for number, column in enumerate(rule_columns()))
    connection = duckdb.connect()
    columns = ", ".join(f'"{name}" {kind}' for name, kind in duck_types(connection, TABLE.schema).items())
    connection.execute(f"CREATE TABLE clip_metadata ({columns})").fetchall()
    assert connection.execute(f"SELECT {names} FROM clip_metadata").fetchall() == []
    frame = spark.createDataFrame([], spark_schema(TABLE.schema))
    assert spark.sql(f"SELECT {names} FROM {{rows}}", rows=frame).collect() == []
