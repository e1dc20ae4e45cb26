"""The events that a line for usage could read: of its period, or of all history, as they were known when it was billed."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from functools import lru_cache, partial
from typing import Any

from dagster_project.lib.exact import TICK, Charge, Event, Period, event_code
from dagster_project.lib.explain._book import KnownBook, property_texts, utc
from dagster_project.lib.explain._corrections import Corrections
from dagster_project.lib.warehouse import Session, named_rows

Row = dict[str, Any]
# every event happened after it
_BEGINNING = datetime.min.replace(tzinfo=UTC).replace(tzinfo=None)
# what a recurring metric of these has is a level, which goes on from all history
LEVELS = {"sum_agg", "unique_count_agg"}


@dataclass(frozen=True)
class Located:
    """An event with the place where it was landed."""

    event: Event
    file_path: str | None
    line_number: int | None


class UsageReader:
    """The events of an organisation as they were known when a moment was billed."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.events = lru_cache(maxsize=8)(self._events)
        self.corrections = lru_cache(maxsize=8)(partial(Corrections, session))

    def _events(
        self,
        organization_id: str,
        subscription: str,
        code: str,
        from_at: datetime,
        to_at: datetime,
        batch_id: int,
        known_to: datetime | None = None,
    ) -> list[Located]:
        """Corrected events as they were billed, or, restated, as they were known before an instant."""
        raw = self.session.schema("raw")
        columns = (
            "transaction_id", "event_at", "received_at", "properties", "precise_cents", "file_path", "line_number",
        )  # fmt: skip
        found = named_rows(
            self.session,
            "select e.transaction_id, e.event_at, coalesce(e.received_at, e.event_at), e.properties, "
            f"e.precise_total_amount_cents, f.file_path, e.line_number from {raw}.usage_events e "
            f"left join {raw}.landed_files f on f.file_id = e.file_id "
            "where e.organization_id = ? and e.external_subscription_id = ? and e.code = ? and e.event_at >= ? "
            "and e.event_at < ? and e.batch_id <= ?",
            columns,
            [organization_id, subscription, code, from_at, to_at, batch_id],
        )
        corrections = self.corrections(organization_id, subscription, batch_id)
        found = [row for row in found if row["transaction_id"] not in corrections.events]
        for transaction_id in corrections.events:
            version = (
                corrections.billed(transaction_id) if known_to is None else corrections.known(transaction_id, known_to)
            )
            row = version.row if version is not None else None
            if row is not None and row["code"] == code and from_at <= row["event_at"] < to_at:
                found.append(row)
        located = [
            Located(
                Event(
                    subscription,
                    code,
                    utc(row["event_at"]),
                    utc(row["received_at"]),
                    row["transaction_id"],
                    property_texts(row["properties"]),
                    Fraction(row["precise_cents"] or 0),
                ),
                row["file_path"],
                row["line_number"],
            )
            for row in found
        ]
        return sorted(located, key=lambda item: item.event.rank)

    def late_ids(self, book: KnownBook, subscription: str, code: str, batch_id: int) -> set[str]:
        """The events that were too late for the finalised period that they lie in, as one that charged them."""
        raw, ledger = self.session.schema("raw"), self.session.schema("ledger")
        return {
            transaction_id
            for transaction_id, plan_code, effective_at, priced_at in self.session.rows(
                "select e.transaction_id, m.plan_code, m.plan_effective_at, m.full_started_at "
                f"from {raw}.usage_events e inner join {ledger}.ledger_moments m "
                "on m.organization_id = e.organization_id and m.external_subscription_id = e.external_subscription_id "
                "and e.event_at >= m.usage_from_at and e.event_at < m.usage_to_at "
                "where e.organization_id = ? and e.external_subscription_id = ? and e.code = ? and e.batch_id <= ? "
                "and m.invoice_id is not null and m.reason not in ('advance_charge', 'progressive_billing') "
                "and (e.batch_id > m.known_batch_id "
                "or coalesce(e.received_at, e.event_at) >= greatest(m.finalizes_at, m.usage_to_at))",
                [book.organization_id, subscription, code, batch_id],
            )
            if code in book.codes({"plan_code": plan_code, "effective_at": effective_at}, priced_at)
        }


def known_events(
    reader: UsageReader, book: KnownBook, charge: Charge, moment: Row, fee: Row, period: Period
) -> list[Located]:
    """What the charge could read: of its period, or of all history, as far as it was known."""
    from_at, aggregation = moment["usage_from_at"], charge.aggregation
    if charge.recurring:
        levels = aggregation in LEVELS or moment["has_previous_row"]
        from_at = _BEGINNING if levels else moment["row_started_at"]
    so_far = moment["reason"] in {"advance_charge", "progressive_billing"}
    to_at = (period.stop + TICK).replace(tzinfo=None)
    if moment["reason"] == "progressive_billing":
        to_at = moment["billing_at"] + timedelta(microseconds=1)
    code, subscription = event_code(charge.metric), fee["external_subscription_id"]
    # what is billed as it comes, and a level, reads of corrected events what was known then
    known_at = moment["billing_at"] + timedelta(microseconds=1) if so_far else None
    if charge.recurring and aggregation in LEVELS and not so_far:
        known_at = max(moment["finalizes_at"], moment["usage_to_at"])
    found = reader.events(
        moment["organization_id"], subscription, code, from_at, to_at, int(moment["known_batch_id"]),
        moment.get("restated_to_at") or known_at,
    )  # fmt: skip
    billed_at = utc(moment["billing_at"])
    if moment["reason"] == "advance_charge":
        [billed] = [located for located in found if located.event.id == moment["request_id"]]
        order = _known_order(billed.event)
        return [located for located in found if _known_order(located.event) <= order]
    # the instant of a termination belongs to what ends with it
    known_to = billed_at + TICK if so_far else max(utc(moment["finalizes_at"]), utc(moment["usage_to_at"]))
    found = [located for located in found if located.event.known_at < known_to]
    if charge.recurring and aggregation not in LEVELS and not moment.get("restated_to_at"):
        late = reader.late_ids(book, subscription, code, int(moment["known_batch_id"]))
        found = [located for located in found if located.event.id not in late]
    return found


def _known_order(event: Event) -> tuple[Any, ...]:
    return max(event.at, event.known_at), event.rank
