"""What the other tests run: a manifest that was renamed is the one that dbt would have parsed."""

from pathlib import Path
from typing import Any

import pytest

from dagster_project.lib.dbt_runs import DbtRuns
from dagster_project.lib.warehouse import DuckDBWarehouse
from tests.one_parse import renamed


@pytest.mark.slow
def test_a_renamed_manifest_is_the_one_parsed_for_these_names(tmp_path: Path) -> None:
    # one that writes its manifest parses for itself, and so has none into which other runs wrote
    main = DbtRuns(DuckDBWarehouse(tmp_path / "warehouse.duckdb"), tmp_path / "dbt", writes_manifest=True)
    other = DbtRuns(DuckDBWarehouse(tmp_path / "other.duckdb", schema="apart"), tmp_path / "dbt", writes_manifest=True)
    parsed = content(other.manifest())
    assert len(parsed) > 800
    assert content(main.manifest()) != parsed
    assert content(renamed(main.manifest(), main._names(), other._names())) == parsed


def content(manifest: Any) -> dict[str, Any]:
    """All that a run reads of a project, by the ids of nodes."""
    return {
        key: {name: value for name, value in node.to_dict().items() if name != "created_at"}
        for part in (manifest.nodes, manifest.sources, manifest.unit_tests)
        for key, node in part.items()
    }
