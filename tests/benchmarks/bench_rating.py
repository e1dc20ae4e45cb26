"""Rating and settlement over a million rows: the SQL of the project's own models ÷ one multiplication, one running sum."""

import statistics
import time
from collections.abc import Mapping
from pathlib import Path

import duckdb
from measuring import ROOT, Ratio, ratio

TARGET = ROOT / "build" / "home" / "bench-dbt"
# 40 charges of 2 to 6 graduated ranges and a million units, as in the reference's bench_rating.py
_RANGES = """
create table {schema}.int_charge_ranges as
select
    'o' as organization_id,
    'p' as plan_code,
    timestamp '2026-01-01' as plan_effective_at,
    'c' || charge as charge_code,
    0 as filter_position,
    place + 1 as range_position,
    case when place = 0 then 0 else 50 * (charge % 7 + 1) * pow(4, place - 1) end::decimal(27, 12) as from_value,
    case when place < ranges - 1 then 50 * (charge % 7 + 1) * pow(4, place) end::decimal(27, 12) as to_value,
    (0.05 / (place + 1) + charge / 1000)::decimal(21, 12) as per_unit_amount,
    null::decimal(21, 12) as rate,
    (place * 2)::decimal(21, 12) as flat_amount,
    true as is_touching,
    1::decimal(21, 12) as highest_price
from (select charge, 2 + charge % 5 as ranges, unnest(range(2 + charge % 5)) as place from range(40) as c (charge))
"""
_POINTS = """
create table {schema}.int_price_points as
select
    'u' || number as point_id,
    'graduated' as charge_model,
    'o' as organization_id,
    'p' as plan_code,
    timestamp '2026-01-01' as plan_effective_at,
    'c' || number % 40 as charge_code,
    0 as filter_position,
    false as is_prorated,
    0 as units_rest,
    ((hash(number) % 100000000)::bigint // [1, 10, 100, 1000][1 + hash(number, 1) % 4] / 1000)::decimal(38, 12) as units
from range({rows}) as n (number)
"""
_FLOOR = (
    "select point_id, round(units::decimal(28, 6) * 0.05::decimal(18, 9), 2) as amount from {schema}.int_price_points"
)
_MOVES = """
create table moves as
select
    (number % {wallets})::integer as wallet,
    (number // {wallets})::integer as place,
    case when hash(number, 7) % 20 = 0 or number // {wallets} = 0 then (hash(number, 8) % 200000)::bigint else 0 end
        as granted,
    case when hash(number, 7) % 20 = 0 or number // {wallets} = 0 then 0 else (hash(number, 9) % 20000)::bigint end
        as debit
from range({rows}) as n (number)
"""


def compiled(model: str) -> str:
    """The SQL of a model as dbt compiles it for DuckDB."""
    from dagster_project.lib.dbt_runs import DbtRuns
    from dagster_project.lib.warehouse import DuckDBWarehouse

    warehouse = DuckDBWarehouse(TARGET / "warehouse.duckdb")
    DbtRuns(warehouse, TARGET)._invoke(["compile", "--no-introspect", "--select", model])
    [path] = TARGET.rglob(f"compiled/**/{model}.sql")
    return Path(path).read_text()


def timed(connection: duckdb.DuckDBPyConnection, runs: int, ways: Mapping[str, str]) -> dict[str, float]:
    """The median CPU seconds of each way, its result kept in a table; the ways take turns."""
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(runs):
        for name, sql in ways.items():
            began = time.process_time()
            connection.execute(f"create or replace temp table bench_result as {sql}")
            taken[name].append(time.process_time() - began)
    return {name: statistics.median(times) for name, times in taken.items()}


def graduated(rows: int, runs: int) -> list[Ratio]:
    """Our int_usage_tiers with its sum per point, exact ÷ units times one price."""
    model = compiled("int_usage_tiers")
    connection = duckdb.connect()
    connection.execute("attach ':memory:' as warehouse")
    connection.execute("create schema warehouse.intermediate")
    schema = "warehouse.intermediate"
    connection.execute(_RANGES.format(schema=schema))
    connection.execute(_POINTS.format(schema=schema, rows=rows))
    ways = {"floor": _FLOOR.format(schema=schema), "ours": model}
    taken = timed(connection, runs, ways)
    return [
        ratio(
            "rating_graduated_1m", "graduated tiers of 1 M unit rows ÷ floor", taken["ours"], taken["floor"], goal="≤ 2"
        )
    ]
