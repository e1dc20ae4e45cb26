"""The resources of this deployment."""

import sys
from pathlib import Path

import dagster as dg
from dagster_dbt import DbtCliResource

from dagster_project.dbt import PROJECT
from dagster_project.resources import MeterhouseResource


@dg.definitions
def resources() -> dg.Definitions:
    """The warehouse and dbt."""
    # beside this interpreter, so that no PATH has to be set
    dbt = DbtCliResource(project_dir=PROJECT, dbt_executable=str(Path(sys.executable).parent / "dbt"))
    return dg.Definitions(resources={"meterhouse": MeterhouseResource(), "dbt": dbt})
