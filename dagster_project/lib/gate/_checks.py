"""The catalogue of the gate: every check by name, with its level and what it says to a reader in finance.

Each check judges one whole number, its figure: 0 means that nothing is wrong, unless the check gives other bounds.
"""

from dataclasses import dataclass
from typing import Literal

from dagster_project.lib.gate._report import Level, Subject

Source = Literal["relations", "emptiness", "control", "finding", "other_findings", "volume"]

# a period is compared with the one before when that promises at least so many events; fewer is noise
VOLUME_FLOOR_EVENTS = 100

_RESTORE = (
    "Rows were lost, doubled or changed after landing: compare the relation with the files, restore the warehouse from "
    "its backup (or land the book into a new one), and close again."
)
_REPORT = (
    "The figures of two steps of this close differ for no customer that waits: run the close again, and if it stays, "
    "report it with the failing rows; nothing may be finalised meanwhile."
)
_RESTORE_LEDGER = "The ledger was changed by hand or damaged: restore it from its backup before closing again."
_MEND_ROWS = "Mend the rows named below in the book and close again; the other customers are not concerned."


@dataclass(frozen=True, slots=True)
class Check:
    """A check: its figure comes from `source` and must lie between `low` and `high` (None: no bound on that side)."""

    name: str
    suite: Subject
    level: Level
    source: Source
    description: str
    advice: str
    low: int | None = 0
    high: int | None = 0


def _controls(suite: Subject, advice: str, descriptions: dict[str, str]) -> tuple[Check, ...]:
    return tuple(Check(name, suite, "blocks", "control", text, advice) for name, text in descriptions.items())


def _findings(suite: Subject, descriptions: dict[str, str]) -> tuple[Check, ...]:
    return tuple(Check(name, suite, "holds", "finding", text, _MEND_ROWS) for name, text in descriptions.items())


EVENTS_LANDED: tuple[Check, ...] = (
    Check(
        "relations_present",
        "events_landed",
        "blocks",
        "relations",
        "Every table that billing reads is there, with all its columns.",
        "A table or column was dropped or renamed: restore it from the backup, or run the whole close again to rebuild "
        "what is computed.",
    ),
    Check(
        "events_relations_filled",
        "events_landed",
        "blocks",
        "emptiness",
        "No table that others need is empty: organisations, landing batches, the events of the files taken.",
        _RESTORE,
    ),
    *_controls(
        "events_landed",
        _RESTORE,
        {
            "lines_of_files": "Every line read from the files is landed, a duplicate, a conflict or rejected.",
            "events_of_files": "The landed events are as many as the marks of the files say.",
            "duplicates_of_files": "The repeated events kept aside are as many as the marks of the files say.",
            "conflicts_of_files": "The conflicting events kept aside are as many as the marks of the files say.",
            "rejected_of_files": "The rejected lines in quarantine are as many as the marks of the files say.",
            "files_tied": "Each file ties by itself: its mark counts the rows that are there.",
            "events_keyed": "Every known event has its keys (organisation, subscription, transaction, code, time), "
            "or its customer waits.",
        },
    ),
    *_controls(
        "events_landed",
        _REPORT,
        {
            "events_decided": "Every known event has exactly one fate: recorded with its finalised period, due, running, "
            "pending, late, or unbillable with a reason.",
        },
    ),
    *_findings(
        "events_landed",
        {"event_null_key": "No event of a known subscription lacks its transaction, code or time."},
    ),
    Check(
        "volume_drop",
        "events_landed",
        "warns",
        "volume",
        "No metric has less than half the events that its period before promised (lowest change, in percent).",
        "Ask whether all sources of the period have landed.",
        low=-50,
        high=None,
    ),
    Check(
        "volume_rise",
        "events_landed",
        "warns",
        "volume",
        "No metric has more than twice the events that its period before promised (highest change, in percent).",
        "Ask whether a source was sent twice under new transaction ids.",
        low=None,
        high=100,
    ),
)

INVOICES_DUE: tuple[Check, ...] = (
    Check(
        "invoices_relations_filled",
        "invoices_due",
        "blocks",
        "emptiness",
        "No table that others need is empty: customers, plans, time zones, currencies, billing moments, fees, "
        "invoices.",
        _REPORT,
    ),
    *_controls(
        "invoices_due",
        _REPORT,
        {
            "events_read": "Every due event is read once by each charge that bills its code.",
            "events_counted": "The events counted on the lines are those that were read with a usable value "
            "(of counts, sums, maxima and latest values).",
            "moments_invoiced": "Every due billing moment is on an invoice, or its customer waits.",
            "invoices_totalled": "Every invoice that is due has totals, and no other.",
            "fees_invoiced": "The fees of the customers to be invoiced add up to the fees of their invoices, "
            "by currency.",
            "totals_posted": "Fees, taxes and credits of the invoices add up to their totals, by currency.",
        },
    ),
    *_controls(
        "invoices_due",
        _RESTORE_LEDGER,
        {
            "ledger_invoices": "The ledger has as many invoices as its closes say.",
            "ledger_fees": "The fees in the ledger add up to its invoices, by currency.",
        },
    ),
    Check(
        "source_incomplete",
        "invoices_due",
        "holds",
        "finding",
        "Every source that the book expects has landed for the periods that are billed.",
        "Land the missing files and close again (marts.rpt_source_completeness lists them), or close without them and "
        "say why: --override-incomplete REASON.",
    ),
    *_findings(
        "invoices_due",
        {
            "plan_not_in_force": "Every subscription has a plan in force and a known currency.",
            "charge_without_price": "Every charge to be billed has a price.",
            "custom_metric_without_value": "Every custom metric has units and an amount: no division by zero, and no "
            "number that is too large.",
            "unpriced_usage": "No usage is left without a price: what was counted is on a line of an invoice.",
            "amount_out_of_range": "Every line has an amount, of at most 13 digits before the point, and "
            "every wallet movement one of at most 15.",
            "units_times_price": "On every line with a unit price, units × price = amount, rounded once.",
            "tax_not_in_force": "Every tax on a line is in force on the day of the invoice.",
            "lines_equal_totals": "On every invoice the lines add up to the total of its fees.",
            "taxes_equal_lines": "On every invoice the tax lines add up to its taxes, but for their roundings.",
            "no_negative_total": "No invoice has a negative total.",
            "credit_note_refused": "Every credit note names an invoice that exists and gives back no more than "
            "it holds.",
            "invoice_void_refused": "Every void names an invoice that exists and may be voided.",
            "vat_check_pending": "The register has answered for every VAT number that decides a tax.",
            "invoice_null_key": "Every invoice and line has its keys: currency, dates, number prefix, code, units.",
        },
    ),
    Check(
        "other_findings",
        "invoices_due",
        "holds",
        "other_findings",
        "No row fails a check that this list does not name.",
        _MEND_ROWS,
    ),
)

CHECKS: tuple[Check, ...] = (*EVENTS_LANDED, *INVOICES_DUE)
