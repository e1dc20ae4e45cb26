"""The two suites of Great Expectations, and how they judge a close's figures.

The figures travel as one pandas row of nullable integers, a column a check: nothing becomes a float, and a figure that
could not be computed is null and fails, where an empty frame would pass. Importing Great Expectations costs seconds, so
it happens inside of the functions.
"""

import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dagster_project.lib.gate._checks import EVENTS_LANDED, INVOICES_DUE, Check
from dagster_project.lib.gate._data_docs import build_data_docs
from dagster_project.lib.gate._figures import Figure
from dagster_project.lib.later import later

if TYPE_CHECKING:
    import great_expectations as gx
    import pandas as pd

_QUIET = {"GX_ANALYTICS_ENABLED": "false", "TQDM_DISABLE": "1"}


def events_landed_suite(figures: Mapping[str, Figure]) -> "gx.ExpectationSuite":
    """What the events landed must satisfy, for the checks that have a figure."""
    return _suite("events_landed", EVENTS_LANDED, figures)


def invoices_due_suite(figures: Mapping[str, Figure]) -> "gx.ExpectationSuite":
    """What the invoices about to be finalised must satisfy, for the checks that have a figure."""
    return _suite("invoices_due", INVOICES_DUE, figures)


def judge(figures: Mapping[str, Figure], *, run_name: str, run_at: datetime, docs_dir: Path | None) -> dict[str, bool]:
    """Whether each check passes, by its name, from one run of both suites.

    With `docs_dir` the Data Docs of this run replace what is there. `run_name` and `run_at` (aware) name the run.
    """
    os.environ.update(_QUIET)
    # for a test and a chart that the gate has no use for; they take longer to import than the rest
    with later("scipy.stats", "altair"):
        import great_expectations as gx
    from great_expectations.core.run_identifier import RunIdentifier
    from great_expectations.data_context.types.base import (
        DataContextConfig,
        InMemoryStoreBackendDefaults,
        ProgressBarsConfig,
    )

    # nothing is kept, no temporary site is made, nothing is told to anyone
    settings = DataContextConfig(
        store_backend_defaults=InMemoryStoreBackendDefaults(init_temp_docs_sites=False),
        progress_bars=ProgressBarsConfig(globally=False),
        analytics_enabled=False,
    )
    context = gx.get_context(mode="ephemeral", project_config=settings)
    asset = context.data_sources.add_pandas("warehouse").add_dataframe_asset("figures")
    batch = asset.add_batch_definition_whole_dataframe(run_name)
    definitions = [
        context.validation_definitions.add(
            gx.ValidationDefinition(name=suite.name, data=batch, suite=context.suites.add(suite))
        )
        for suite in (events_landed_suite(figures), invoices_due_suite(figures))
    ]
    checkpoint = context.checkpoints.add(gx.Checkpoint(name="gate", validation_definitions=definitions))
    run_id = RunIdentifier(run_name=run_name, run_time=run_at)
    result = checkpoint.run(batch_parameters={"dataframe": _frame(figures)}, run_id=run_id)
    if docs_dir is not None:
        build_data_docs(context, docs_dir)
    return {
        expectation.expectation_config.meta["check"]: bool(expectation.success)
        for run in result.run_results.values()
        for expectation in run.results
        if expectation.expectation_config is not None
    }


def _suite(name: str, checks: Sequence[Check], figures: Mapping[str, Figure]) -> "gx.ExpectationSuite":
    import great_expectations as gx
    from great_expectations.expectations.core.expect_column_max_to_be_between import ExpectColumnMaxToBeBetween

    return gx.ExpectationSuite(
        name,
        expectations=[
            ExpectColumnMaxToBeBetween(
                column=check.name,
                min_value=check.low,
                max_value=check.high,
                description=check.description,
                meta=_meta(check, figures[check.name]),
            )
            for check in checks
            if check.name in figures
        ],
    )


def _meta(check: Check, figure: Figure) -> dict[str, Any]:
    """What the Data Docs show beside the verdict; rows as lists, since the store sorts the names of a mapping."""
    return {
        "check": check.name,
        "level": check.level,
        "advice": check.advice,
        "observed": figure.observed,
        "columns": list(figure.rows[0]) if figure.rows else [],
        "rows": [list(row.values()) for row in figure.rows],
    }


def _frame(figures: Mapping[str, Figure]) -> "pd.DataFrame":
    import pandas as pd

    return pd.DataFrame({name: pd.array([figure.value], dtype="Int64") for name, figure in figures.items()})
