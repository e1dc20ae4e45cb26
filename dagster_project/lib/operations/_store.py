"""The operations store as one thing."""

from dagster_project.lib.operations._documents import Documents
from dagster_project.lib.operations._endpoints import Endpoints
from dagster_project.lib.operations._engine import open_engine
from dagster_project.lib.operations._outbox import Outbox
from dagster_project.lib.operations._totals import Totals


class OperationsStore(Endpoints, Outbox, Documents, Totals):
    """The outbox of webhooks, the register of documents and the control totals, shared by any number of processes.

    It has no clock: moments are arguments, aware, and come back in UTC.
    """


def open_store(url: str, *, schema: str = "operations") -> OperationsStore:
    """Open the operations store and make the tables that are missing.

    `url` is `sqlite:///` with an absolute path (the file is made, readable by its owner only) or
    `postgresql://...`, where the tables live in `schema`. Raises InputError for any other URL and
    BillingError when the database can not be reached.
    """
    return OperationsStore(open_engine(url, schema=schema))
