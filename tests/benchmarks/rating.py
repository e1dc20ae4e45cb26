"""Rating and settlement over a million rows: the SQL of the project's own models ÷ one multiplication, one running sum.

The rows are those of the reference's bench_rating.py; the models run as dbt compiles them, on tables made here.
"""

import statistics
import time
from collections.abc import Mapping
from pathlib import Path

import duckdb
from measuring import BUILD, Ratio, ratio

_SCHEMA = "warehouse.intermediate"
_STAGING = "warehouse.staging"
# 40 charges of 2 to 6 graduated ranges that touch
_RANGES = f"""
create table {_STAGING}.stg_book__charge_ranges as
select
    'o' as organization_id,
    'p' as plan_code,
    timestamp '2026-01-01' as effective_at,
    'c' || charge as charge_code,
    0 as filter_position,
    place + 1 as range_position,
    case when place = 0 then 0 else 50 * (charge % 7 + 1) * power(4, place - 1) end::decimal(27, 12) as from_value,
    case when place < ranges - 1 then 50 * (charge % 7 + 1) * power(4, place) end::decimal(27, 12) as to_value,
    (0.05 / (place + 1) + charge / 1000)::decimal(21, 12) as per_unit_amount,
    null::decimal(21, 12) as rate,
    (place * 2)::decimal(21, 12) as flat_amount,
    1::bigint as batch_id
from (select charge, 2 + charge % 5 as ranges, unnest(range(2 + charge % 5)) as place from range(40) as c (charge))
"""
_POINTS = f"""
create table {_SCHEMA}.int_price_points as
select
    'u' || number as point_id,
    'o' as organization_id,
    'p' as plan_code,
    timestamp '2026-01-01' as plan_effective_at,
    'c' || number % 40 as charge_code,
    0 as filter_position,
    'graduated' as charge_model,
    false as is_prorated,
    (((hash(number) % 100000000)::bigint // [1, 10, 100, 1000][1 + (hash(number, 1) % 4)::integer])::decimal(18, 0)
        * 0.001::decimal(6, 3))::decimal(38, 12) as units,
    units as full_units,
    0::bigint as units_rest
from range({{rows}}) as n (number)
"""
_FLOOR = f"""
select point_id, round(units * 0.05::decimal(18, 9), 2) as amount from {_SCHEMA}.int_price_points
"""
# every range that the units reach, added up
_GRADUATED = f"""
select points.point_id, round(sum(
    (least(points.units, coalesce(ranges.to_value, points.units)) - ranges.from_value)::decimal(28, 6)
    * ranges.per_unit_amount + ranges.flat_amount), 2) as amount
from {_SCHEMA}.int_price_points as points
inner join {_STAGING}.stg_book__charge_ranges as ranges
    on points.charge_code = ranges.charge_code and (ranges.range_position = 1 or points.units > ranges.from_value)
group by points.point_id
"""
_MOVES = """
create or replace table moves as
select
    number % {wallets} as wallet,
    number // {wallets} as place,
    hash(number, 7) % 20 = 0 or number // {wallets} = 0 as is_grant,
    case when is_grant then (hash(number, 8) % 200000)::bigint else 0 end as granted,
    case when is_grant then 0 else (hash(number, 9) % 20000)::bigint end as debit,
    timestamp '2026-01-01' + to_seconds(place) as moved_at
from range({rows}) as n (number)
"""
# the moves with what the model before would number, in the order of the floor's rows
_ENTRIES = {
    "int_prepaid_customers": """
        select distinct wallet as chain_no, 1000::hugeint as credits_e5_of_cent, 1000000000000::hugeint as rate_e12,
            1000000000000000::hugeint as scale_of_product from moves""",
    "int_prepaid_entries": """
        select wallet as chain_no, place + 1 as move_order, granted - debit as asked_cents,
            case when is_grant then (granted * 1000)::hugeint end as credits_e5 from moves""",
}
_RUNNING_SUM = "select wallet, place, sum(debit) over (partition by wallet order by place) as applied from moves"
_APPLIED = """
with summed as (
    select wallet, place, sum(granted) over w as granted, sum(debit) over w as debit
    from moves window w as (partition by wallet order by place rows unbounded preceding)
),
applied as (
    select wallet, place, least(debit, debit + min(granted - debit) over (
        partition by wallet order by place rows unbounded preceding)) as applied
    from summed
)
select sum(applied) from (select max(applied) as applied from applied group by wallet)
"""


def graduated(rows: int, runs: int) -> list[Ratio]:
    """Our graduated prices, exact and rounded to cents, what a charge's ranges cost included ÷ units times one price."""
    connection = _connection()
    connection.execute(_RANGES)
    connection.execute(_POINTS.format(rows=rows))
    ranges, amounts = _compiled("int_charge_ranges"), _compiled("int_tiered_amounts")
    connection.execute(f"create view {_SCHEMA}.int_charge_ranges as {ranges}")
    ours = f"select point_id, round(amount, 2) as amount from ({amounts}) as tiered"
    taken = _timed(connection, runs, {"floor": _FLOOR, "ours": ours})
    [(differing,)] = connection.execute(
        f"select count(*) from result full join ({_GRADUATED}) as expected using (point_id) "
        "where result.amount is distinct from expected.amount"
    ).fetchall()
    if differing:
        raise AssertionError(f"{differing} graduated amounts are not the sum over their ranges")
    return [
        ratio(
            "rating_graduated_1m",
            f"graduated prices of {rows:,} unit rows, exact ÷ floor",
            taken["ours"],
            taken["reference"],
            goal="≤ 2",
        ),
    ]


def settlement(rows: int, runs: int) -> list[Ratio]:
    """Our prepaid moves, in cents and in credits with both balances ÷ one running sum over the same moves."""
    model = _compiled("int_prepaid_moves")
    results = []
    for per_wallet in (100, 200_000):
        connection = _connection()
        connection.execute(_MOVES.format(rows=rows, wallets=max(rows // per_wallet, 1)))
        for table, sql in _ENTRIES.items():
            connection.execute(f"create table {_SCHEMA}.{table} as {sql}")
        taken = _timed(connection, runs, {"floor": _RUNNING_SUM, "ours": model})
        got = connection.execute("select -sum(amount_cents) from result where amount_cents < 0").fetchall()
        if got != connection.execute(_APPLIED).fetchall():
            raise AssertionError("The credit applied is not that of the closed form")
        results.append(
            ratio(
                f"settlement_1m_{per_wallet}",
                f"settlement of {rows:,} wallet moves, {per_wallet:,} a wallet ÷ one running sum",
                taken["ours"],
                taken["reference"],
                goal="≤ 4",
            )
        )
    return results


def _connection() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute("set threads = 2; set TimeZone = 'UTC'; set preserve_insertion_order = false")
    connection.execute("attach ':memory:' as warehouse")
    connection.execute(f"create schema {_SCHEMA}; create schema {_STAGING}")
    return connection


def _compiled(model: str) -> str:
    """The SQL of a model as dbt compiles it for a DuckDB warehouse."""
    from dagster_project.lib.dbt_runs import DbtRuns
    from dagster_project.lib.warehouse import DuckDBWarehouse

    folder = BUILD / "compiled"
    folder.mkdir(parents=True, exist_ok=True)
    runs = DbtRuns(DuckDBWarehouse(folder / "warehouse.duckdb"), folder / "dbt")
    runs._invoke(["compile", "--select", model])
    [path] = folder.rglob(f"compiled/meterhouse/models/**/{model}.sql")
    return Path(path).read_text()


def _timed(connection: duckdb.DuckDBPyConnection, runs: int, ways: Mapping[str, str]) -> dict[str, float]:
    """The median CPU seconds of `ours` and of the floor as `reference`; the ways take turns, `ours` last."""
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(runs):
        for name, sql in ways.items():
            began = time.process_time()
            connection.execute(f"create or replace temp table result as {sql}")
            taken[name].append(time.process_time() - began)
    return {
        "ours": statistics.median(taken["ours"]),
        "reference": statistics.median(taken["floor"]),
    }
