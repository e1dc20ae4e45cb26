"""Great Expectations between the candidates and the ledger: blocking checks stop the close, others warn."""

from collections.abc import Iterator

import dagster as dg

from dagster_project.defs.landing.assets import POOL
from dagster_project.lib.gate import CHECKS
from dagster_project.resources import MeterhouseResource

_GATED = dg.AssetKey("gate_held_customers")


@dg.multi_asset_check(
    specs=[
        dg.AssetCheckSpec(
            check.name,
            asset=_GATED,
            blocking=check.level == "blocks",
            description=f"{check.level}: {check.description}",
        )
        for check in CHECKS
    ],
    name="gate",
    pool=POOL,
)
def gate(context: dg.AssetCheckExecutionContext, meterhouse: MeterhouseResource) -> Iterator[dg.AssetCheckResult]:
    """Judge the candidates; what fails for a customer holds that customer, control totals block everything."""
    with meterhouse.steps.step("gate"):
        report = meterhouse.close_run(context.log).judge()
    for check in report.checks:
        yield dg.AssetCheckResult(
            asset_key=_GATED,
            check_name=check.name,
            passed=check.passed,
            severity=dg.AssetCheckSeverity.ERROR if check.level == "blocks" else dg.AssetCheckSeverity.WARN,
            description=check.description,
            metadata={
                "observed": str(check.observed),
                "rows": dg.MetadataValue.json(list(check.rows)),
            },
        )
