"""The catalogue and the accounts as a close knew them, read back from the raw tables."""

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from dagster_project.lib.exact import Charge, Json, bucket_list
from dagster_project.lib.warehouse import Session, named_rows
from dagster_project.lib.warehouse.raw_schema import RAW_TABLES_BY_NAME

Row = dict[str, Any]
_BUCKET_PROPERTIES = (
    "amount", "rate", "fixed_amount", "package_size", "free_units", "free_units_per_events",
    "free_units_per_total_aggregation", "per_transaction_min_amount", "per_transaction_max_amount",
)  # fmt: skip
_RANGES = {
    "graduated": "graduated_ranges",
    "graduated_percentage": "graduated_percentage_ranges",
    "volume": "volume_ranges",
}


def surrogate_key(*values: Any) -> str:
    """The key that the models make of values."""
    escaped = ("\\0" if v is None else str(v).replace("\\", "\\\\").replace("|", "\\|") for v in values)
    return hashlib.md5("|".join(escaped).encode(), usedforsecurity=False).hexdigest()


def utc(at: datetime) -> datetime:
    """A timestamp of the warehouse as an instant."""
    return at.replace(tzinfo=UTC)


class KnownBook:
    """One organisation's records in the versions that were known with a landing batch."""

    def __init__(self, session: Session, organization_id: str, batch_id: int) -> None:
        self.session, self.organization_id, self.batch_id = session, organization_id, batch_id
        self.rows = lru_cache(maxsize=None)(self._rows)

    def find(self, table: str, **key: Any) -> list[Row]:
        """The rows of a record table, or of a child of one, whose columns have these values."""
        return self.rows(table, tuple(sorted(key.items())))

    def dated(self, table: str, at: datetime, **key: Any) -> Row | None:
        """The version in force at an instant (naive UTC) of a record with `effective_at`."""
        rows = sorted(self.find(table, **key), key=lambda row: row["effective_at"])
        return next((row for row in reversed(rows) if row["effective_at"] <= at), None)

    def _rows(self, table: str, key: tuple[tuple[str, Any], ...]) -> list[Row]:
        found, raw = RAW_TABLES_BY_NAME[table], self.session.schema("raw")
        parent = RAW_TABLES_BY_NAME[found.parent] if found.parent else found
        names = ", ".join(parent.key)
        newest = (
            f"select {names + ', ' if names else ''}max(batch_id) as batch_id from {raw}.{parent.name} "
            "where organization_id = ? and batch_id <= ?" + (f" group by {names}" if names else "")
        )
        joined = " and ".join(f"n.{column} = r.{column}" for column in (*parent.key, "batch_id"))
        where = "".join(f" and r.{column} = ?" for column, _ in key)
        return named_rows(
            self.session,
            f"select {', '.join(f'r.{column}' for column in found.columns)} from {raw}.{table} r "
            f"inner join ({newest}) n on {joined} where r.organization_id = ?{where}",
            list(found.columns),
            [self.organization_id, self.batch_id, self.organization_id, *(value for _, value in key)],
        )

    def charge(self, plan: Mapping[str, Any], charge_code: str, priced_at: datetime) -> Charge:
        """A usage charge of a plan version, with the metric in force at an instant, as the contract writes them.

        Raises LookupError where no such metric is in force.
        """
        [row] = self.find("charges", **plan, charge_code=charge_code)
        metric = self.dated("billable_metrics", priced_at, billable_metric_code=row["billable_metric_code"])
        if metric is None:
            raise LookupError(f"no metric {row['billable_metric_code']} at {priced_at}")
        described = {
            **metric,
            "code": metric["billable_metric_code"],
            "recurring": metric["is_recurring"],
            "filters": self._listed_values(metric),
        }
        filters = sorted(
            self.find("charge_filters", **plan, charge_code=charge_code), key=lambda item: int(item["filter_position"])
        )
        written = {
            "code": charge_code,
            "charge_model": row["charge_model"],
            "prorated": row["is_prorated"],
            "pay_in_advance": row["is_pay_in_advance"],
            "invoiceable": row["is_invoiceable"] is not False,
            "min_amount_cents": row["min_amount_cents"],
            "applied_pricing_unit_code": row["applied_pricing_unit_code"],
            "pricing_unit_conversion_rate": row["pricing_unit_conversion_rate"],
            "properties": self._properties(plan, row, filters[0]),
            "filters": [
                {
                    "values": json.loads(item["filter_values"]),
                    "name": item["invoice_display_name"],
                    "properties": self._properties(plan, row, item),
                }
                for item in filters[1:]
            ],
        }
        return Charge(written, described, bucket_list(written, described))

    def zones(self, external_customer_id: str) -> list[tuple[datetime, ZoneInfo]]:
        """The time zones of who pays for a customer, each with its first instant, in their order."""
        [payer] = self.find("customers", external_customer_id=external_customer_id)
        if payer["parent_external_customer_id"] is not None:
            [payer] = self.find("customers", external_customer_id=payer["parent_external_customer_id"])
        code = payer["billing_entity_code"]
        sellers = [*self.find("billing_entities", billing_entity_code=code), *self.find("organizations")]
        first = next((row["timezone"] for row in (payer, *sellers) if row["timezone"] is not None), "UTC")
        changes = sorted(
            self.find("customer_timezone_changes", external_customer_id=payer["external_customer_id"]),
            key=lambda row: row["effective_at"],
        )
        return [
            (datetime.min.replace(tzinfo=UTC), ZoneInfo(first)),
            *(
                (utc(row["effective_at"]), ZoneInfo(row["timezone"]))
                for row in sorted(changes, key=lambda row: row["effective_at"])
            ),
        ]

    def codes(self, plan: Mapping[str, Any], priced_at: datetime) -> set[str]:
        """The codes of the events that a plan version charges, with the metrics in force at an instant."""
        found = set()
        for charge in self.find("charges", **plan):
            metric = self.dated("billable_metrics", priced_at, billable_metric_code=charge["billable_metric_code"])
            if metric is not None:
                found.add(metric["event_code"] or metric["billable_metric_code"])
        return found

    def _listed_values(self, metric: Row) -> list[Json]:
        listed: dict[str, list[str]] = {}
        for row in self.find(
            "billable_metric_filter_values",
            billable_metric_code=metric["billable_metric_code"],
            effective_at=metric["effective_at"],
        ):
            listed.setdefault(row["filter_key"], []).append(row["filter_value"])
        return [{"key": key, "values": values} for key, values in listed.items()]

    def _properties(self, plan: Mapping[str, Any], charge: Row, bucket: Row) -> Json:
        where = {**plan, "charge_code": charge["charge_code"], "filter_position": bucket["filter_position"]}
        found: dict[str, Any] = {name: bucket[name] for name in _BUCKET_PROPERTIES if bucket[name] is not None}
        keys = sorted(self.find("charge_group_keys", **where), key=lambda row: int(row["key_position"]))
        if keys:
            found["pricing_group_keys"] = [row["group_key"] for row in keys]
        if charge["charge_model"] in _RANGES:
            found[_RANGES[charge["charge_model"]]] = written_ranges(self.find("charge_ranges", **where))
        return found


def written_ranges(rows: list[Row]) -> list[Json]:
    """Price ranges as the contract writes them."""
    names = ("from_value", "to_value", "per_unit_amount", "rate", "flat_amount")
    return [
        {name: row[name] for name in names if row.get(name) is not None}
        for row in sorted(rows, key=lambda row: int(row["range_position"]))
    ]


def property_texts(properties: str | None) -> dict[str, Any]:
    """The properties of an event with numbers as they were written."""
    found = json.loads(properties or "{}", parse_float=str, parse_int=str)
    return {
        key: value if value is None or isinstance(value, str | bool) else json.dumps(value)
        for key, value in found.items()
    }


def decimal(value: Any) -> Decimal:
    """A number of the warehouse that may be missing."""
    return Decimal(0) if value is None else Decimal(value)
