"""Tables of models that a close leaves as they are, because they are empty and would come out empty again.

Most books use few features, and without coupons no model about coupons has a row. Such a model says in its YAML which of
its parents its rows come from (`meta: {rows_only_with: […]}`): it is empty when all of these are. A parent is followed up
to what landing and the ledger write: a model by its own `rows_only_with`, a view of staging to the table that it is named
after, a table of the ledger is one itself. So the warehouse is asked once per stage which of those tables have rows, and
the models that hang on empty ones alone are left out, with their tests, when they stand as this version of the project
built them. Whoever runs dbt by hand or under Dagster builds everything. What another version of the project built of
models that are no more is dropped when this one has built the rest.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from dagster_project.lib.close._versions import record_version, recorded_version
from dagster_project.lib.dbt_runs import DbtRuns
from dagster_project.lib.warehouse import Session, Warehouse

# the stages of a close by the folders of their models; the ledger has rows by the time the marts are built
CANDIDATES, LEDGER, MARTS = "candidates", "ledger", "marts"
STAGES = {CANDIDATES: ("intermediate", "gate"), LEDGER: ("ledger",), MARTS: ("marts",)}
# rooms of which every row can be made again, and how their models' names begin
_MADE_AGAIN = {"staging": "stg_", "intermediate": "int_", "gate": "gate_"}


@dataclass(frozen=True, slots=True)
class Build:
    """How a stage is built now: without which models, and whether what it adds to is made anew."""

    idle: tuple[str, ...]
    is_made_anew: bool


@contextmanager
def building(warehouse: Warehouse, runs: DbtRuns, stage: str) -> Iterator[Build]:
    """How to build a stage; when that fails, the next close builds all of it and makes it anew."""
    manifest = runs.manifest()
    mark, version = f"built_{stage}_version", _project_version(manifest)
    with warehouse.connect() as session:
        # not so when another version of the project built it last, or nobody yet, or a close that did not get through
        stands = recorded_version(session, mark) == version
        build = Build(idle_models(session, manifest, stage) if stands else (), is_made_anew=not stands)
        record_version(session, mark, "being built")
    yield build
    with warehouse.connect() as session:
        if stage == CANDIDATES and not stands:
            _drop_without_model(session, manifest)
        record_version(session, mark, version)


def _drop_without_model(session: Session, manifest: Any) -> None:
    """Drop tables and views that only a model can have made, and none does."""
    models = {node.name for node in _models(manifest)}
    for room, prefix in _MADE_AGAIN.items():
        schema = session.schema(room)
        for name, kind in session.rows(
            "select table_name, table_type from information_schema.tables where table_schema = ? and left(table_name, ?) = ?",
            [schema, len(prefix), prefix],
        ):
            if name not in models:
                session.execute(f'drop {"view" if kind == "VIEW" else "table"} if exists {schema}."{name}" cascade')


def idle_models(session: Session, manifest: Any, stage: str) -> tuple[str, ...]:
    """The models of a stage that stands which are empty and stay so with what the warehouse holds now, by name."""
    declared = {
        node.name: (node.relation_name, set(tables_behind(manifest, node)))
        for node in _models(manifest)
        # PostgreSQL drops a view with a table below it that is built anew
        if node.fqn[1] in STAGES[stage] and _rows_only_with(node) and node.config.materialized != "view"
    }
    there = _has_rows(session, {name for own, tables in declared.values() for name in (own, *tables)})
    return tuple(
        sorted(
            name
            for name, (own, tables) in declared.items()
            if there.get(own) is False and not any(there.get(table) for table in tables)
        )
    )


def tables_behind(manifest: Any, node: Any) -> Iterator[str]:
    """The tables of `raw` and `ledger` of which one must have rows before the model has any, as the engine names them.

    Raises ValueError when a model names what is not its parent, or a parent that names nothing itself.
    """
    parents = {(manifest.nodes.get(key) or manifest.sources[key]).name: key for key in node.depends_on.nodes}
    for name in _rows_only_with(node):
        if name not in parents:
            raise ValueError(f"{node.name}: rows_only_with names {name}, which the model does not read")
        if parents[name] in manifest.sources:
            yield manifest.sources[parents[name]].relation_name
            continue
        parent = manifest.nodes[parents[name]]
        if parent.fqn[1] == LEDGER:
            yield parent.relation_name
        elif _rows_only_with(parent):
            yield from tables_behind(manifest, parent)
        else:
            yield _staged_table(manifest, node, parent)


def _staged_table(manifest: Any, node: Any, view: Any) -> str:
    """The table that a view of staging is named after: stg_book__wallets shows raw.wallets."""
    room, _, table = view.name.partition("__")
    found = (
        [model for model in _models(manifest) if model.name == f"ledger_{table}"]
        if room == "stg_ledger"
        else [source for source in manifest.sources.values() if source.unique_id in view.depends_on.nodes]
    )
    for relation in found:
        if relation.name in {table, f"ledger_{table}"}:
            return str(relation.relation_name)
    raise ValueError(f"{node.name}: rows_only_with names {view.name}, which has no rows_only_with itself")


def _rows_only_with(node: Any) -> list[str]:
    return list(node.config.meta.get("rows_only_with", ()))


def _models(manifest: Any) -> list[Any]:
    return [node for node in manifest.nodes.values() if str(node.resource_type) == "model"]


def _has_rows(session: Session, relations: set[str]) -> dict[str, bool]:
    """Whether each relation that exists has rows."""
    existing = {
        f"{schema}.{name}"
        for schema, name in session.rows("select table_schema, table_name from information_schema.tables")
    }
    asked = sorted(relation for relation in relations if ".".join(relation.replace('"', "").split(".")[1:]) in existing)
    if not asked:
        return {}
    filled = session.rows(
        " union all ".join(
            f"select {number} where exists (select 1 from {relation})" for number, relation in enumerate(asked)
        )
    )
    return {relation: (number,) in filled for number, relation in enumerate(asked)}


def _project_version(manifest: Any) -> str:
    """A hash over what decides the tables of the project: models, their columns and all macros."""
    models = sorted(
        f"{node.name} {node.checksum.checksum} {node.config.materialized} "
        f"{[(column.name, column.data_type) for column in node.columns.values()]}"
        for node in _models(manifest)
    )
    macros = sorted(macro.macro_sql for macro in manifest.macros.values() if macro.package_name == "meterhouse")
    return hashlib.sha256("\n".join([*models, *macros]).encode()).hexdigest()
