"""From the fees to the total: every posting with where it came from (docs/billing-rules.md, Order)."""

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from dagster_project.lib.exact import half_away
from dagster_project.lib.explain._book import KnownBook, surrogate_key
from dagster_project.lib.explain._explanation import PostingExplanation
from dagster_project.lib.explain._words import Money, listed, text
from dagster_project.lib.warehouse import Session, named_rows
from dagster_project.lib.words import plural

Row = dict[str, Any]
_OWNERS = {"charge": "charge", "true_up": "charge", "fixed_charge": "fixed_charge", "commitment": "minimum_commitment"}
_NOTE_REASONS = {
    "unused_days": "for the unused days of a plan paid in advance",
    "late_usage": "for usage of a billed period that is known otherwise now",
    "requested": "asked for",
    "progressive_billing": "for what progressive invoices billed too much",
}


def explain_postings(
    session: Session, books: Mapping[int, KnownBook], invoice: Row, fees: list[Row], moments: Mapping[str, Row]
) -> list[PostingExplanation]:
    """The postings of an invoice in the order in which they count, and the total that they lead to."""
    money = Money(invoice["currency"], int(invoice["currency_exponent"]))
    columns = ("posting_kind", "source_id", "amount_cents", "balance_cents")
    posted: dict[str, list[Row]] = {}
    ledger = session.schema("ledger")
    for row in named_rows(
        session,
        f"select {', '.join(columns)} from {ledger}.ledger_postings where invoice_id = ? order by posting_id",
        columns,
        [invoice["invoice_id"]],
    ):
        posted.setdefault(row["posting_kind"], []).append(row)
    newest = books[max(books)]
    found = [_progressive(session, row, money) for row in posted.get("progressive_billing_credit", [])]
    found += [_coupon(newest, row, money, fees) for row in posted.get("coupon", [])]
    found.append(_tax(session, books, invoice, fees, moments, money))
    found += [_credit_note(session, row, money) for row in posted.get("credit_note", [])]
    found += [_wallet(session, newest, invoice, row, money) for row in posted.get("prepaid_credit", [])]
    total = sum(int(fee["amount_cents"]) for fee in fees) + sum(posting.amount_cents for posting in found)
    return [
        *found,
        PostingExplanation("total", int(invoice["total_amount_cents"]), "Total", (), total),
    ]


def _invoice_number(session: Session, invoice_id: str) -> str:
    rows = session.rows(
        f"select invoice_number from {session.schema('ledger')}.ledger_invoices where invoice_id = ?", [invoice_id]
    )
    return str(rows[0][0]) if rows else invoice_id


def _progressive(session: Session, row: Row, money: Money) -> PostingExplanation:
    number = _invoice_number(session, row["source_id"])
    return PostingExplanation(
        "progressive_billing_credit",
        -int(row["amount_cents"]),
        f"Already billed by invoice {number}",
        (f"Usage of this period up to a threshold was billed by {number} before: it is taken off, fee by fee.",),
    )


def _coupon(book: KnownBook, row: Row, money: Money, fees: list[Row]) -> PostingExplanation:
    applied = next(
        (
            attached
            for attached in book.find("applied_coupons")
            if surrogate_key(book.organization_id, "coupon", attached["applied_coupon_id"]) == row["source_id"]
        ),
        None,
    )
    if applied is None:
        return PostingExplanation("coupon", -int(row["amount_cents"]), "Coupon", ())
    coupon = book.dated("coupons", applied["created_at"], coupon_code=applied["coupon_code"]) or {}
    targets = [
        f"{target['target_type'].replace('_', ' ')} {target['target_code']}"
        for target in book.find("coupon_targets", coupon_code=applied["coupon_code"])
        if target["effective_at"] == coupon.get("effective_at")
    ]
    frequency = applied["frequency"] or coupon.get("frequency") or "once"
    duration = applied["frequency_duration"] or coupon.get("frequency_duration") or 1
    often = {"once": "once", "forever": "on every invoice"}.get(frequency, f"on {plural(int(duration), 'invoice')}")
    if coupon.get("coupon_type") == "percentage":
        rate = Fraction(applied["percentage_rate"] or coupon["percentage_rate"] or 0)
        terms = f"{text(rate)} %"
    else:
        terms = money.cents(applied["amount_cents"] or coupon.get("amount_cents") or 0)
    sentences = [
        f"Coupon {applied['coupon_code']}, attached {applied['created_at']:%Y-%m-%d}: {terms}, {often}"
        + (f", on fees of {listed(targets)}" if targets else "")
        + "."
    ]
    shares = [fee for fee in fees if fee["precise_coupons_amount_cents"]]
    if shares:
        lines = ", ".join(str(fee["line_number"]) for fee in shares[:10])
        more = f" and {len(shares) - 10} more" if len(shares) > 10 else ""
        sentences.append(
            f"Coupons are spread over the lines by their amounts: {plural(len(shares), 'line')} ({lines}{more})."
        )
    if coupon.get("coupon_type") == "fixed_amount" and frequency == "once":
        sentences.append(f"{money.cents(row['balance_cents'])} of it are left.")
    return PostingExplanation("coupon", -int(row["amount_cents"]), f"Coupon {applied['coupon_code']}", tuple(sentences))


def _tax(
    session: Session,
    books: Mapping[int, KnownBook],
    invoice: Row,
    fees: list[Row],
    moments: Mapping[str, Row],
    money: Money,
) -> PostingExplanation:
    columns = ("tax_code", "tax_name", "tax_rate", "taxable_amount_cents", "tax_amount_cents")
    taxes = named_rows(
        session,
        f"select {', '.join(columns)} from {session.schema('ledger')}.ledger_invoice_taxes where invoice_id = ? "
        "order by tax_code",
        columns,
        [invoice["invoice_id"]],
    )
    origins: dict[str, set[str]] = {}
    for fee in fees:
        moment = moments[fee["moment_id"]]
        level, codes = _tax_level(books[int(moment["known_batch_id"])], moment, fee)
        for code in codes:
            origins.setdefault(code, set()).add(level)
    sentences = [
        f"{tax['tax_name'] or tax['tax_code']}, {text(tax['tax_rate'])} % of "
        f"{money.cents(tax['taxable_amount_cents'])}: {money.cents(tax['tax_amount_cents'])}, named by "
        f"{listed(sorted(origins.get(tax['tax_code'], {'the rules of the European Union'})), 'and')}."
        for tax in taxes
    ]
    if not taxes:
        sentences = ["No tax applies to the lines."]
    shares = [
        (Fraction(int(fee["amount_cents"])) - Fraction(fee["precise_coupons_amount_cents"]))
        * Fraction(fee["taxes_rate"])
        / 100
        for fee in fees
    ]
    exact = sum(shares, Fraction(0))
    cents = int(half_away(exact))
    if invoice["invoice_type"] == "advance_charges":
        cents = int(sum(half_away(share) for share in shares))
        sentences.append("Each line was taxed by itself, when it was made.")
    elif exact != cents:
        sentences.append(f"Rounded once for the whole invoice: {money.rounded(exact / 10**money.exponent, cents)}.")
    return PostingExplanation("tax", int(invoice["taxes_amount_cents"]), "Tax", tuple(sentences), cents)


def _tax_level(book: KnownBook, moment: Row, fee: Row) -> tuple[str, list[str]]:
    """The first level that names a tax gives all taxes of a fee: docs/billing-rules.md, Invoice."""
    levels: list[tuple[str, list[Row]]] = []
    if fee["fee_type"] == "add_on":
        requested = book.find("one_off_fee_taxes", one_off_invoice_id=moment["request_id"])
        lines = book.find("one_off_fees", one_off_invoice_id=moment["request_id"])
        own = {line["fee_position"] for line in lines if line["add_on_code"] == fee["fee_code"]}
        levels.append(("the line's request", [row for row in requested if row["fee_position"] in own]))
        add_on = book.dated("add_ons", moment["billing_at"], add_on_code=fee["fee_code"])
        if add_on is not None:
            named = book.find("add_on_taxes", add_on_code=fee["fee_code"], effective_at=add_on["effective_at"])
            levels.append(("the add-on", named))
    elif moment["plan_code"] is not None:
        # the version of the plan that priced the fee
        of = {"subscription": "fee_", "commitment": "commitment_"}.get(fee["fee_type"], "")
        if moment[f"{of}plan_code"] is None:
            of = ""
        named = book.find(
            "plan_taxes", plan_code=moment[f"{of}plan_code"], effective_at=moment[f"{of}plan_effective_at"]
        )
        owner = _OWNERS.get(fee["fee_type"])
        code = None if owner == "minimum_commitment" else fee["fee_code"]
        levels.append(
            (
                f"the {(owner or '').replace('_', ' ')} {code or ''}".rstrip(),
                [row for row in named if owner and row["owner_type"] == owner and row["owner_code"] in {code, ""}],
            )
        )
        levels.append(("the plan", [row for row in named if row["owner_type"] == "plan"]))
    levels.append(("the customer", book.find("customer_taxes", external_customer_id=moment["external_customer_id"])))
    for level, rows in levels:
        if rows:
            return level, [row["tax_code"] for row in rows]
    standard = [row["tax_code"] for row in book.find("taxes") if row["applied_to_organization"]]
    return "the organisation", standard


def _credit_note(session: Session, row: Row, money: Money) -> PostingExplanation:
    columns = ("credit_note_number", "invoice_id", "request_kind", "reason", "issued_at", "total_amount_cents")
    notes = named_rows(
        session,
        f"select {', '.join(columns)} from {session.schema('ledger')}.ledger_credit_notes where credit_note_id = ?",
        columns,
        [row["source_id"]],
    )
    amount = -int(row["amount_cents"])
    if not notes:
        return PostingExplanation("credit_note", amount, "Credit note", ())
    [note] = notes
    why = _NOTE_REASONS.get(note["request_kind"], str(note["reason"] or note["request_kind"]).replace("_", " "))
    return PostingExplanation(
        "credit_note",
        amount,
        f"Credit note {note['credit_note_number']}",
        (
            f"Of {note['issued_at']:%Y-%m-%d}, {why}, to invoice {_invoice_number(session, note['invoice_id'])}: "
            f"{money.cents(note['total_amount_cents'])} in all, {money.cents(row['balance_cents'])} are left.",
        ),
    )


def _wallet(session: Session, book: KnownBook, invoice: Row, row: Row, money: Money) -> PostingExplanation:
    wallet = next(
        (
            found
            for found in book.find("wallets")
            if surrogate_key(book.organization_id, found["wallet_code"]) == row["source_id"]
        ),
        None,
    )
    amount = -int(row["amount_cents"])
    if wallet is None:
        return PostingExplanation("prepaid_credit", amount, "Prepaid credits", ())
    targets = [
        f"{target['target_type'].replace('_', ' ')} {target['target_code']}"
        for target in book.find("wallet_targets", wallet_code=wallet["wallet_code"])
    ]
    moved = session.rows(
        f"select credits from {session.schema('ledger')}.ledger_wallet_moves where invoice_id = ? "
        "and organization_id = ? and wallet_code = ?",
        [invoice["invoice_id"], book.organization_id, wallet["wallet_code"]],
    )
    rate = Fraction(wallet["rate_amount"])
    credits = f"{text(abs(Fraction(moved[0][0])))} credits at {money.major(rate)}" if moved else money.cents(-amount)
    return PostingExplanation(
        "prepaid_credit",
        amount,
        f"Prepaid credits of wallet {wallet['wallet_name'] or wallet['wallet_code']}",
        (
            f"{credits}"
            + (f", only for {listed(targets)}" if targets else "")
            + f"; {money.cents(row['balance_cents'])} are left.",
        ),
    )
