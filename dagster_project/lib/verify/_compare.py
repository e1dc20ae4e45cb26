"""Comparing what a case expects with what the ledger holds; only the keys that a case writes are asserted."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation, localcontext
from typing import Any

from dagster_project.lib.verify._outcome import TOTALS, CaseOutcome, Row

_MISSING = "nothing"
# sums of quantities have more digits than decimals keep by default
_DIGITS = 60
_NO_CODE = {"commitment", "credit"}
_INVOICE_COLUMNS = {
    "invoice_type": "invoice_type",
    "status": "invoice_status",
    "number": "invoice_number",
    "payment_due_date": "payment_due_date",
    **{name: name for name in TOTALS},
}
_FEE_COLUMNS = {
    "type": "fee_type",
    "code": "fee_code",
    "filter": "filter_values",
    "group": "group_values",
    "from": "from_date",
    "to": "to_date",
    "units": "units",
    "events_count": "events_count",
    "amount_cents": "amount_cents",
    "precise_amount_cents": "precise_amount_cents",
}
_USAGE_COLUMNS = ("units", "events_count", "amount_cents")


@dataclass(frozen=True, slots=True)
class Difference:
    """One figure that is not as expected."""

    where: str
    expected: Any
    got: Any

    def __str__(self) -> str:
        """One line: where, expected, got."""
        return f"{self.where}: expected {self.expected}, got {self.got}"


def compare(expect: Mapping[str, Any], outcome: CaseOutcome) -> list[Difference]:
    """Every difference between a case's `expect` and its outcome, in the order of the case."""
    differences: list[Difference] = []
    for expected in expect.get("invoices", []):
        differences += _compare_invoice(expected, outcome)
    if "invoice_count" in expect:
        visible = sum(invoice["invoice_status"] not in {"draft", "closed"} for invoice in outcome.invoices)
        if visible != expect["invoice_count"]:
            differences.append(Difference("invoice_count", expect["invoice_count"], visible))
    for kind, rows in (("credit_notes", outcome.credit_notes), ("wallets", outcome.wallets)):
        for expected in expect.get(kind, []):
            differences += _compare_listed(kind, expected, rows)
    for expected in expect.get("usage", []):
        differences += _compare_usage(expected, outcome.usage)
    return differences


def _compare_invoice(expected: Mapping[str, Any], outcome: CaseOutcome) -> list[Difference]:
    match = expected["match"]
    where = "invoice " + ", ".join(f"{key} {value}" for key, value in match.items())
    found = [
        invoice
        for invoice in outcome.invoices
        if _matches(match, invoice)
        and ("invoice_type" not in expected or invoice["invoice_type"] == expected["invoice_type"])
    ]
    nth = match.get("nth", 1)
    if len(found) < nth:
        return [Difference(where, "an invoice", f"{len(found)} of them" if found else "none")]
    invoice = found[nth - 1]
    differences = [
        Difference(f"{where}, {key}", expected[key], _shown(invoice.get(column)))
        for key, column in _INVOICE_COLUMNS.items()
        if key in expected and not _equal(expected[key], invoice.get(column))
    ]
    fees = outcome.fees.get(invoice["invoice_id"], [])
    differences += _compare_fees(where, expected.get("fees", []), fees, exact=expected.get("fees_exact", False))
    return differences


def _matches(match: Mapping[str, Any], invoice: Row) -> bool:
    return (
        ("subscription" not in match or match["subscription"] in invoice["subscriptions"])
        and ("customer" not in match or match["customer"] == invoice["external_customer_id"])
        and ("issuing_date" not in match or _equal(match["issuing_date"], invoice["issuing_date"]))
        and ("invoice_type" not in match or match["invoice_type"] == invoice["invoice_type"])
    )


def _compare_fees(
    where: str, expected_fees: Sequence[Mapping[str, Any]], fees: Sequence[Row], *, exact: bool
) -> list[Difference]:
    """Each expected fee needs a real fee of its own; `exact` allows no other fee with units or an amount."""
    partner = _assignment(expected_fees, fees, _is_fee)
    differences = []
    for index, expected in enumerate(expected_fees):
        if index not in partner:
            label = f"{where}, fee {expected.get('type', '')} {expected.get('code', '')}".rstrip()
            differences.append(Difference(label, _fee_text(expected), _closest(expected, fees)))
    if exact:
        used = set(partner.values())
        for index, fee in enumerate(fees):
            if index not in used and (fee["units"] != 0 or fee["amount_cents"] != 0):
                differences.append(Difference(f"{where}, fees", "no other fee", _shown_fee(fee)))
    return differences


def _is_fee(expected: Mapping[str, Any], fee: Row) -> bool:
    return all(
        _equal(expected[key], fee[column])
        for key, column in _FEE_COLUMNS.items()
        if key in expected and not (key == "code" and expected.get("type") in _NO_CODE)
    )


def _assignment(expected: Sequence[Any], rows: Sequence[Row], fits: Callable[[Any, Row], bool]) -> dict[int, int]:
    """A largest matching of expected entries to different rows (augmenting paths)."""
    options = [[j for j, row in enumerate(rows) if fits(entry, row)] for entry in expected]
    owner: dict[int, int] = {}

    def place(i: int, seen: set[int]) -> bool:
        for j in options[i]:
            if j in seen:
                continue
            seen.add(j)
            if j not in owner or place(owner[j], seen):
                owner[j] = i
                return True
        return False

    for i in range(len(expected)):
        place(i, set())
    return {i: j for j, i in owner.items()}


def _closest(expected: Mapping[str, Any], fees: Sequence[Row]) -> str:
    same_code = [
        fee for fee in fees if fee["fee_type"] == expected.get("type") and fee["fee_code"] == expected.get("code")
    ]
    candidates = same_code or [fee for fee in fees if fee["fee_type"] == expected.get("type")] or list(fees)
    if not candidates:
        return "no fees"
    return "; ".join(_shown_fee(fee) for fee in candidates[:4])


def _compare_listed(kind: str, expected: Mapping[str, Any], rows: Sequence[Row]) -> list[Difference]:
    match = expected.get("match", {"code": expected.get("code")})
    found = [row for row in rows if all(_points_at(key, value, row) for key, value in match.items() if key != "nth")]
    where = f"{kind} " + ", ".join(f"{key} {value}" for key, value in match.items())
    nth = match.get("nth", 1)
    if len(found) < nth:
        return [Difference(where, "one", _MISSING)]
    return [
        Difference(f"{where}, {key}", value, _shown(found[nth - 1].get(key)))
        for key, value in expected.items()
        if key not in {"match", "code"} and not _equal(value, found[nth - 1].get(key))
    ]


def _points_at(key: str, value: Any, row: Row) -> bool:
    """Whether a key of `match` means the row; of notes, subscription and type are the credited invoice's.

    The issuing date may be the note's own day or the credited invoice's.
    """
    if key == "subscription":
        return value in row["subscriptions"]
    if key == "issuing_date":
        return value in {str(day) for day in row["issuing_dates"]}
    return _equal(value, row.get(key))


def _compare_usage(expected: Mapping[str, Any], usage: Sequence[Row]) -> list[Difference]:
    where = f"usage of {expected['subscription']}, charge {expected['charge']}"
    rows = [
        row for row in usage if row["subscription"] == expected["subscription"] and row["charge"] == expected["charge"]
    ]
    if expected.get("filter") is not None or expected.get("group") is not None:
        rows = [
            row
            for row in rows
            if _equal(expected.get("filter"), row["filter"]) and _equal(expected.get("group"), row["group"])
        ]
    if not rows:
        return [Difference(where, "usage", _MISSING)]
    with localcontext(prec=_DIGITS):
        # an amount beyond what money holds is null
        totals = {
            column: None if any(row[column] is None for row in rows) else sum(row[column] for row in rows)
            for column in _USAGE_COLUMNS
        }
    return [
        Difference(f"{where}, {column}", expected[column], _shown(totals[column]))
        for column in _USAGE_COLUMNS
        if column in expected and not _equal(expected[column], totals[column])
    ]


def _equal(expected: Any, got: Any) -> bool:
    """Numbers compare as numbers (also as text), dates as text, lists as sets, mappings key by key."""
    if isinstance(expected, Mapping):
        return (
            isinstance(got, Mapping)
            and expected.keys() == got.keys()
            and all(_equal(expected[key], got[key]) for key in expected)
        )
    if isinstance(expected, list | tuple | set):
        return isinstance(got, list | tuple | set) and {str(v) for v in expected} == {str(v) for v in got}
    if expected is None or got is None:
        return expected is got
    if isinstance(got, bool) or isinstance(expected, bool):
        return expected is got
    if isinstance(got, date):
        return str(expected) == got.isoformat()
    if isinstance(got, int | Decimal):
        try:
            return Decimal(str(expected)) == Decimal(got)
        except InvalidOperation:
            return False
    return str(expected) == str(got)


def _fee_text(expected: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in expected.items())


def _shown_fee(fee: Row) -> str:
    return ", ".join(f"{key} {_shown(fee[column])}" for key, column in _FEE_COLUMNS.items() if fee[column] is not None)


def _shown(value: Any) -> Any:
    if isinstance(value, Decimal):
        text = format(value, "f")
        return text.rstrip("0").rstrip(".") if "." in text else text
    return _MISSING if value is None else value
