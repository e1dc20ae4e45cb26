"""Landing against bare_parquet and metering against reference_parquet, on the same events; units are compared exactly."""

from collections.abc import Sequence
from pathlib import Path

import duckdb
from book import FILTERS, write_book
from data import events_of
from measuring import BUILD, REFERENCE, Ratio, medians, ratio, size_name, task

THREADS = 2
AS_OF = "2026-02-01T12:00:00Z"
SQL = str(REFERENCE / "reference.sql")
# what this run has landed already
_LANDED: set[int] = set()


def landing(events: int, runs: int) -> list[Ratio]:
    """Our landing of JSON lines ÷ bare_parquet."""
    data = events_of(events)
    book = write_book(BUILD / f"book-{events}", data.lines, subscriptions=data.subscriptions, first_month="2026-01")
    taken = medians(
        runs,
        bare=lambda: task("bare_parquet", data=str(data.path), out=str(BUILD / "bare.parquet"), threads=THREADS),
        ours=lambda: task("land", book=str(book), home=str(BUILD / f"home-{events}")),
    )
    _LANDED.add(events)
    return [
        ratio(
            "landing",
            f"landing of {size_name(events)} JSON lines ÷ bare_parquet",
            taken["ours"].cpu,
            taken["bare"].cpu,
            goal="≤ 2.5",
        )
    ]


def metering(events: int, runs: int, keys: Sequence[str]) -> list[Ratio]:
    """Our metering of landed events ÷ reference_parquet under each of `keys`; from Parquet above 10 M."""
    data = events_of(events)
    home = BUILD / f"home-{events}"
    if events not in _LANDED:
        book = write_book(
            BUILD / f"book-{events}", data.sources, subscriptions=data.subscriptions, first_month="2026-01"
        )
        task("land", book=str(book), home=str(home))
    taken = medians(
        runs,
        reference=lambda: task("reference_parquet", data=str(data.path), sql=SQL, threads=THREADS),
        ours=lambda: task("meter", home=str(home), as_of=AS_OF),
    )
    compare_units(data.path, home)
    return [
        ratio(
            key,
            f"metering of {size_name(events)} landed events ÷ reference_parquet",
            taken["ours"].cpu,
            taken["reference"].cpu,
            goal="≤ 2.0",
        )
        for key in keys
    ]


def compare_units(data: Path, home: Path) -> None:
    """Raise unless the warehouse has the reference's units in every bucket that has units.

    Equal means to the last digit of the reference, which rounds a level by time to ten digits where we keep twenty.
    """
    connection = duckdb.connect()
    connection.execute("set TimeZone = 'UTC'")
    connection.execute(f"create view landed as from read_parquet('{data}/truth.parquet/*.parquet')")
    connection.execute(f"create temp table expected as {Path(SQL).read_text()}")
    connection.execute("create temp table filters (code varchar, filter_position integer, name varchar)")
    connection.executemany(
        "insert into filters values (?, ?, ?)",
        [(code, place, name) for code, filters in FILTERS.items() for place, (name, _) in enumerate(filters, 1)],
    )
    connection.execute(f"attach '{home}/warehouse.duckdb' as ours (read_only)")
    [(differing, buckets)] = connection.execute(
        """
        with got as (
            select
                charges.external_subscription_id as sub,
                usage.charge_code as code,
                coalesce(filters.name, 'default') as filter_name,
                usage.units,
                usage.events_count
            from ours.intermediate.int_usage_aggregated as usage
            inner join ours.intermediate.int_metered_charges as charges
                on usage.moment_id = charges.moment_id and usage.charge_code = charges.charge_code
            left join filters
                on usage.charge_code = filters.code and usage.filter_position = filters.filter_position
            where charges.moment_state = 'due' and usage.events_count > 0
        ),
        compared as (
            select
                (got.sub is not null and got.units is null)
                or abs(coalesce(got.units, 0) - coalesce(expected.units, 0)) > 0.000000000051 as differs
            from got
            full join expected
                on got.sub = expected.sub and got.code = expected.code
                and got.filter_name = expected.filter
        )
        select count_if(differs), count(*) from compared
        """
    ).fetchall()
    connection.close()
    if differing:
        raise AssertionError(f"{differing} of {buckets} units differ from those of the reference")
