"""The dbt models in the three runs of a close; dbt's data tests are the asset checks."""

from collections.abc import Iterator
from typing import Any

import dagster as dg
from dagster_dbt import DbtCliResource, dbt_assets

from dagster_project.dbt import PROJECT, TRANSLATOR
from dagster_project.defs.landing.assets import POOL
from dagster_project.lib.dbt_runs import BUILD, BUILD_LAST, LEDGER_SELECTION, MARTS_SELECTION
from dagster_project.resources import MeterhouseResource


def _assets(
    name: str, step: str, selection: tuple[str, ...], build: tuple[str, ...] = BUILD, *, has_top_ups: bool = False
) -> dg.AssetsDefinition:
    @dbt_assets(
        manifest=PROJECT.manifest_path,
        project=PROJECT,
        dagster_dbt_translator=TRANSLATOR,
        select=" ".join(selection),
        name=name,
        pool=POOL,
    )
    def built(context: dg.AssetExecutionContext, dbt: DbtCliResource, meterhouse: MeterhouseResource) -> Iterator[Any]:
        with meterhouse.steps.step(step):
            yield from dbt.cli(list(build), context=context).stream()
            if has_top_ups:
                passes = meterhouse.close_run(context.log).top_up()
                context.log.info(f"top-ups by rule: {passes} passes")

    return built


# by folder: a selection of all would take the tests of later stages with it
candidates = _assets(
    "candidates",
    "rate",
    ("path:models/staging", "path:models/intermediate", "path:models/gate", "resource_type:seed"),
    has_top_ups=True,
)
ledger = _assets("ledger", "finalize", LEDGER_SELECTION)
# anew: only the command knows whether this version of the project made those that grow
marts = _assets("marts", "marts", MARTS_SELECTION, build=(*BUILD_LAST, "--full-refresh"))
