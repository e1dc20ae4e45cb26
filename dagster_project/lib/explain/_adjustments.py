"""Lines for late usage: what a billed period comes to now, less what was billed and found before."""

from collections.abc import Callable
from typing import Any

from dagster_project.lib.explain._book import surrogate_key
from dagster_project.lib.explain._explanation import LineExplanation
from dagster_project.lib.explain._words import Money
from dagster_project.lib.warehouse import Session, named_rows

Row = dict[str, Any]
_RESTATEMENT = (
    "fee_id", "transaction_id", "moment_id", "fee_type", "cause", "billed_amount_cents", "restated_amount_cents",
    "difference_amount_cents", "settled_amount_cents",
)  # fmt: skip
_CAUSES = {
    "late_event": "usage that came late",
    "corrected_event": "usage that was corrected",
    "cancelled_event": "usage that was cancelled",
}


def explain_adjustment(
    session: Session, moment: Row, fee: Row, money: Money, recompute: Callable[[str, Row], LineExplanation]
) -> LineExplanation:
    """What was found for the period, and its usage rated again as it was known before this invoice.

    `recompute` explains a usage line of the period with that moment's id, or an event of it that is paid in advance.
    """
    found = named_rows(
        session,
        f"select {', '.join(_RESTATEMENT)} from {session.schema('ledger')}.ledger_restatements "
        "where next_moment_id = ? and fee_code = ? and outcome = 'adjusted'",
        _RESTATEMENT,
        [moment["moment_id"], fee["fee_code"]],
    )
    [row] = [
        each for each in found if surrogate_key(moment["moment_id"], "adjustment", each["fee_id"]) == fee["fee_id"]
    ]
    billed, restated = int(row["billed_amount_cents"]), int(row["restated_amount_cents"])
    difference, settled = int(row["difference_amount_cents"]), int(row["settled_amount_cents"])
    causes = " and ".join(_CAUSES[cause] for cause in str(row["cause"]).split(", "))
    what = "The line" if row["transaction_id"] is None else f"Event {row['transaction_id']}, paid in advance,"
    sentences = [
        f"{fee['from_date']} to {fee['to_date']} was billed before; since then {causes} became known.",
        f"{what} was billed {money.cents(billed)} and comes to {money.cents(restated)}.",
    ]
    if restated - billed != difference:
        earlier = restated - billed - difference
        sentences.append(f"{money.cents(earlier)} of that were found before: {money.cents(difference)} are new.")
    if settled != difference:
        sentences.append(f"{money.cents(difference - settled)} are set off against less on other lines of the period.")
    again = recompute(row["moment_id"], row) if row["fee_type"] == "charge" else None
    recomputed = restated if again is None or again.recomputed_cents is None else again.recomputed_cents
    return LineExplanation(
        int(fee["line_number"]),
        fee,
        (*sentences, *(again.sentences if again is not None else ())),
        again.events if again is not None else (),
        again.events_total if again is not None else 0,
        settled + recomputed - restated,
    )
