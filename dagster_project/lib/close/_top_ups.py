"""Top-ups by rule: found after settlement, handed back to the models, until a pass finds no more.

What a rule does depends on what is left of the wallet, and what is left on the top-ups before. Each pass finds, for all
customers at once, the first instant at which a rule asks for credits (int_top_ups_due), and settles again with them. The
number of passes is the most top-ups of one customer in the close, so an ordinary close needs one or two more, and one
without such rules none.
"""

from collections.abc import Sequence

from dagster_project.lib.dbt_runs import TOP_UP_SELECTION, TOP_UPS_FOUND, DbtRuns
from dagster_project.lib.errors import BillingError
from dagster_project.lib.warehouse import Warehouse
from dagster_project.lib.warehouse.raw_schema import RAW_TABLES_BY_NAME

_MOST_PASSES = 1000


def perform_top_ups(
    warehouse: Warehouse,
    runs: DbtRuns,
    selection: Sequence[str],
    *,
    exclude: Sequence[str] = (),
) -> int:
    """Make the top-ups of the open close, once the models of `selection` were built; returns the number of passes.

    Raises BillingError when a customer is topped up more often than anybody can mean.
    """
    passes = 0
    while _hand_back(warehouse):
        passes += 1
        if passes > _MOST_PASSES:
            raise BillingError(
                f"The rules of a wallet ask for more than {_MOST_PASSES} top-ups of one customer in this close. Raise the "
                "credits of the rule (recurring_transaction_rules), or close an earlier --as-of first. Nothing was "
                "finalised."
            )
        runs.run([f"{TOP_UP_SELECTION},{TOP_UPS_FOUND}"], exclude=exclude)
    if passes:
        # what is staged does not hang on the top-ups
        parts = [part for part in selection if not part.startswith("path:models/staging")]
        runs.run([f"{TOP_UP_SELECTION},{part}" for part in parts], exclude=[*exclude, TOP_UPS_FOUND])
    return passes


def _hand_back(warehouse: Warehouse) -> int:
    columns = ", ".join(RAW_TABLES_BY_NAME["close_top_ups"].columns)
    with warehouse.connect() as session, session.transaction():
        due = f"{session.schema('intermediate')}.int_top_ups_due"
        [(count,)] = session.rows(f"select count(*) from {due}")
        if count:
            target = f"{session.schema('raw')}.close_top_ups"
            session.execute(f"insert into {target} ({columns}) select {columns} from {due}")
    return int(count)
