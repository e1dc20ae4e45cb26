"""The copy of the marts for readers: equal to them, whatever changed, and written whole where there is none to begin with."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb
import pytest

from dagster_project.lib.close import published_path
from dagster_project.lib.close._publish import publish_marts
from dagster_project.lib.warehouse import DuckDBWarehouse


@pytest.fixture
def warehouse(tmp_path: Path) -> DuckDBWarehouse:
    """Marts of two closes, one without closes, an empty one and a view, published."""
    made = DuckDBWarehouse(tmp_path / "it's a warehouse.duckdb")
    change(
        made,
        "create schema marts",
        "create table marts.lines (id integer, name varchar, close_id bigint)",
        "insert into marts.lines values (1, 'a', 1), (2, 'b', 1), (3, null, 2)",
        "create table marts.days as select date '2026-01-01' as day",
        "create table marts.notes (id integer, close_id bigint)",
        "create view marts.events as select 1 as id",
    )
    publish_marts(made)
    return made


def change(warehouse: DuckDBWarehouse, *statements: str) -> None:
    with warehouse.connect() as session:
        for statement in statements:
            session.execute(statement)


def content(path: Path) -> Mapping[str, list[tuple[Any, ...]]]:
    with duckdb.connect(str(path), read_only=True) as connection:
        tables = connection.execute(
            "select table_name from information_schema.tables where table_schema = 'marts' and table_type = 'BASE TABLE'"
        ).fetchall()
        return {
            table: [
                connection.execute(f"describe marts.{table}").fetchall(),
                *sorted(connection.execute(f"select * from marts.{table}").fetchall(), key=repr),
            ]
            for (table,) in tables
        }


def test_a_copy_that_begins_as_the_old_one_equals_the_marts(warehouse: DuckDBWarehouse) -> None:
    for statements in (
        ["select 1"],
        ["insert into marts.lines values (4, 'd', 3)"],
        ["insert into marts.lines values (5, 'e', 4)", "update marts.lines set name = 'void' where id = 1"],
        ["update marts.lines set close_id = null where id = 3"],
        ["delete from marts.lines where close_id = 1"],
        ["update marts.lines set name = coalesce(name, '') || '!', close_id = close_id + 1"],
        ["alter table marts.lines add column more integer", "insert into marts.notes values (1, 3)"],
        ["delete from marts.lines", "update marts.days set day = date '2026-01-02'"],
        ["drop table marts.days", "create table marts.other as select 2 as id"],
        ["drop table marts.other", "drop view marts.events", "create table marts.events as select 1 as id"],
    ):
        change(warehouse, *statements)
        publish_marts(warehouse)
        assert content(published_path(warehouse)) == content(warehouse.path), statements


def test_a_view_over_marts_is_one_in_the_copy_and_a_view_over_more_stays(warehouse: DuckDBWarehouse) -> None:
    def published(view: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(published_path(warehouse)), read_only=True) as connection:
            return connection.execute(f"select * from marts.{view} order by all").fetchall()

    change(
        warehouse,
        "create schema raw",
        "create table raw.events as select 1 as id",
        "create view marts.names as select name from marts.lines where name is not null",
        "create or replace view marts.events as select id from raw.events",
    )
    publish_marts(warehouse)
    assert published("names") == [("a",), ("b",)]
    with pytest.raises(duckdb.CatalogException):
        published("events")
    change(warehouse, "insert into marts.lines values (4, 'd', 3)")
    publish_marts(warehouse)
    assert published("names") == [("a",), ("b",), ("d",)]
    # what is a view and then a table, or none any more
    change(warehouse, "drop view marts.names", "create table marts.names as select 'e' as name")
    publish_marts(warehouse)
    assert published("names") == [("e",)]
    change(warehouse, "drop table marts.names", "create view marts.names as select 'f' as name")
    publish_marts(warehouse)
    assert published("names") == [("f",)]
    change(warehouse, "drop view marts.names")
    publish_marts(warehouse)
    with pytest.raises(duckdb.CatalogException):
        published("names")


def test_a_reader_keeps_the_copy_that_it_opened(warehouse: DuckDBWarehouse) -> None:
    with duckdb.connect(str(published_path(warehouse)), read_only=True) as reader:
        change(warehouse, "insert into marts.lines values (4, 'd', 3)")
        path = published_path(warehouse)
        publish_marts(warehouse)
        assert reader.execute("select count(*) from marts.lines").fetchall() == [(3,)]
    assert len(content(path)["lines"]) == 1 + 4
    assert sorted(left.name for left in path.parent.iterdir()) == sorted([path.name, warehouse.path.name])


@pytest.mark.parametrize("damage", [b"", b"no database", None])
def test_an_old_copy_that_cannot_be_read_is_written_anew(warehouse: DuckDBWarehouse, damage: bytes | None) -> None:
    path = published_path(warehouse)
    # null: the middle of its blocks is lost
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2] + bytes(len(whole) - len(whole) // 2) if damage is None else damage)
    publish_marts(warehouse)
    assert content(path) == content(warehouse.path)
