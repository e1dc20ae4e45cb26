"""Control totals of a warehouse: what it has taken and committed, written down outside of it."""

from collections.abc import Collection, Iterable
from dataclasses import asdict
from datetime import datetime

from sqlalchemy import Table, or_, select

from dagster_project.lib.operations import _tables as tables
from dagster_project.lib.operations._base import Store
from dagster_project.lib.operations._records import CloseSeal, ContentTotal, LandingTotal


class Totals(Store):
    """The part of the store that remembers what a warehouse must still hold. Nothing in it is ever changed."""

    def record_totals(
        self,
        warehouse: str,
        *,
        landings: Iterable[LandingTotal],
        seals: Iterable[CloseSeal],
        contents: Iterable[ContentTotal] = (),
        now: datetime,
    ) -> None:
        """Record what is not recorded yet, all or nothing; what is there stays as it was."""
        with self._engine.begin() as connection:
            kinds: tuple[tuple[Table, Iterable[LandingTotal | CloseSeal | ContentTotal]], ...] = (
                (tables.landing_totals, landings),
                (tables.content_totals, contents),
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

    def content_batches(self, warehouse: str) -> set[tuple[int, str]]:
        """The batches whose rows are on record, each with the method by which they were hashed."""
        found = tables.content_totals.c
        query = select(found.batch_id, found.method).where(
            found.warehouse == warehouse, found.table_name == "landing_batches"
        )
        with self._engine.begin() as connection:
            return {(row.batch_id, row.method) for row in connection.execute(query)}

    def content_totals(
        self,
        warehouse: str,
        table_names: Collection[str],
        narrowed: str | None = None,
        month: str = "",
        batch_id: int = 0,
    ) -> list[ContentTotal]:
        """The totals of these tables; of the one that is narrowed those of a month on, and of later batches than one."""
        found = tables.content_totals.c
        columns = [
            found.table_name,
            found.batch_id,
            found.source,
            found.month,
            found.method,
            found.columns,
            found.rows_count,
            found.checksum,
        ]
        query = select(*columns).where(
            found.warehouse == warehouse,
            found.table_name.in_(table_names),
            or_(found.table_name != narrowed, found.month >= month, found.batch_id > batch_id),
        )
        if narrowed is None:
            query = select(*columns).where(found.warehouse == warehouse, found.table_name.in_(table_names))
        with self._engine.begin() as connection:
            return [ContentTotal(**row._mapping) for row in connection.execute(query)]
