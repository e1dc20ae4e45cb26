"""The tables of the operations store, the same on SQLite and PostgreSQL."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    TypeDecorator,
    text,
)


class UtcDateTime(TypeDecorator[datetime]):
    """An aware moment; SQLite has no type for it and keeps UTC as text that sorts by time."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse naive moments, which would mean another instant on every machine."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value!r} has no time zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """Give UTC back, whatever the time zone of the session."""
        if value is None:
            return None
        moment: datetime = value
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


metadata = MetaData()

endpoints = Table(
    "endpoints",
    metadata,
    Column("endpoint_id", Text, primary_key=True),
    Column("organization_id", Text),
    Column("url", Text, nullable=False),
    Column("secrets", Text, nullable=False),
    Column("types", Text, nullable=False),
    Column("is_enabled", Boolean, nullable=False),
    Column("disabled_reason", Text),
    Column("disabled_at", UtcDateTime),
    Column("disabled_count", Integer, nullable=False),
    Column("first_failed_at", UtcDateTime),
    Column("paused_until", UtcDateTime),
    Column("updated_at", UtcDateTime, nullable=False),
)

messages = Table(
    "messages",
    metadata,
    Column("message_id", Text, primary_key=True),
    Column("organization_id", Text),
    Column("type", Text, nullable=False),
    Column("object_id", Text, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("payload", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False, index=True),
)

# next_attempt_at is null once nothing is to come, so that "due" is one comparison and one index.
# For a delivery in flight it is the end of the worker's lease: a crashed worker's claim falls due.
deliveries = Table(
    "deliveries",
    metadata,
    Column("message_id", Text, ForeignKey(messages.c.message_id), primary_key=True),
    Column("endpoint_id", Text, ForeignKey(endpoints.c.endpoint_id), primary_key=True),
    Column("object_id", Text, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("attempts_count", Integer, nullable=False),
    Column("attempts_before_replay_count", Integer, nullable=False),
    Column("next_attempt_at", UtcDateTime),
    Column("claimed_at", UtcDateTime),
    Column("finished_at", UtcDateTime),
)
Index(
    "deliveries_due",
    deliveries.c.endpoint_id,
    deliveries.c.next_attempt_at,
    deliveries.c.sequence,
    deliveries.c.message_id,
)
Index("deliveries_object", deliveries.c.endpoint_id, deliveries.c.object_id)
# The database itself keeps "one in flight per endpoint and object", whatever the workers do.
_in_flight = text("state = 'in_flight'")
Index(
    "deliveries_one_in_flight",
    deliveries.c.endpoint_id,
    deliveries.c.object_id,
    unique=True,
    sqlite_where=_in_flight,
    postgresql_where=_in_flight,
)

attempts = Table(
    "attempts",
    metadata,
    Column("message_id", Text, primary_key=True),
    Column("endpoint_id", Text, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("started_at", UtcDateTime, nullable=False),
    Column("status_code", Integer),
    Column("duration_ms", BigInteger),
    Column("answer", Text),
    Column("error", Text),
    ForeignKeyConstraint(
        ["message_id", "endpoint_id"],
        [deliveries.c.message_id, deliveries.c.endpoint_id],
    ),
)

# Control totals of a warehouse, kept outside of it: a warehouse file that was truncated, or restored from an old
# backup, lacks something that is written here. `warehouse` tells the schemas of one database apart
# where an earlier version recorded them all in one store.
landing_totals = Table(
    "landing_totals",
    metadata,
    Column("warehouse", Text, primary_key=True),
    Column("batch_id", BigInteger, primary_key=True),
    Column("book_version", Text, nullable=False),
    Column("files_count", BigInteger, nullable=False),
    Column("lines_count", BigInteger, nullable=False),
    Column("landed_count", BigInteger, nullable=False),
    Column("recorded_at", UtcDateTime, nullable=False),
)

# The rows that a batch left in a table of raw, by the file that they came from and, of events, the month: how many, and the
# sum of their hashes over `columns` (a JSON array). `method` names how they were hashed: sums of two methods are no matter of
# comparison.
content_totals = Table(
    "content_totals",
    metadata,
    Column("warehouse", Text, primary_key=True),
    Column("table_name", Text, primary_key=True),
    Column("batch_id", BigInteger, primary_key=True),
    Column("source", Text, primary_key=True),
    Column("month", Text, primary_key=True),
    Column("method", Text, primary_key=True),
    Column("columns", Text, nullable=False),
    Column("rows_count", BigInteger, nullable=False),
    Column("checksum", Text, nullable=False),
    Column("recorded_at", UtcDateTime, nullable=False),
)

close_seals = Table(
    "close_seals",
    metadata,
    Column("warehouse", Text, primary_key=True),
    Column("close_id", BigInteger, primary_key=True),
    Column("organization_id", Text, primary_key=True),
    Column("close_hash", Text, nullable=False),
    Column("recorded_at", UtcDateTime, nullable=False),
)

documents = Table(
    "documents",
    metadata,
    Column("invoice_id", Text, primary_key=True),
    Column("format", Text, primary_key=True),
    Column("organization_id", Text, nullable=False),
    Column("number", Text, nullable=False),
    Column("path", Text, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("recorded_at", UtcDateTime, nullable=False),
)
