"""What leaves the warehouse after a close: a copy of the marts, documents, messages, the page about it."""

from typing import Any

import dagster as dg

from dagster_project.defs.landing.assets import POOL
from dagster_project.resources import MeterhouseResource

_COMMITTED = dg.AssetKey("closes")


@dg.asset(
    deps=[dg.AssetKey("fct_invoice"), dg.AssetKey("fct_invoice_line")],
    group_name="marts",
    pool=POOL,
)
def published_marts(context: dg.AssetExecutionContext, meterhouse: MeterhouseResource) -> dg.MaterializeResult[Any]:
    """A read-only copy of the marts in a file of its own, swapped in by a rename."""
    run = meterhouse.close_run(context.log)
    with meterhouse.steps.step("publish"):
        run.record_totals()
        path = run.publish()
    return dg.MaterializeResult(metadata={"path": str(path) if path else "the database itself"})


@dg.asset(deps=[_COMMITTED], group_name="documents", kinds={"pdf", "html", "json"}, pool=POOL)
def invoice_documents(context: dg.AssetExecutionContext, meterhouse: MeterhouseResource) -> dg.MaterializeResult[Any]:
    """PDF, HTML and JSON of every finalised invoice, recorded with their sha256."""
    with meterhouse.steps.step("documents"):
        count = meterhouse.close_run(context.log).documents()
        meterhouse.steps.count("documents", count)
    return dg.MaterializeResult(metadata={"invoices": count})


@dg.asset(deps=[invoice_documents], group_name="delivery", pool=POOL)
def outbox(context: dg.AssetExecutionContext, meterhouse: MeterhouseResource) -> dg.MaterializeResult[Any]:
    """The messages about finalised invoices, queued for the configured endpoints."""
    with meterhouse.steps.step("outbox"):
        count = meterhouse.close_run(context.log).queue()
        meterhouse.steps.count("outbox", count)
    return dg.MaterializeResult(metadata={"messages": count})


@dg.asset(deps=[published_marts, outbox], group_name="marts", kinds={"html"}, pool=POOL)
def close_report(context: dg.AssetExecutionContext, meterhouse: MeterhouseResource) -> dg.MaterializeResult[Any]:
    """The page about the newest close: what it billed, who waits, and how long its steps took."""
    path = meterhouse.close_run(context.log).report(meterhouse.steps.times)
    seconds = {f"{step}_seconds": round(value, 1) for step, value in meterhouse.steps.seconds.items()}
    return dg.MaterializeResult(metadata={"path": dg.MetadataValue.path(path), **seconds})
