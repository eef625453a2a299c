"""The engine `duckdb` of `talkvid sql`: read-only by the parsed statement, and by a connection that can reach nothing else."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from schemas import duck
from schemas.errors import MissingError, TalkvidError, UsageError
from schemas.lake import Lake
from schemas.views import missing_relation

QUERY_NODES = frozenset({"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"})
"""Kinds of query that only read; DuckDB also takes INSERT, UPDATE, DELETE and COPY inside WITH."""
TABLE_FUNCTIONS = frozenset(
    {
        "unnest",
        "range",
        "generate_series",
        "repeat",
        "repeat_row",
        "json_each",
        "json_tree",
        "pragma_table_info",
        "pragma_version",
        "duckdb_tables",
        "duckdb_views",
        "duckdb_columns",
        "duckdb_types",
        "duckdb_functions",
        "duckdb_keywords",
    }
)
"""Those that read no file, run no other statement and take no address."""
ROWS_AT_ONCE = 8192

_EXPLAIN = re.compile(r"(?:\s|--[^\n]*(?:\n|$)|/\*.*?\*/)*explain\s+(analyze\s+)?(.*)", re.IGNORECASE | re.DOTALL)
_NO_RELATION = re.compile(r"Table with name (.+?) does not exist", re.DOTALL)
_NO_COLUMN = re.compile(r"Referenced column|Values list \S+ does not have a column|does not have a column named|Could not find key|not found in FROM clause")


class DuckdbEngine:
    """The lake's tables and views in DuckDB."""

    def __init__(self, lake: Lake) -> None:
        self._connection = duck.connect(lake.ledger)

    def answer(self, text: str) -> pa.RecordBatchReader:
        """The rows of one query. Raises `UsageError` for anything else and `MissingError` for a table or column that is not there."""
        import duckdb

        try:
            reader = self._connection.sql(self._checked(text)).to_arrow_reader(ROWS_AT_ONCE)
            return pa.RecordBatchReader.from_batches(reader.schema, _explained_batches(reader))
        except duckdb.Error as error:
            raise explained(error) from None

    def relations(self) -> list[str]:
        """Names of tables and views."""
        return sorted(row[0] for row in self._connection.execute("SHOW TABLES").fetchall())

    def describe(self, relation: str) -> pa.RecordBatchReader:
        """Columns of a table or view."""
        return self.answer(f'DESCRIBE "{relation.replace(chr(34), chr(34) * 2)}"')

    def _checked(self, text: str) -> str:
        """The one statement of `text` when it only reads; an EXPLAIN is put together anew around the query that was checked."""
        statements = self._connection.extract_statements(text)
        if len(statements) != 1:
            raise UsageError(f"give one query at a time; this is {'none' if not statements else f'{len(statements)} statements'}")
        kind = statements[0].type.name
        if kind == "EXPLAIN":
            parts = _EXPLAIN.fullmatch(text)
            analyze, query = parts.groups(default="") if parts else ("", "")
            self._require_query(query, "EXPLAIN of something that is no query")
            return f"EXPLAIN {analyze}{query}"
        if kind != "SELECT":
            if kind == "MULTI":
                raise UsageError("DuckDB makes a type for this PIVOT, and talkvid sql only reads; write SELECT … FROM … PIVOT (… FOR … IN (…))")
            raise UsageError(f"this is no query but {kind.replace('_', ' ')}; talkvid sql only reads")
        self._require_query(text, "a query that writes")
        return text

    def _require_query(self, text: str, otherwise: str) -> None:
        parsed = json.loads(self._connection.execute("SELECT json_serialize_sql(?::VARCHAR)", [text]).fetchall()[0][0])
        if parsed["error"] or len(parsed["statements"]) != 1:
            raise UsageError(f"this is {otherwise}; talkvid sql only reads")
        for node in _nodes(parsed["statements"][0]):
            kind = str(node.get("type", ""))
            if ("cte_map" in node or kind.endswith("_NODE")) and kind not in QUERY_NODES:
                raise UsageError(f"this query holds a {kind.removesuffix('_NODE').removesuffix('_QUERY')}; talkvid sql only reads")
            if kind == "TABLE_FUNCTION" and node["function"].get("function_name", "").lower() not in TABLE_FUNCTIONS:
                raise UsageError(f"the table function {node['function'].get('function_name')} cannot be used here; talkvid sql reads the lake's tables only")


def _nodes(value: Any) -> Iterator[dict]:
    """Every object of a parsed statement, itself included."""
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from _nodes(item)


def _explained_batches(reader: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
    """The batches; what fails while they are made is said in a sentence."""
    import duckdb

    try:
        yield from reader
    except (duckdb.Error, pa.ArrowException, OSError) as error:
        raise explained(error) from None


def explained(error: Exception) -> TalkvidError:
    """An error of the engine as one sentence."""
    first, _, rest = str(error).partition("\n")
    sentence = first.strip()
    hint = re.search(r"Candidate bindings: (.*)|Did you mean (.*)", rest)
    relation = _NO_RELATION.search(sentence)
    if relation:
        return missing_relation(relation[1])
    if _NO_COLUMN.search(sentence):
        return MissingError(sentence + (f" Candidates: {hint[1] or hint[2]}" if hint else ""))
    return UsageError(sentence)
