"""What the parts of the operations store share."""

import json
from datetime import datetime
from typing import Any, Self

from sqlalchemy import ColumnElement, Engine, Row, Table, Update, and_, or_, update
from sqlalchemy.dialects import postgresql, sqlite

from dagster_project.lib.operations import _tables as tables
from dagster_project.lib.operations._records import Endpoint

_endpoint = tables.endpoints.c


class Store:
    """A pool of connections to the tables; every public method is one transaction."""

    def __init__(self, engine: Engine) -> None:
        """Take an engine whose tables exist; use `open_store`."""
        self._engine = engine

    def __enter__(self) -> Self:
        """Return the store, to be closed at the end of the block."""
        return self

    def __exit__(self, *_exception: object) -> None:
        """Close the connections."""
        self.close()

    def close(self) -> None:
        """Close the connections; the store must not be used afterwards."""
        self._engine.dispose()

    def _insert_new(self, table: Table) -> sqlite.Insert | postgresql.Insert:
        insert = postgresql.insert if self._engine.name == "postgresql" else sqlite.insert
        return insert(table).on_conflict_do_nothing()


def may_send(now: datetime) -> ColumnElement[bool]:
    return and_(
        _endpoint.is_enabled,
        or_(_endpoint.paused_until.is_(None), _endpoint.paused_until <= now),
    )


def update_endpoint(endpoint_id: str) -> Update:
    return update(tables.endpoints).where(_endpoint.endpoint_id == endpoint_id)


def as_endpoint(row: Row[Any]) -> Endpoint:
    return Endpoint(
        endpoint_id=row.endpoint_id,
        url=row.url,
        secrets=tuple(json.loads(row.secrets)),
        types=tuple(json.loads(row.types)),
        organization_id=row.organization_id,
    )


def unknown_endpoint(endpoint_id: str) -> str:
    return (
        f"There is no webhook endpoint {endpoint_id!r} in the operations store. Its id must be "
        "one of those in the endpoints file."
    )
