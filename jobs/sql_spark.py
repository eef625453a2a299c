"""The engine `spark` of `talkvid sql`: read-only by the parsed plan, in a session that is locked down first."""

import logging
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from cluster.java_reason import java_reason, one_line
from schemas import errors
from schemas.active_policy import active_policy
from schemas.errors import MissingError, TalkvidError, UsageError
from schemas.lake import Lake
from schemas.tables import TABLES
from schemas.views import curated_sql, funnel_sql, missing_relation
from udfs.registry import available_scorers
from udfs.spark import register_functions

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

READING_PLANS = frozenset(
    {
        "Project",
        "Filter",
        "Aggregate",
        "Sort",
        "Offset",
        "GlobalLimit",
        "LocalLimit",
        "Distinct",
        "Union",
        "Intersect",
        "Except",
        "Join",
        "LateralJoin",
        "SubqueryAlias",
        "UnresolvedSubqueryColumnAliases",
        "UnresolvedRelation",
        "UnresolvedHaving",
        "UnresolvedWith",
        "UnresolvedHint",
        "UnresolvedQualify",
        "UnresolvedTableValuedFunction",
        "UnresolvedTVFAliases",
        "UnresolvedInlineTable",
        "LocalRelation",
        "OneRowRelation",
        "WithWindowDefinition",
        "Window",
        "PipeOperator",
        "Generate",
        "Pivot",
        "Unpivot",
        "Sample",
        "RepartitionByExpression",
        "RelationTimeTravel",
        "ShowTables",
        "ShowTablesExtended",
        "ShowViews",
        "ShowColumns",
        "ShowFunctions",
        "ShowNamespacesCommand",
        "ShowCatalogsCommand",
        "ShowCurrentNamespaceCommand",
        "ShowTableProperties",
        "ShowPartitions",
        "ShowCreateTable",
        "CurrentNamespace$",
        "UnresolvedNamespace",
        "UnresolvedTable",
        "UnresolvedTableOrView",
        "UnresolvedFunctionName",
        "DescribeRelation",
        "DescribeColumn",
        "DescribeDeltaHistory",
        "DescribeDeltaDetailCommand",
        "DescribeQueryCommand",
        "DescribeFunction",
        "DescribeNamespace",
        "ExplainCommand",
    }
)
"""Plan classes that only read. All that is not named here is refused."""
TABLE_FUNCTIONS = frozenset(
    {
        "range",
        "explode",
        "explode_outer",
        "posexplode",
        "posexplode_outer",
        "inline",
        "inline_outer",
        "stack",
        "json_tuple",
        "sql_keywords",
        "collations",
        "variant_explode",
        "variant_explode_outer",
        "table_changes",
    }
)
CODE_RUNNERS = ("reflect", "java_method", "try_reflect")
"""Functions that call any Java method."""
ADDRESS_READERS = (
    *("xpath", "xpath_boolean", "xpath_double", "xpath_float", "xpath_int", "xpath_long", "xpath_number", "xpath_short", "xpath_string"),
    *("from_xml", "schema_of_xml", "from_avro", "schema_of_avro", "from_protobuf", "to_protobuf"),
)
"""Functions that open files or addresses which their arguments name: document types of XML, and schemas in options."""
_NAMED = ("UnresolvedRelation", "UnresolvedTable", "UnresolvedTableOrView")
_HIDDEN_QUERY = {"ExplainCommand": "logicalPlan", "DescribeQueryCommand": "plan", "RelationTimeTravel": "relation"}
_MISSING_COLUMN = ("UNRESOLVED_COLUMN", "FIELD_NOT_FOUND", "UNRESOLVED_MAP_KEY", "COLUMN_NOT_FOUND")


class SparkEngine:
    """The lake's tables, views and scorer functions in a Spark session of their own."""

    def __init__(self, spark: "SparkSession", lake: Lake) -> None:
        self._session = spark.newSession()
        self._lake = lake
        self._registered: set[str] = set()
        policy = active_policy(lake.ledger)
        self._views = {"curated": curated_sql(policy), "funnel": funnel_sql(policy)} if policy is not None else {}
        logging.getLogger("SQLQueryContextLogger").setLevel(logging.CRITICAL)
        register_functions(self._session)
        lock_down(self._session)

    def answer(self, text: str) -> pa.RecordBatchReader:
        """The rows of one query. Raises `UsageError` for anything else and `MissingError` for a table or column that is not there."""
        from py4j.protocol import Py4JError
        from pyspark.errors import PySparkException

        try:
            self._register(text)
            check(self._session._jsparkSession.sessionState().sqlParser().parsePlan(text))
            return self._session.sql(text).toArrow().to_reader()
        except PySparkException as error:
            raise explained(error) from None
        except Py4JError as error:
            raise UsageError(f"Spark refuses this statement: {java_reason(error)}") from None

    def relations(self) -> list[str]:
        """Names of tables and views."""
        return sorted([*TABLES, *self._views])

    def _register(self, text: str) -> None:
        """Make the relations that a query may mean known to Spark: each costs a look at its log, so only those it has the words for."""
        words = set(re.findall(r"\w+", text.lower()))
        meant = set(TABLES) | set(self._views) if "show" in words else words
        views = [name for name in self._views if name in meant]
        tables = [name for name in TABLES if name in meant or any(re.search(rf"\b{name}\b", self._views[view]) for view in views)]
        self._lake.register(self._session, [name for name in tables if name not in self._registered])
        for view in views:
            if view not in self._registered:
                self._session.sql(self._views[view]).createOrReplaceTempView(view)
        self._registered.update(tables, views)

    def describe(self, relation: str) -> pa.RecordBatchReader:
        """Columns of a table or view."""
        return self.answer(f"DESCRIBE `{relation.replace('`', '``')}`")


def check(plan: Any) -> None:
    """Raise `UsageError` unless every part of a parsed plan only reads the lake's tables."""
    name = plan.getClass().getSimpleName()
    if name not in READING_PLANS:
        raise UsageError(f"this is no query ({name}); talkvid sql only reads")
    if name in _NAMED and plan.multipartIdentifier().size() != 1:
        raise UsageError(f"{plan.multipartIdentifier().mkString('.')}: talkvid sql reads the lake's tables and views, by their plain names")
    if name == "UnresolvedTableValuedFunction" and plan.name().mkString(".").lower() not in TABLE_FUNCTIONS:
        raise UsageError(f"the table function {plan.name().mkString('.')} cannot be used here; talkvid sql reads the lake's tables only")
    for part in _parts(plan, name):
        check(part)


def lock_down(session: "SparkSession") -> None:
    """Take from a session what lets a SELECT read secrets, files or run code (cluster.md §13). Before anything is parsed."""
    session.conf.set("spark.sql.variable.substitute", "false")
    session.conf.set("spark.sql.runSQLOnFiles", "false")
    state, java = session._jsparkSession.sessionState(), session._jvm
    for function in (*CODE_RUNNERS, *ADDRESS_READERS):
        some = java.scala.Some
        state.functionRegistry().dropFunction(java.org.apache.spark.sql.catalyst.FunctionIdentifier(function, some("builtin"), some("system")))


def _parts(plan: Any, name: str) -> Iterator[Any]:
    """Children, subqueries, and the queries that a node keeps in a field."""
    for parts in (plan.children(), plan.innerChildren(), plan.subqueries()):
        remaining = parts.iterator()
        while remaining.hasNext():
            yield remaining.next()
    if name in _HIDDEN_QUERY:
        yield getattr(plan, _HIDDEN_QUERY[name])()


def explained(error: Any) -> TalkvidError:
    """An error of the engine as one sentence."""
    condition = error.getCondition() or ""
    sentence = one_line(str(error))
    if condition.startswith("TABLE_OR_VIEW_NOT_FOUND"):
        return missing_relation(_parameter(error, "relationName").replace("`", ""))
    if condition == "PYTHON_EXCEPTION":
        return _from_worker(_parameter(error, "traceback") or str(error))
    if condition == "UNRESOLVED_ROUTINE":
        name = _parameter(error, "routineName").replace("`", "").lower()
        lacking = available_scorers()[1].get(name)
        return MissingError(f"there is no function {name} here: {lacking}") if lacking else UsageError(sentence)
    if condition.startswith(_MISSING_COLUMN):
        return MissingError(sentence)
    return UsageError(sentence or condition)


def _parameter(error: Any, name: str) -> str:
    return (error.getMessageParameters() or {}).get(name, "")


def _from_worker(traceback: str) -> TalkvidError:
    """The last exception of a Python worker's traceback: one of ours as itself, any other as a function that failed."""
    lines = re.findall(r"^([\w.]+): (.+)$", traceback, re.MULTILINE) or [("", traceback.strip().rpartition("\n")[2])]
    kind, sentence = lines[-1]
    module, _, name = kind.rpartition(".")
    if module == errors.__name__ and issubclass(getattr(errors, name), TalkvidError):
        return getattr(errors, name)(sentence)
    return TalkvidError(f"a function of this query failed: {f'{kind}: ' if kind else ''}{sentence}")
