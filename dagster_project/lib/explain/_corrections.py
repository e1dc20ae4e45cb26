"""Corrected events as they were billed, or as they were known at an instant: worked out event by event."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

from dagster_project.lib.warehouse import Session, named_rows

Row = dict[str, Any]
_EVENT = (
    "transaction_id",
    "code",
    "event_at",
    "received_at",
    "properties",
    "precise_cents",
    "file_path",
    "line_number",
)


@dataclass(frozen=True, slots=True)
class Version:
    """What an event is, from `known_at` on; `row` is null when it is cancelled."""

    row: Row | None
    event_at: datetime
    known_at: datetime
    batch_id: int


class Corrections:
    """The corrected events of a subscription, as the batches up to one tell them."""

    def __init__(self, session: Session, organization_id: str, subscription: str, batch_id: int) -> None:
        """Read the corrections and their events; most subscriptions have none."""
        raw, ledger = session.schema("raw"), session.schema("ledger")
        keys = [organization_id, subscription, batch_id]
        newest: dict[str, Row] = {}
        columns = (
            "event_correction_id", "transaction_id", "action", "created_at", "code", "event_at", "properties",
            "precise_cents", "batch_id", "position",
        )  # fmt: skip
        for row in named_rows(
            session,
            "select event_correction_id, transaction_id, action, created_at, code, event_at, properties, "
            f"precise_total_amount_cents, batch_id, position from {raw}.event_corrections "
            "where organization_id = ? and external_subscription_id = ? and batch_id <= ? order by batch_id",
            columns,
            keys,
        ):
            newest[row["event_correction_id"]] = row
        self.events: dict[str, list[Version]] = {}
        self.periods: Sequence[Row] = ()
        if not newest:
            return
        self.periods = named_rows(
            session,
            f"select usage_from_at, usage_to_at, finalizes_at, known_batch_id from {ledger}.ledger_moments "
            "where organization_id = ? and external_subscription_id = ? "
            "and reason not in ('advance_charge', 'progressive_billing') and usage_from_at < usage_to_at",
            ("usage_from_at", "usage_to_at", "finalizes_at", "known_batch_id"),
            keys[:2],
        )
        landed = named_rows(
            session,
            "select e.transaction_id, e.code, e.event_at, coalesce(e.received_at, e.event_at), e.properties, "
            f"e.precise_total_amount_cents, f.file_path, e.line_number, e.batch_id from {raw}.usage_events e "
            f"left join {raw}.landed_files f on f.file_id = e.file_id where e.organization_id = ? "
            "and e.external_subscription_id = ? and e.batch_id <= ? and e.transaction_id in (select c.transaction_id "
            f"from {raw}.event_corrections c where c.organization_id = ? and c.external_subscription_id = ?)",
            (*_EVENT, "batch_id"),
            [*keys, *keys[:2]],
        )
        for event in landed:
            asked = [row for row in newest.values() if row["transaction_id"] == event["transaction_id"]]
            if asked:
                self.events[event["transaction_id"]] = _versions(event, asked)

    def billed(self, transaction_id: str) -> Version:
        """The last version before the first that came too late for the period of the one before it."""
        versions = self.events[transaction_id]
        for before, after in pairwise(versions):
            if any(
                period["usage_from_at"] <= before.event_at < period["usage_to_at"]
                and (
                    after.known_at >= max(period["finalizes_at"], period["usage_to_at"])
                    or after.batch_id > period["known_batch_id"]
                )
                for period in self.periods
            ):
                return before
        return versions[-1]

    def known(self, transaction_id: str, known_to: datetime) -> Version | None:
        """The last version that was known before an instant."""
        return next((v for v in reversed(self.events[transaction_id]) if v.known_at < known_to), None)


def _versions(event: Row, asked: Sequence[Mapping[str, Any]]) -> list[Version]:
    versions = [Version(event, event["event_at"], event["received_at"], int(event["batch_id"]))]
    for row in sorted(asked, key=lambda r: (r["created_at"], r["batch_id"], r["position"], r["event_correction_id"])):
        content = (
            {**event, **{name: row[name] for name in ("code", "event_at", "properties", "precise_cents")}}
            if row["action"] == "replace"
            else None
        )
        versions.append(
            Version(
                content,
                row["event_at"] or event["event_at"],
                max(row["created_at"], event["received_at"]),
                max(int(row["batch_id"]), int(event["batch_id"])),
            )
        )
    return versions
