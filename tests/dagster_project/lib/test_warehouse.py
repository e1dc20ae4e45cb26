"""What is told to the engine and to dbt of a warehouse."""

import pytest

from dagster_project.lib.errors import InputError
from dagster_project.lib.warehouse import DuckDBWarehouse, open_warehouse


@pytest.mark.parametrize(
    ("limit", "engine"),
    [("2GB", "1400000000B"), ("4 gib", "3694967296B"), ("1GB", "500000000B"), ("50%", "50%")],
)
def test_a_process_keeps_a_part_of_its_memory(limit: str, engine: str) -> None:
    warehouse = open_warehouse("warehouse.duckdb", limit)
    assert isinstance(warehouse, DuckDBWarehouse)
    assert warehouse.settings["memory_limit"] == warehouse.dbt_environment()["METERHOUSE_DUCKDB_MEMORY"] == engine
    assert open_warehouse("postgresql:///billing", limit).engine_memory == engine


def test_without_a_limit_the_engine_takes_its_own() -> None:
    assert open_warehouse("warehouse.duckdb").engine_memory is None


def test_what_is_no_size_is_refused() -> None:
    with pytest.raises(InputError, match="'much' cannot be read"):
        open_warehouse("warehouse.duckdb", "much").dbt_environment()


def test_dbt_connects_as_safely_as_the_command() -> None:
    """By the variables that libpq documents for these settings."""
    address = "postgresql://billing@db.example/billing?sslmode=verify-full&sslrootcert=/etc/ca.pem&sslcrl=/etc/crl.pem"
    environment = open_warehouse(address).dbt_environment()
    told = {name: value for name, value in environment.items() if name.startswith("PGSSL")}
    assert told == {"PGSSLMODE": "verify-full", "PGSSLROOTCERT": "/etc/ca.pem", "PGSSLCRL": "/etc/crl.pem"}
