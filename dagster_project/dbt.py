"""The dbt project as Dagster sees it: its manifest, its asset keys and groups."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DagsterDbtTranslatorSettings, DbtProject

from dagster_project.lib.dbt_runs import DBT_PROJECT_DIR, DbtRuns
from dagster_project.lib.warehouse import open_warehouse
from dagster_project.settings import load_settings


class HouseTranslator(DagsterDbtTranslator):
    """An asset is named as its model; a table of landing keeps `raw` before its name."""

    def get_asset_spec(self, manifest: Mapping[str, Any], unique_id: str, project: DbtProject | None) -> dg.AssetSpec:
        """The spec that dagster-dbt makes, with the house's key and a description without the SQL."""
        spec = super().get_asset_spec(manifest, unique_id, project)
        node = manifest["nodes"].get(unique_id) or manifest["sources"].get(unique_id) or {}
        if node.get("resource_type") == "source":
            return spec.replace_attributes(key=dg.AssetKey([node["source_name"], node["name"]]))
        return spec.replace_attributes(key=dg.AssetKey(node["name"]), description=node.get("description") or "")


TRANSLATOR = HouseTranslator(settings=DagsterDbtTranslatorSettings(enable_code_references=False))


def _project() -> DbtProject:
    """The project with a manifest that is as new as its files; parsing it takes seconds, once a change."""
    settings = load_settings()
    warehouse = open_warehouse(settings.warehouse, settings.memory_limit)
    target_path = settings.home / "dbt" / f"dagster-{warehouse.kind}"
    os.environ.update(warehouse.dbt_environment())
    manifest = target_path / "manifest.json"
    if not manifest.exists() or manifest.stat().st_mtime < _last_change():
        DbtRuns(warehouse, target_path, writes_manifest=True).manifest()
    return DbtProject(
        project_dir=DBT_PROJECT_DIR,
        profiles_dir=DBT_PROJECT_DIR,
        target_path=target_path,
        target=warehouse.kind,
    )


def _last_change() -> float:
    seeds = DBT_PROJECT_DIR.parent / "seeds" / "reference"
    files: list[Path] = []
    for folder in ("models", "macros", "tests"):
        files += [path for path in (DBT_PROJECT_DIR / folder).rglob("*") if path.is_file()]
    files += [
        DBT_PROJECT_DIR / "dbt_project.yml",
        DBT_PROJECT_DIR / "profiles.yml",
        *seeds.glob("*"),
    ]
    return max(path.stat().st_mtime for path in files)


PROJECT = _project()
