"""Closing at every turn, now and then, or once at the end gives equal ledgers."""

import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from dagster_project.lib.warehouse import Warehouse
from tests.lifecycle.random_lineages import as_book, closer, land, random_book

FIRST = datetime(2023, 10, 20, tzinfo=UTC)
LAST = datetime(2024, 4, 10, tzinfo=UTC)
BOOKS = 40
STEPS = 5
# what names a row by its organisation, or says in which close it was written
_KEYS = {
    "close_id", "organization_id", "invoice_id", "moment_id", "period_moment_id", "fee_id", "posting_id", "source_id",
    "round_no",
}  # fmt: skip
_TABLES = (
    "ledger_invoices", "ledger_moments", "ledger_fees", "ledger_postings", "ledger_invoice_taxes",
    "ledger_standalone_fees", "ledger_standalone_fee_taxes",
)  # fmt: skip


def turns(seed: int) -> list[datetime]:
    """When an organisation is closed: on days of its own, for one in three day after day over a month's end."""
    rng = random.Random(seed)
    if seed % 3 == 0:
        begin = datetime(2024, rng.choice([1, 2, 3]), 1, rng.randrange(24), tzinfo=UTC) - timedelta(days=3)
        return [begin + timedelta(days=day) for day in range(STEPS - 1)] + [LAST]
    seconds = int((LAST - FIRST).total_seconds())
    moments = sorted(FIRST + timedelta(seconds=rng.randrange(seconds)) for _ in range(STEPS - 1))
    return [*(moment.replace(minute=0, second=0) for moment in moments), LAST]


def ledger(warehouse: Warehouse, pace: str) -> list[tuple[Any, ...]]:
    """Every row of the ledger of the organisations of a pace, as organisation, table and what stands in its columns."""
    content: list[tuple[Any, ...]] = []
    with warehouse.connect(read_only=True) as session:
        schema = session.schema("ledger")
        for table in _TABLES:
            columns = [
                name
                for (name,) in session.rows(
                    "select column_name from information_schema.columns where table_schema = ? and table_name = ? "
                    "order by column_name",
                    [schema, table],
                )
                if name not in _KEYS
            ]
            rows = session.rows(
                f"select organization_id, {', '.join(columns)} from {schema}.{table} where organization_id like ?",
                [f"{pace}-%"],
            )
            content += [
                (
                    organization.removeprefix(f"{pace}-"),
                    table,
                    *(f"{name}={_plain(value)}" for name, value in zip(columns, values, strict=True)),
                )
                for organization, *values in rows
            ]
    return content


def _plain(value: Any) -> Any:
    return value.normalize() if isinstance(value, Decimal) else value


def differences(some: list[tuple[Any, ...]], others: list[tuple[Any, ...]]) -> list[str]:
    """The rows that only one of two ledgers has, a few of them, by what differs in them."""
    here, there = Counter(some), Counter(others)
    only_here = sorted((here - there).elements())
    only_there = sorted((there - here).elements())
    told = []
    for row in (only_here + only_there)[:6]:
        like = [other for other in only_there if other[:2] == row[:2]]
        near = min(like, key=lambda other: len(set(other) ^ set(row)), default=())
        told.append(f"{row[:2]}: {sorted(set(row) ^ set(near)) if near and near != row else row}")
    return told


@pytest.mark.slow
def test_the_pace_of_closing_makes_no_difference(warehouse: Warehouse, tmp_path: Path) -> None:
    paces = {
        "often": lambda seed: turns(seed),
        "seldom": lambda seed: [turns(seed)[STEPS // 2], LAST],
        "once": lambda _: [LAST],
    }
    books = [
        as_book(tmp_path, f"{pace}-{seed}", random_book(seed, FIRST, LAST, rich=True), LAST)
        for pace in paces
        for seed in range(BOOKS)
    ]
    land(warehouse, books, LAST.year)
    close = closer(warehouse, tmp_path)
    for step in range(STEPS):
        close(
            {
                f"{pace}-{seed}": moments(seed)[step]
                for pace, moments in paces.items()
                for seed in range(BOOKS)
                if step < len(moments(seed))
            }
        )
    once = ledger(warehouse, "once")
    assert len(once) > 10 * BOOKS
    assert differences(ledger(warehouse, "seldom"), once) == []
    assert differences(ledger(warehouse, "often"), once) == []
