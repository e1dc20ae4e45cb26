"""One parse of the dbt project for all warehouses of an engine: for other names the manifest is renamed.

A parse takes as long as a close of a small book, and the tests use a dozen names of schemas on PostgreSQL.
"""

import pickle
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
    parsed: dict[str, tuple[Names, bytes]] = {}
    run_dbt = DbtRuns._run_dbt

    def parse_once(runs: DbtRuns, arguments: list[str], *, manifest: Any) -> Any:
        if arguments != ["parse"] or runs.writes_manifest:
            return run_dbt(runs, arguments, manifest=manifest)
        names = runs._names()
        engine = names[0]
        if engine not in parsed:
            outcome = run_dbt(runs, arguments, manifest=manifest)
            parsed[engine] = names, pickle.dumps(outcome.result)
            return outcome
        former, content = parsed[engine]
        return SimpleNamespace(result=renamed(content, former, names))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DbtRuns, "_run_dbt", parse_once)
        yield


def renamed(pickled: bytes, former: Names, names: Names) -> Any:
    """A manifest of one engine, database and default schema as that of others."""
    manifest = pickle.loads(pickled)
    (_, old_database, old_prefix), (_, database, prefix) = former, names
    for node in (*manifest.nodes.values(), *manifest.sources.values(), *manifest.unit_tests.values()):
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
    return manifest
