"""One parse of the dbt project for all warehouses of an engine: for other names the manifest is renamed.

A parse takes as long as a close of a small book, and the tests use a dozen names of schemas on PostgreSQL.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from dagster_project.lib.dbt_runs import DbtRuns
from dagster_project.lib.warehouse import split_schema

Names = tuple[str, ...]


@contextmanager
def one_parse_for_all_names() -> Iterator[None]:
    """Within it, dbt parses the project once for each engine, except where a manifest.json is asked for."""
    parsed: dict[str, tuple[Any, Names]] = {}
    run_dbt = DbtRuns._run_dbt

    def parse_once(runs: DbtRuns, arguments: list[str], *, manifest: Any) -> Any:
        if arguments != ["parse"] or runs.writes_manifest:
            return run_dbt(runs, arguments, manifest=manifest)
        names = runs._names()
        engine = names[0]
        if engine not in parsed:
            parsed[engine] = run_dbt(runs, arguments, manifest=manifest).result, names
        # runs write into the manifest that they are given
        return SimpleNamespace(result=renamed(*parsed[engine], names))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DbtRuns, "_run_dbt", parse_once)
        yield


def renamed(manifest: Any, former: Names, names: Names) -> Any:
    """A copy of the manifest of one engine, database and default schema for others."""
    copy = manifest.deepcopy()
    (_, old_database, old_prefix), (_, database, prefix) = former, names
    for node in (*copy.nodes.values(), *copy.sources.values(), *copy.unit_tests.values()):
        old_schema = node.schema
        if old_schema == old_prefix:
            node.schema = prefix
        else:
            bare = old_prefix in {"main", "public"}
            node.schema = split_schema(prefix, old_schema if bare else old_schema.removeprefix(f"{old_prefix}_"))
        if hasattr(node, "database"):
            node.database = database
        if getattr(node, "relation_name", None):
            old = f'"{old_database}"."{old_schema}".'
            node.relation_name = node.relation_name.replace(old, f'"{database}"."{node.schema}".', 1)
    copy.build_flat_graph()
    return copy
