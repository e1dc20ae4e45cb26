"""The endpoints: their configuration, their health, and what is waiting for them."""

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, exists, func, select

from dagster_project.lib.errors import InputError
from dagster_project.lib.operations import _tables as tables
from dagster_project.lib.operations._base import Store, may_send, unknown_endpoint, update_endpoint
from dagster_project.lib.operations._records import DeliveryState, Endpoint, EndpointSummary

_REMOVED = "removed"
_ENABLED = {
    "is_enabled": True,
    "disabled_reason": None,
    "disabled_at": None,
    "first_failed_at": None,
    "paused_until": None,
}

_endpoint = tables.endpoints.c
_message = tables.messages.c
_delivery = tables.deliveries.c


class Endpoints(Store):
    """The part of the store that knows who listens."""

    def sync_endpoints(self, endpoints: Iterable[Endpoint], *, now: datetime) -> None:
        """Make the endpoints what the configuration says.

        One that is no longer listed is disabled as `removed` and keeps what it has waiting; listed
        again it goes on. One that was disabled for failing stays so until its URL changes or
        `enable_endpoint` is called. Raises InputError when an id is there twice.
        """
        listed: dict[str, Endpoint] = {}
        for endpoint in endpoints:
            if listed.setdefault(endpoint.endpoint_id, endpoint) is not endpoint:
                raise InputError(
                    f"The endpoint id {endpoint.endpoint_id!r} is listed twice; every endpoint needs its own id."
                )
        with self._engine.begin() as connection:
            known = {row.endpoint_id: row for row in connection.execute(select(tables.endpoints))}
            for endpoint_id, endpoint in listed.items():
                before = known.get(endpoint_id)
                values: dict[str, Any] = {
                    "organization_id": endpoint.organization_id,
                    "url": endpoint.url,
                    "secrets": json.dumps(endpoint.secrets),
                    "types": json.dumps(endpoint.types),
                    "updated_at": now,
                }
                if before is None:
                    connection.execute(
                        self._insert_new(tables.endpoints).values(
                            endpoint_id=endpoint_id, is_enabled=True, disabled_count=0, **values
                        )
                    )
                    continue
                if before.disabled_reason == _REMOVED or before.url != endpoint.url:
                    values |= _ENABLED
                connection.execute(update_endpoint(endpoint_id).values(values))
            for endpoint_id, row in known.items():
                if endpoint_id not in listed and row.disabled_reason != _REMOVED:
                    connection.execute(
                        update_endpoint(endpoint_id).values(
                            is_enabled=False,
                            disabled_reason=_REMOVED,
                            disabled_at=now,
                            updated_at=now,
                        )
                    )

    def enable_endpoint(self, endpoint_id: str, *, now: datetime) -> None:
        """Give a disabled endpoint a fresh start; what was waiting for it falls due.

        Raises InputError for an endpoint that is not known.
        """
        with self._engine.begin() as connection:
            changed = connection.execute(update_endpoint(endpoint_id).values({**_ENABLED, "updated_at": now}))
            if not changed.rowcount:
                raise InputError(unknown_endpoint(endpoint_id))

    def due_endpoints(self, *, now: datetime) -> list[str]:
        """Return the ids of enabled endpoints with a delivery due, those that work first."""
        due = exists().where(_delivery.endpoint_id == _endpoint.endpoint_id, _delivery.next_attempt_at <= now)
        with self._engine.begin() as connection:
            return list(
                connection.scalars(
                    select(_endpoint.endpoint_id)
                    .where(may_send(now), due)
                    .order_by(_endpoint.first_failed_at.nulls_first(), _endpoint.endpoint_id)
                )
            )

    def summary(self) -> list[EndpointSummary]:
        """Return one row per endpoint with its state and the counts of its deliveries, by id."""

        def count(state: DeliveryState) -> ColumnElement[int]:
            return func.count().filter(_delivery.state == state).label(f"{state}_count")

        unsent_at = func.min(_message.created_at).filter(_delivery.next_attempt_at.is_not(None))
        columns = (
            _endpoint.endpoint_id,
            _endpoint.organization_id,
            _endpoint.url,
            _endpoint.is_enabled,
            _endpoint.disabled_reason,
            _endpoint.first_failed_at,
            _endpoint.paused_until,
        )
        with self._engine.begin() as connection:
            rows = connection.execute(
                select(
                    *columns,
                    *(count(state) for state in DeliveryState),
                    unsent_at.label("oldest_unsent_at"),
                )
                .outerjoin(tables.deliveries, _delivery.endpoint_id == _endpoint.endpoint_id)
                .outerjoin(tables.messages, _message.message_id == _delivery.message_id)
                .group_by(*columns)
                .order_by(_endpoint.endpoint_id)
            )
            return [EndpointSummary(**row._mapping) for row in rows]
