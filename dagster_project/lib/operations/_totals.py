"""Control totals of a warehouse: what it has taken and committed, written down outside of it."""

from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime

from sqlalchemy import Table, select

from dagster_project.lib.operations import _tables as tables
from dagster_project.lib.operations._base import Store
from dagster_project.lib.operations._records import CloseSeal, LandingTotal


class Totals(Store):
    """The part of the store that remembers what a warehouse must still hold. Nothing in it is ever changed."""

    def record_totals(
        self, warehouse: str, *, landings: Iterable[LandingTotal], seals: Iterable[CloseSeal], now: datetime
    ) -> None:
        """Record what is not recorded yet, all or nothing; what is there stays as it was."""
        with self._engine.begin() as connection:
            kinds: tuple[tuple[Table, Iterable[LandingTotal | CloseSeal]], ...] = (
                (tables.landing_totals, landings),
                (tables.close_seals, seals),
            )
            for table, records in kinds:
                rows = [{"warehouse": warehouse, "recorded_at": now, **asdict(record)} for record in records]
                if rows:
                    connection.execute(self._insert_new(table), rows)

    def landing_totals(self, warehouse: str) -> list[LandingTotal]:
        """The batches on record, by number."""
        found = tables.landing_totals.c
        columns = (found.batch_id, found.book_version, found.files_count, found.lines_count, found.landed_count)
        query = select(*columns).where(found.warehouse == warehouse).order_by(found.batch_id)
        with self._engine.begin() as connection:
            return [LandingTotal(**row._mapping) for row in connection.execute(query)]

    def close_seals(self, warehouse: str) -> list[CloseSeal]:
        """The closes on record, by number and organisation."""
        found = tables.close_seals.c
        query = (
            select(found.close_id, found.organization_id, found.close_hash)
            .where(found.warehouse == warehouse)
            .order_by(found.close_id, found.organization_id)
        )
        with self._engine.begin() as connection:
            return [CloseSeal(**row._mapping) for row in connection.execute(query)]
