"""Keeps `clip_metadata` current: once at the end of a job, and at the start of the next if a crash left it behind."""

import hashlib
import json
from typing import TYPE_CHECKING

import pyarrow as pa

from schemas.clip_metadata import LABEL_NAMES, SOURCE_NAMES, TABLE
from schemas.errors import MissingError
from schemas.lake import Lake
from schemas.ledger import Ledger
from schemas.scores import SHOWN, struct_of
from schemas.snapshot import snapshot

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

INPUTS = ("videos", "clips", "scores")
STATE = "clip_metadata_state"
REWRITE_SHARE = 0.2
"""Above this share of changed rows the table is written whole instead of merged into."""


def active_preset(ledger: Ledger) -> str:
    """The preset whose clips `clip_metadata` shows."""
    return ledger.setting("active_preset") or "default"


def refresh(lake: Lake) -> int:
    """Bring `clip_metadata` up to date; returns how many of its rows were written. Nothing new costs three folder listings."""
    ledger = lake.ledger
    wanted, state = _wanted(ledger), _state(ledger)
    if state == wanted:
        return 0
    added = _added_files(ledger, state, wanted)
    with snapshot(ledger, INPUTS) as engine:
        changed = _changed_clips(engine, added) if added is not None else None
        present = ledger.open("clip_metadata").count() if changed is not None else 0
        if changed is None or len(changed) > REWRITE_SHARE * present:
            written = _write_whole(engine, ledger, wanted["preset"])
        else:
            written = _merge(engine, ledger, wanted["preset"], changed)
    ledger.set(STATE, json.dumps(wanted))
    return written


def behind(lake: Lake) -> int:
    """How many scored clips `clip_metadata` does not show yet."""
    ledger = lake.ledger
    state = _state(ledger)
    seen = state["scores"] if state else -1
    if ledger.place.data_version("scores", seen) == seen:
        return 0
    new = sorted(set(ledger.files("scores")) - (_files_at(ledger, "scores", seen) or set()))
    if not new:
        return 0
    with snapshot(ledger, INPUTS) as engine:
        return engine.execute("SELECT count(DISTINCT clip_id) FROM read_parquet(?)", [new]).fetchall()[0][0]


def is_current(lake: Lake) -> bool:
    """True when `clip_metadata` shows the tables as they are."""
    ledger = lake.ledger
    return _state(ledger) == _wanted(ledger)


def keep_state(lake: Lake) -> None:
    """Note that maintenance has moved the tables' versions without changing their rows."""
    state = _state(lake.ledger)
    if state is not None:
        lake.ledger.set(STATE, json.dumps(state | lake.ledger.versions(INPUTS)))


def _wanted(ledger: Ledger) -> dict:
    """What the table is to show: whose clips, which versions of its inputs, in which columns."""
    columns = hashlib.sha256(repr([(field.name, str(field.type)) for field in TABLE.schema]).encode()).hexdigest()[:16]
    return {"preset": active_preset(ledger), "columns": columns} | ledger.versions(INPUTS)


def _state(ledger: Ledger) -> dict | None:
    text = ledger.setting(STATE)
    return json.loads(text) if text else None


def _added_files(ledger: Ledger, state: dict | None, wanted: dict) -> dict[str, list[str]] | None:
    """Files that only appends have brought since the last time; None when the table must be written whole."""
    if state is None or any(state.get(name) != wanted[name] for name in ("preset", "columns")):
        return None
    added = {}
    for table in INPUTS:
        if state[table] == wanted[table]:
            added[table] = []
            continue
        before, after = _files_at(ledger, table, state[table]), set(ledger.files(table))
        if before is None or before - after:
            return None
        added[table] = sorted(after - before)
    return added


def _files_at(ledger: Ledger, table: str, version: int) -> set[str] | None:
    """Files of an older version; None when it is not there any more, since a removal leaves no past."""
    from deltalake.exceptions import DeltaError

    try:
        return set(ledger.files(table, version)) if version >= 0 else None
    except (DeltaError, MissingError):
        return None


def _changed_clips(engine: "DuckDBPyConnection", added: dict[str, list[str]]) -> list[str]:
    """Ids of clips that are new or newly scored."""
    ids: set[str] = set()
    for table in ("clips", "scores"):
        if added[table]:
            ids.update(row[0] for row in engine.execute("SELECT DISTINCT clip_id FROM read_parquet(?)", [added[table]]).fetchall())
    return sorted(ids)


def _write_whole(engine: "DuckDBPyConnection", ledger: Ledger, preset: str) -> int:
    rows = engine.sql(_rows_sql(), params=[preset]).to_arrow_reader()
    return ledger.overwrite("clip_metadata", rows)


def _merge(engine: "DuckDBPyConnection", ledger: Ledger, preset: str, changed: list[str]) -> int:
    if not changed:
        return 0
    engine.from_arrow(pa.table({"clip_id": changed})).create("changed")
    rows = engine.sql(_rows_sql("WHERE clip_id IN (FROM changed)"), params=[preset]).to_arrow_table()
    ledger.merge("clip_metadata", rows)
    return rows.num_rows


def _rows_sql(only: str = "") -> str:
    """The query whose rows are `clip_metadata`, for the preset that is its parameter; `only` restricts the clips."""
    newest = ", ".join(f"arg_max({name}, scored_at) FILTER ({name} IS NOT NULL) AS {name}" for name in SHOWN)
    columns = {name: f"v.{name}" for name in ("uri", "width", "height", "fps", "has_audio")}
    columns |= {name: f"v.source.{name}" for name in SOURCE_NAMES}
    columns |= {name: f"v.labels.{name}" for name in LABEL_NAMES} | {"labels_source": "v.labels.source"}
    columns |= {name: _shown_struct(name) for name in SHOWN}
    columns |= {"duration_s": "c.end_s - c.start_s", "scored_at": "s.newest"}
    selected = ", ".join(f"{columns.get(name, f'c.{name}')} AS {name}" for name in TABLE.schema.names)
    return f"""
        WITH s AS (SELECT clip_id, max(scored_at) AS newest, {newest} FROM scores {only} GROUP BY clip_id)
        SELECT {selected}
        FROM (SELECT * FROM clips {only}) c JOIN videos v ON v.video_id = c.video_id LEFT JOIN s ON s.clip_id = c.clip_id
        WHERE c.preset = ?
        ORDER BY c.clip_id"""


def _shown_struct(scorer: str) -> str:
    fields = ", ".join(f"{field.name} := s.{scorer}.{field.name}" for field in struct_of(scorer, shown=True))
    return f"CASE WHEN s.{scorer} IS NULL THEN NULL ELSE struct_pack({fields}) END"
