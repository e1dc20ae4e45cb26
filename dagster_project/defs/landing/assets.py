"""The raw tables: a book landed, and the scope of the close."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from dagster_project.lib.close import parse_time
from dagster_project.lib.warehouse.raw_schema import RAW_TABLES
from dagster_project.partitions import billing_months, partition_as_of
from dagster_project.resources import MeterhouseResource

POOL = "warehouse"
_SCOPE = dg.AssetKey(["raw", "close_scope"])


def _landed_specs() -> list[dg.AssetSpec]:
    """An asset for each table that landing fills (a list in the module would be taken for assets of its own)."""
    return [
        dg.AssetSpec(
            ["raw", table.name], description=table.description, group_name="landing", kinds={"table"}, skippable=True
        )
        for table in RAW_TABLES
        if table.name != "close_scope"
    ]


class CloseConfig(dg.Config):
    """Up to when to bill and what to know; empty values mean the partition's end (or now) and everything landed.

    `override_incomplete`: why to bill periods although expected sources have not landed; kept in the ledger.
    """

    as_of: str = ""
    known_at: str = ""
    override_incomplete: str = ""


@dg.multi_asset(specs=_landed_specs(), name="landed_book", pool=POOL)
def landed_book(
    context: dg.AssetExecutionContext, meterhouse: MeterhouseResource
) -> Iterator[dg.MaterializeResult[Any]]:
    """Land the book of METERHOUSE_BOOK: new and changed records as versions, new files of events."""
    with meterhouse.steps.step("land"):
        landing = meterhouse.close_run(context.log).land()
        meterhouse.steps.count("land", landing.lines_count if landing is not None else 0)
    specs = _landed_specs()
    with meterhouse.opened().connect(read_only=True) as session:
        raw = session.schema("raw")
        counts = {spec.key: session.rows(f"select count(*) from {raw}.{spec.key.path[-1]}")[0][0] for spec in specs}
    for spec in specs:
        metadata: dict[str, int] = {"dagster/row_count": int(counts[spec.key])}
        if landing is not None and spec.key.path[-1] == "usage_events":
            metadata["landed_now"] = sum(file.landed_count for file in landing.files)
        yield dg.MaterializeResult(spec.key, metadata=metadata)


@dg.asset(
    key=_SCOPE,
    deps=[spec.key for spec in _landed_specs()],
    partitions_def=billing_months,
    group_name="landing",
    kinds={"table"},
    pool=POOL,
)
def close_scope(
    context: dg.AssetExecutionContext, config: CloseConfig, meterhouse: MeterhouseResource
) -> dg.MaterializeResult[Any]:
    """The scope of the close: every organisation, billed to the end of the month (or to now while it lasts)."""
    end = context.partition_time_window.end.astimezone(UTC)
    as_of = parse_time(config.as_of, "as_of") if config.as_of else partition_as_of(end, datetime.now(UTC))
    run = meterhouse.close_run(
        context.log,
        as_of=as_of,
        known_at=config.known_at or None,
        override_reason=config.override_incomplete or None,
    )
    with meterhouse.steps.step("scope"):
        scope = run.open()
    return dg.MaterializeResult(
        metadata={
            "close_id": scope.close_id,
            "as_of": ", ".join(sorted({moment.isoformat() for moment in scope.as_of.values()})),
            "known_batch_id": scope.known_batch_id,
            "organizations": len(scope.as_of),
        }
    )
