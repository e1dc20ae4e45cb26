"""The outbox: queueing messages, claiming deliveries, recording outcomes, and sending again."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Update,
    exists,
    func,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.exc import IntegrityError

from dagster_project.lib.errors import BillingError, InputError
from dagster_project.lib.operations import _tables as tables
from dagster_project.lib.operations._base import (
    Store,
    as_endpoint,
    may_send,
    unknown_endpoint,
    update_endpoint,
)
from dagster_project.lib.operations._records import (
    Attempt,
    Claim,
    Delivery,
    DeliveryState,
    Endpoint,
    Message,
    Outcome,
)

_BATCH_ROWS = 500

_endpoint = tables.endpoints.c
_message = tables.messages.c
_delivery = tables.deliveries.c
_attempt = tables.attempts.c


class Outbox(Store):
    """The part of the store that knows what is to be told."""

    def enqueue(self, messages: Iterable[Message], *, now: datetime) -> int:
        """Queue messages for every enabled endpoint that listens; return how many were new.

        All in one transaction. A message whose id is known is left as it was first queued: nothing
        is sent twice because a close ran twice. Raises BillingError when that id stands for
        another object, or when a message can not be sent (see `Message.payload`).
        """
        with self._engine.begin() as connection:
            return self._enqueue(connection, messages, now)

    def _enqueue(self, connection: Connection, messages: Iterable[Message], now: datetime) -> int:
        first: dict[str, Message] = {}
        for message in messages:
            _refuse_another(message, first.setdefault(message.message_id, message))
        listeners = [
            as_endpoint(row) for row in connection.execute(select(tables.endpoints).where(_endpoint.is_enabled))
        ]
        new_count = 0
        ids = sorted(first)
        for batch in (ids[at : at + _BATCH_ROWS] for at in range(0, len(ids), _BATCH_ROWS)):
            rows = [
                {
                    "message_id": id_,
                    "organization_id": first[id_].organization_id,
                    "type": first[id_].type,
                    "object_id": first[id_].object_id,
                    "sequence": first[id_].sequence,
                    "payload": first[id_].payload(),
                    "created_at": now,
                }
                for id_ in batch
            ]
            new = set(connection.scalars(self._insert_new(tables.messages).returning(_message.message_id), rows))
            new_count += len(new)
            known = select(tables.messages).where(_message.message_id.in_(set(batch) - new))
            for row in connection.execute(known):
                _refuse_another(first[row.message_id], row)
            rows = [
                _new_delivery(first[id_], endpoint.endpoint_id, now)
                for id_ in batch
                if id_ in new
                for endpoint in listeners
                if endpoint.listens_to(first[id_].type, organization_id=first[id_].organization_id)
            ]
            self._add_deliveries(connection, rows)
        return new_count

    def claim(self, endpoint_id: str, *, due_by: datetime, now: datetime, lease: timedelta) -> Claim | None:
        """Claim the next delivery of an endpoint that is due by `due_by`, or return None.

        The claim is committed before anything is sent and holds until `now + lease`; a worker that
        dies leaves it to fall due again, under the same message id. Per endpoint and object at
        most one delivery is in flight, in the order of `sequence`; a delivery that is being
        retried holds back the later ones of its object.
        """
        try:
            with self._engine.begin() as connection:
                return self._claim(connection, endpoint_id, due_by, now, lease)
        except IntegrityError:
            # Another worker claimed this very object between our look and our write, which the
            # unique index refused. What it left is found by the next run.
            return None

    def _claim(
        self,
        connection: Connection,
        endpoint_id: str,
        due_by: datetime,
        now: datetime,
        lease: timedelta,
    ) -> Claim | None:
        endpoint = connection.execute(
            select(tables.endpoints).where(_endpoint.endpoint_id == endpoint_id, may_send(due_by))
        ).one_or_none()
        if endpoint is None:
            return None
        other = tables.deliveries.alias("other")
        held_back = exists().where(
            other.c.endpoint_id == _delivery.endpoint_id,
            other.c.object_id == _delivery.object_id,
            other.c.message_id != _delivery.message_id,
            other.c.next_attempt_at.is_not(None),
            or_(
                other.c.state == DeliveryState.IN_FLIGHT,
                tuple_(other.c.sequence, other.c.message_id) < tuple_(_delivery.sequence, _delivery.message_id),
            ),
        )
        row = connection.execute(
            select(tables.deliveries, _message.payload)
            .join(tables.messages, _message.message_id == _delivery.message_id)
            .where(
                _delivery.endpoint_id == endpoint_id,
                _delivery.next_attempt_at <= due_by,
                or_(_delivery.state == DeliveryState.IN_FLIGHT, ~held_back),
            )
            .order_by(_delivery.next_attempt_at, _delivery.sequence, _delivery.message_id)
            .limit(1)
            .with_for_update(of=tables.deliveries, skip_locked=True)
        ).one_or_none()
        if row is None:
            return None
        number = row.attempts_count + 1
        connection.execute(
            _update_delivery(row.message_id, endpoint_id).values(
                state=DeliveryState.IN_FLIGHT,
                attempts_count=number,
                claimed_at=now,
                next_attempt_at=now + lease,
            )
        )
        connection.execute(
            tables.attempts.insert().values(
                message_id=row.message_id, endpoint_id=endpoint_id, number=number, started_at=now
            )
        )
        return Claim(
            message_id=row.message_id,
            endpoint=as_endpoint(endpoint),
            payload=row.payload,
            attempt_number=number,
            try_number=number - row.attempts_before_replay_count,
            endpoint_first_failed_at=endpoint.first_failed_at,
        )

    def record(self, claim: Claim, outcome: Outcome, *, now: datetime) -> bool:
        """Write down what came of a claim; return whether this call disabled the endpoint.

        The attempt is always logged. When the lease ran out and another worker has claimed the
        delivery since, that worker's outcome decides and this one changes nothing else. An endpoint
        that gets disabled is told to the others by an `endpoint.disabled` message.
        """
        endpoint_id = claim.endpoint.endpoint_id
        with self._engine.begin() as connection:
            connection.execute(
                update(tables.attempts)
                .where(
                    _attempt.message_id == claim.message_id,
                    _attempt.endpoint_id == endpoint_id,
                    _attempt.number == claim.attempt_number,
                )
                .values(
                    status_code=outcome.status_code,
                    duration_ms=outcome.duration_ms,
                    answer=outcome.answer,
                    error=outcome.error,
                )
            )
            mine = connection.execute(
                _update_delivery(claim.message_id, endpoint_id)
                .where(
                    _delivery.state == DeliveryState.IN_FLIGHT,
                    _delivery.attempts_count == claim.attempt_number,
                )
                .values(
                    state=outcome.state,
                    next_attempt_at=outcome.next_attempt_at,
                    claimed_at=None,
                    finished_at=None if outcome.state is DeliveryState.PENDING else now,
                )
            )
            if not mine.rowcount:
                return False
            if outcome.state is DeliveryState.DELIVERED:
                connection.execute(
                    update_endpoint(endpoint_id)
                    .where(_endpoint.first_failed_at.is_not(None))
                    .values(first_failed_at=None, paused_until=None)
                )
                return False
            connection.execute(
                update_endpoint(endpoint_id).values(
                    first_failed_at=func.coalesce(_endpoint.first_failed_at, now),
                    paused_until=func.coalesce(outcome.paused_until, _endpoint.paused_until),
                )
            )
            if outcome.disabled_reason is None:
                return False
            return self._disable(connection, endpoint_id, outcome.disabled_reason, now)

    def _disable(self, connection: Connection, endpoint_id: str, reason: str, now: datetime) -> bool:
        row = connection.execute(
            update_endpoint(endpoint_id)
            .where(_endpoint.is_enabled)
            .values(
                is_enabled=False,
                disabled_reason=reason,
                disabled_at=now,
                disabled_count=_endpoint.disabled_count + 1,
            )
            .returning(tables.endpoints)
        ).one_or_none()
        if row is None:
            return False
        told = Message(
            type="endpoint.disabled",
            organization_id=row.organization_id,
            object_id=endpoint_id,
            sequence=row.disabled_count,
            occurred_at=now,
            data={"endpoint_id": endpoint_id, "reason": reason},
        )
        self._enqueue(connection, [told], now)
        return True

    def replay(
        self,
        *,
        now: datetime,
        message_id: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        type: str | None = None,
        endpoint_id: str | None = None,
        dead_only: bool = False,
    ) -> int:
        """Make deliveries due again under the same message id; return how many.

        All conditions must hold; `since` and `until` are half-open and compare with the moment of
        queueing. A delivery in flight is left to its worker. The retry schedule starts anew. With
        `endpoint_id` (and without `dead_only`) an endpoint also gets the messages that it listens
        to and never got, because it was added or enabled after them. Raises InputError for an
        endpoint that is not known.
        """
        conditions: list[ColumnElement[bool]] = []
        if message_id is not None:
            conditions.append(_message.message_id == message_id)
        if type is not None:
            conditions.append(_message.type == type)
        if since is not None:
            conditions.append(_message.created_at >= since)
        if until is not None:
            conditions.append(_message.created_at < until)
        states = [DeliveryState.DEAD]
        if not dead_only:
            states += [DeliveryState.DELIVERED, DeliveryState.PENDING]
        again = (
            update(tables.deliveries)
            .where(
                _delivery.state.in_(states),
                _delivery.message_id.in_(select(_message.message_id).where(*conditions)),
            )
            .values(
                state=DeliveryState.PENDING,
                attempts_before_replay_count=_delivery.attempts_count,
                next_attempt_at=now,
                finished_at=None,
            )
        )
        with self._engine.begin() as connection:
            if endpoint_id is None:
                return connection.execute(again).rowcount
            endpoint = connection.execute(
                select(tables.endpoints).where(_endpoint.endpoint_id == endpoint_id)
            ).one_or_none()
            if endpoint is None:
                raise InputError(unknown_endpoint(endpoint_id))
            count = connection.execute(again.where(_delivery.endpoint_id == endpoint_id)).rowcount
            if not dead_only:
                count += self._send_missed(connection, as_endpoint(endpoint), conditions, now)
            return count

    def _send_missed(
        self,
        connection: Connection,
        endpoint: Endpoint,
        conditions: Sequence[ColumnElement[bool]],
        now: datetime,
    ) -> int:
        got = exists().where(
            _delivery.message_id == _message.message_id,
            _delivery.endpoint_id == endpoint.endpoint_id,
        )
        rows = [
            _new_delivery(message, endpoint.endpoint_id, now)
            for message in connection.execute(select(tables.messages).where(~got, *conditions))
            if endpoint.listens_to(message.type, organization_id=message.organization_id)
        ]
        self._add_deliveries(connection, rows)
        return len(rows)

    def _add_deliveries(self, connection: Connection, rows: list[dict[str, Any]]) -> None:
        if rows:
            # What is returned is not needed, but with it SQLAlchemy sends many rows at a time.
            returning = self._insert_new(tables.deliveries).returning(_delivery.message_id)
            connection.execute(returning, rows)

    def deliveries(self, *, message_id: str | None = None, endpoint_id: str | None = None) -> list[Delivery]:
        """Return deliveries by endpoint, object and sequence, of one message or endpoint."""
        query = select(tables.deliveries).order_by(
            _delivery.endpoint_id, _delivery.object_id, _delivery.sequence, _delivery.message_id
        )
        if message_id is not None:
            query = query.where(_delivery.message_id == message_id)
        if endpoint_id is not None:
            query = query.where(_delivery.endpoint_id == endpoint_id)
        with self._engine.begin() as connection:
            return [
                Delivery(
                    message_id=row.message_id,
                    endpoint_id=row.endpoint_id,
                    object_id=row.object_id,
                    sequence=row.sequence,
                    state=DeliveryState(row.state),
                    attempts_count=row.attempts_count,
                    next_attempt_at=row.next_attempt_at,
                    claimed_at=row.claimed_at,
                    finished_at=row.finished_at,
                )
                for row in connection.execute(query)
            ]

    def message_ids(self, type: str) -> set[str]:
        """Return the ids of all messages of a type, sent or not."""
        with self._engine.begin() as connection:
            return set(connection.scalars(select(_message.message_id).where(_message.type == type)))

    def known_message_ids(self, message_ids: Sequence[str]) -> set[str]:
        """Return which of these ids messages have, sent or not."""
        known: set[str] = set()
        with self._engine.begin() as connection:
            for at in range(0, len(message_ids), _BATCH_ROWS):
                batch = message_ids[at : at + _BATCH_ROWS]
                known |= set(connection.scalars(select(_message.message_id).where(_message.message_id.in_(batch))))
        return known

    def attempts(self, message_id: str, *, endpoint_id: str | None = None) -> list[Attempt]:
        """Return every attempt of a message, by endpoint and number."""
        query = (
            select(tables.attempts)
            .where(_attempt.message_id == message_id)
            .order_by(_attempt.endpoint_id, _attempt.number)
        )
        if endpoint_id is not None:
            query = query.where(_attempt.endpoint_id == endpoint_id)
        with self._engine.begin() as connection:
            return [Attempt(**row._mapping) for row in connection.execute(query)]


def _update_delivery(message_id: str, endpoint_id: str) -> Update:
    return update(tables.deliveries).where(_delivery.message_id == message_id, _delivery.endpoint_id == endpoint_id)


def _new_delivery(message: Any, endpoint_id: str, now: datetime) -> dict[str, Any]:
    return {
        "message_id": message.message_id,
        "endpoint_id": endpoint_id,
        "object_id": message.object_id,
        "sequence": message.sequence,
        "state": DeliveryState.PENDING,
        "attempts_count": 0,
        "attempts_before_replay_count": 0,
        "next_attempt_at": now,
    }


def _refuse_another(message: Message, known: Any) -> None:
    of = (message.organization_id, message.type, message.object_id, message.sequence)
    if of != (known.organization_id, known.type, known.object_id, known.sequence):
        raise BillingError(
            f"The message id {message.message_id} of organization {message.organization_id} is "
            f"already that of object {known.object_id} of organization {known.organization_id}. "
            "Ids of objects must be unique over all organizations."
        )
