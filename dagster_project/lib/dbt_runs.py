"""dbt inside this process: one parse, then as many runs as a close needs, each without dbt's start-up.

A dbt process costs seconds before any work; in-process with a manifest it is tenths of one (docs/performance.md).
dbt keeps its DuckDB connection after a run, which would shut out everyone else: it is closed after each run.
"""

import os
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any

from dagster_project.lib.errors import BillingError
from dagster_project.lib.lean_dbt import lean
from dagster_project.lib.warehouse import Warehouse

DBT_PROJECT_DIR = Path(__file__).resolve().parents[2] / "dbt_project"

# a test of two stages runs with the later one: a stage runs the tests of which it has all parents, the last one
# the rest
BUILD = ("build", "--use-fast-test-edges", "--exclude-resource-type", "unit_test", "--indirect-selection", "cautious")
BUILD_LAST = (*BUILD[:-1], "eager")

# the models that a close runs, in the order of the close: build, gate, append, commit, marts
RATING_SELECTION = (
    "path:models/staging/ledger",
    "path:models/staging/events",
    "+path:models/intermediate",
    "+gate_held_customers",
)
CANDIDATES_SELECTION = (*RATING_SELECTION, "+path:models/gate", "+path:models/marts")
CANDIDATES_EXCLUSION = ("path:models/ledger", "path:models/marts")
# views over what was landed and over the ledger: they stand until the project changes, or a table of the ledger
STAGING_SELECTION = ("path:models/staging/book", "path:models/staging/events", "path:models/staging/time")
STAGING_LEDGER_SELECTION = ("path:models/staging/ledger",)
LEDGER_SELECTION = ("path:models/ledger",)
MARTS_SELECTION = ("path:models/marts",)
# what a top-up changes once it is handed back, and what finds the next one (lib/close/_top_ups.py)
TOP_UP_SELECTION = "stg_events__close_top_ups+"
TOP_UPS_FOUND = "+int_top_ups_due"
# tests that read every event ever landed, and of views over every line ever billed; `dbt test` runs them, a close does not
MARTS_TESTS_EXCLUSION = ("tag:every_event", "tag:every_line")

_QUIET = {
    "DO_NOT_TRACK": "1",
}
# a manifest is a hundred megabytes
_MANIFESTS_KEPT = 4
_manifests: dict[tuple[str, ...], Any] = {}


@dataclass(frozen=True, slots=True)
class NodeResult:
    """What one model, seed or test did in a run."""

    name: str
    resource_type: str
    status: str
    seconds: float
    failures: int
    message: str


@dataclass(slots=True)
class DbtRuns:
    """Runs of the project against one warehouse; the project is parsed once, at the first run."""

    warehouse: Warehouse
    target_path: Path
    on_node: Callable[[int, int, str], None] | None = None
    """Told how many of how many models and tests of a run have begun."""
    writes_manifest: bool = False
    """Whether parsing leaves a manifest.json for others; dbt would write one at every run, which takes half a second."""
    _manifest: Any = field(default=None, init=False)

    def build(self, selection: Sequence[str], *, exclude: Sequence[str] = ()) -> list[NodeResult]:
        """Seeds, models and data tests of a selection in the order of the graph.

        Raises BillingError naming the nodes that failed; failing data tests fail the run.
        """
        arguments = [*BUILD, "--select", *selection]
        return self._checked([*arguments, "--exclude", *exclude] if exclude else arguments)

    def run(
        self, selection: Sequence[str], *, exclude: Sequence[str] = (), full_refresh: bool = False
    ) -> list[NodeResult]:
        """The models of a selection, without tests; `full_refresh`: what others add to is made anew, but never the ledger."""
        arguments = ["run", *(["--full-refresh"] if full_refresh else []), "--select", *selection]
        return self._checked([*arguments, "--exclude", *exclude] if exclude else arguments)

    def seed(self) -> list[NodeResult]:
        """The reference tables of seeds/reference."""
        return self._checked(["seed"])

    def test(self, selection: Sequence[str], *, exclude: Sequence[str] = ()) -> list[NodeResult]:
        """The data tests of a selection; failures are in the results, nothing is raised."""
        arguments = ["test", "--no-populate-cache", "--resource-type", "test", "--select", *selection]
        return self._invoke([*arguments, "--exclude", *exclude] if exclude else arguments)

    def unit_test(self, selection: Sequence[str]) -> list[NodeResult]:
        """The unit tests of a selection over models that are built; failures are in the results."""
        return self._invoke(["test", "--select", *(f"test_type:unit,{part}" for part in selection)])

    def manifest(self) -> Any:
        """dbt's manifest of the project for this warehouse; parsed once in a process for all warehouses of its names."""
        if self._manifest is None:
            names = self._names()
            if self.writes_manifest or names not in _manifests:
                while len(_manifests) >= _MANIFESTS_KEPT:
                    _manifests.pop(next(iter(_manifests)))
                _manifests[names] = self._run_dbt(["parse"], manifest=None).result
            self._manifest = _manifests[names]
        return self._manifest

    def _names(self) -> tuple[str, ...]:
        """What a manifest holds of a warehouse: engine, database and schema; dbt names a DuckDB file by its stem."""
        environment = self.warehouse.dbt_environment()
        path = environment.get("METERHOUSE_DUCKDB_PATH")
        database = Path(path).stem if path else environment["METERHOUSE_PG_DATABASE"]
        return self.warehouse.kind, database, environment["METERHOUSE_SCHEMA"]

    def _checked(self, arguments: list[str]) -> list[NodeResult]:
        results = self._invoke(arguments)
        failed = [node for node in results if node.status in {"error", "fail", "skipped"}]
        if failed:
            first = next((node for node in failed if node.status != "skipped"), failed[0])
            others = f" and {len(failed) - 1} more" if len(failed) > 1 else ""
            holder = (
                " Another session has held a table for minutes, as a reader does whose transaction was left open: "
                "pg_stat_activity shows it as `idle in transaction`; end it."
                if "lock timeout" in first.message
                else ""
            )
            raise BillingError(
                f"dbt {arguments[0]} failed at {first.name}{others}: {first.message}.{holder} "
                "The ledger is as it was after the last committed close; mend the cause and run the close again."
            )
        return results

    def _invoke(self, arguments: list[str]) -> list[NodeResult]:
        outcome = self._run_dbt(arguments, manifest=self.manifest())
        if outcome.exception is not None:
            raise BillingError(f"dbt {arguments[0]} stopped: {outcome.exception}") from outcome.exception
        return [
            NodeResult(
                name=result.node.name,
                resource_type=str(result.node.resource_type),
                status=str(result.status),
                seconds=result.execution_time,
                failures=result.failures or 0,
                message=(result.message or "").strip(),
            )
            for result in outcome.result.results
        ]

    def _run_dbt(self, arguments: list[str], *, manifest: Any) -> Any:
        os.environ.update({**_QUIET, **self.warehouse.dbt_environment()})
        lean()
        from dbt.cli.main import dbtRunner

        self.target_path.mkdir(parents=True, exist_ok=True)
        paths = [
            "--project-dir", str(DBT_PROJECT_DIR),
            "--profiles-dir", str(DBT_PROJECT_DIR),
            "--target-path", str(self.target_path.resolve()),
            "--log-level", "none",
            "--log-level-file", "none",
            "--cache-selected-only",
            "--write-json" if self.writes_manifest else "--no-write-json",
        ]  # fmt: skip
        callbacks: list[Callable[[Any], None]] = [self._tell] if self.on_node is not None else []
        try:
            with redirect_stdout(StringIO()):
                outcome = dbtRunner(manifest=manifest, callbacks=callbacks).invoke(
                    ["--quiet", "--no-use-colors", "--no-version-check", *arguments, *paths]
                )
        finally:
            _release_connections()
        # dbt takes it for an error of its own
        if isinstance(outcome.exception, KeyboardInterrupt):
            raise outcome.exception
        if not outcome.success and outcome.result is None and outcome.exception is None:
            raise BillingError(f"dbt {arguments[0]} failed without saying why; run it by hand (CONTRIBUTING.md).")
        if arguments[0] == "parse" and outcome.exception is not None:
            raise BillingError(f"The dbt project cannot be read: {outcome.exception}") from outcome.exception
        return outcome

    def _tell(self, event: Any) -> None:
        if self.on_node is not None and event.info.name == "LogStartLine":
            self.on_node(event.data.index, event.data.total, "models and tests")


def _release_connections() -> None:
    """Close the connection that dbt-duckdb keeps for the process."""
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager

    close: Callable[[], None] = DuckDBConnectionManager.close_all_connections
    close()
