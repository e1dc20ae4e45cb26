"""From the parsed events of one landing transaction to the schema raw: the same SQL on every engine."""

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb

from dagster_project.lib.landing.events_sql import statement, statements
from dagster_project.lib.warehouse import Session

_PAGE_ROWS = 20_000
# what is copied into which table of a warehouse that does not parse
_MOVED = {"landing_extracted": "landing_incoming", "landing_rejected": "landing_rejected"}


def store_parsed(
    session: Session,
    parsed: duckdb.DuckDBPyConnection,
    *,
    batch_id: int,
    first_file_id: int,
    relations: frozenset[int],
) -> Mapping[tuple[int, str], int]:
    """Store what `parsed` holds; the number of lines by (file_id, fate).

    The fates are landed, duplicates, conflicts and rejected. `relations` are the file ids of
    relations, which are read again at every landing: of them only what is not known is taken.
    """
    raw = session.schema("raw")
    if session.kind != "duckdb":
        _move(session, parsed)
    else:
        _take_back(session, raw=raw, first_file_id=first_file_id)
    _find_repeats(session, raw)
    landed = "events_landed" if session.kind == "duckdb" else "events_landed_moved"
    values: dict[str, str | int] = {
        "landed": statement(landed, raw=raw, first_file_id=first_file_id),
        "raw": raw,
        "extracted": "landing_extracted" if session.kind == "duckdb" else "landing_incoming",
        "batch_id": batch_id,
        "first_file_id": first_file_id,
        "relations": ", ".join(map(str, sorted(relations))) or "-1",
    }
    for part in statements("events_store", **values):
        session.execute(part)
    counts = session.rows(statement("events_counts", **values))
    session.execute("drop table landing_ranked")
    session.execute("drop table landing_repeats")
    return {(file_id, fate): count for file_id, fate, count in counts}


def _move(session: Session, parsed: duckdb.DuckDBPyConnection) -> None:
    """Copy the parsed relations into temporary tables of the warehouse, as CSV in bulk."""
    for part in statements("events_incoming"):
        session.execute(part)
    connection: Any = session.connection  # type: ignore[attr-defined]
    with tempfile.TemporaryDirectory(prefix="meterhouse-") as folder:
        for relation, table in _MOVED.items():
            path = Path(folder) / table
            # every value is quoted, so that an empty text is not a null
            parsed.execute(f"copy {relation} to '{path}' (format csv, header false, force_quote *)")
            with path.open("rb") as file, connection.cursor() as cursor:
                cursor.copy_expert(f"copy {table} from stdin with (format csv)", file)
            path.unlink()
            session.execute(f"analyze {table}")


def _take_back(session: Session, **values: str | int) -> None:
    """Let events that went straight into the warehouse wait with an earlier line of theirs; hardly ever there are any."""
    session.execute(statement("events_overtaken", **values))
    if session.rows("select 1 from landing_overtaken limit 1"):
        for part in statements("events_taken_back", **values):
            session.execute(part)
    session.execute("drop table landing_overtaken")


def renew_hashes(session: Session) -> None:
    """See to it that the hashes in a DuckDB warehouse are those that this landing makes."""
    if session.kind == "duckdb":
        session.execute(statement("events_hashes", raw=session.schema("raw")))


def _find_repeats(session: Session, raw: str) -> None:
    """Fill landing_repeats: with the lines of events landed before, then with later lines of one event.

    The engines are told the sizes in between; a planner that takes them for small never ends.
    """
    session.execute(statement("events_repeats"))
    known = f"{raw}.usage_events"
    if session.kind == "duckdb":
        known = "landing_known"
        for part in statements("events_known_rows", raw=raw):
            session.execute(part)
    session.execute(statement("events_compare", pairs=statement("events_known", known=known)))
    if session.kind == "duckdb":
        session.execute("drop table landing_known")
    session.execute("analyze landing_repeats")
    for part in statements("events_ranked"):
        session.execute(part)
    session.execute(statement("events_compare", pairs=statement("events_repeated")))
    session.execute("analyze landing_repeats")
    _compare_properties(session)


def _compare_properties(session: Session) -> None:
    """Take for the same what differs in nothing but the order of the properties' keys."""
    while True:
        rows = session.rows(
            "select file_id, line_number, properties, first_properties from landing_repeats "
            f"where is_alike limit {_PAGE_ROWS}"
        )
        if not rows:
            return
        session.execute("create temp table landing_verdicts (file_id bigint, line_number bigint, is_same boolean)")
        session.insert(
            "landing_verdicts",
            ["file_id", "line_number", "is_same"],
            [(file_id, number, _unordered(one) == _unordered(other)) for file_id, number, one, other in rows],
        )
        session.execute(
            "update landing_repeats set is_same = verdicts.is_same, is_alike = false "
            "from landing_verdicts as verdicts where landing_repeats.file_id = verdicts.file_id "
            "and landing_repeats.line_number = verdicts.line_number"
        )
        session.execute("drop table landing_verdicts")


def _unordered(properties: str) -> Any:
    """The properties with their numbers as written; 1 and 1.0 stay different."""
    return json.loads(properties, parse_float=_number, parse_int=_number)


def _number(token: str) -> tuple[str]:
    return (token,)
