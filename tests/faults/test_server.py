"""A PostgreSQL server with settings of its own, and a user without rights."""

import os
import subprocess
import sys
from pathlib import Path

import psycopg2
import pytest

from dagster_project.lib.dbt_runs import DbtRuns
from dagster_project.lib.errors import BillingError
from dagster_project.lib.warehouse import PostgresWarehouse, _warehouse

pytestmark = pytest.mark.postgres


def test_instants_are_of_utc_and_written_in_one_way_whatever_the_database_prefers(postgres_url: str) -> None:
    """Texts of instants are hashed. dbt's sessions have what the environment says, over what a database or a role sets."""
    script = (
        "import os, psycopg2; connection = psycopg2.connect(os.environ['URL']); cursor = connection.cursor(); "
        "cursor.execute(\"select cast(timestamp '2024-03-31 01:02:03' as text), current_setting('timezone')\"); "
        "print(*cursor.fetchone())"
    )
    name = "german"
    with psycopg2.connect(postgres_url) as connection, connection.cursor() as cursor:
        cursor.execute(f"drop role if exists {name}")
        cursor.execute(f"create role {name} login")
        cursor.execute(f"alter role {name} set datestyle = 'German'")
        cursor.execute(f"alter role {name} set timezone = 'Asia/Kolkata'")
    connection.close()
    url = psycopg2.extensions.make_dsn(postgres_url, user=name)
    warehouse = PostgresWarehouse(url, "settings")

    def seen(environment: dict[str, str]) -> str:
        own = {name: value for name, value in os.environ.items() if name != "PGTZ"}
        command = [sys.executable, "-c", script]
        return subprocess.check_output(command, env={**own, **environment, "URL": url}, text=True).strip()

    assert seen({}) == "2024-03-31 01:02:03 Asia/Kolkata"
    assert seen(warehouse.dbt_environment()) == "2024-03-31 01:02:03 UTC"
    with warehouse.connect() as session:
        assert session.rows("select cast(timestamp '2024-03-31 01:02:03' as text), current_setting('timezone')") == [
            ("2024-03-31 01:02:03", "UTC")
        ]


def test_a_reader_that_left_its_transaction_open_is_waited_for_and_then_told(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """18: its lock would keep a close, and every reader after it, for ever."""
    monkeypatch.setattr(_warehouse, "_LOCK_SECONDS", 1)
    # dbt's runs leave it in the environment
    monkeypatch.setenv("PGOPTIONS", "")
    warehouse = PostgresWarehouse(postgres_url, "held")
    warehouse.create_raw_tables()
    runs = DbtRuns(warehouse, tmp_path / "dbt")
    runs.run(["stg_events__usage_events"])
    with psycopg2.connect(postgres_url) as reader, reader.cursor() as cursor:
        cursor.execute("select count(*) from held_staging.stg_events__usage_events")
        with pytest.raises(BillingError, match=r"lock timeout[^§]*idle in transaction"):
            runs.run(["stg_events__usage_events"])
    reader.close()
    runs.run(["stg_events__usage_events"])


def test_a_warehouse_that_the_user_may_not_read_is_there_all_the_same(postgres_url: str) -> None:
    """Else the user is told that there is none, and to close a book first."""
    name = "stranger"
    with psycopg2.connect(postgres_url) as connection, connection.cursor() as cursor:
        cursor.execute(f"drop role if exists {name}")
        cursor.execute(f"create role {name} login")
        cursor.execute("create schema if not exists closed_raw")
    connection.close()
    warehouse = PostgresWarehouse(psycopg2.extensions.make_dsn(postgres_url, user=name), "closed")
    assert warehouse.exists()
    environment = {**os.environ, "METERHOUSE_WAREHOUSE": ""}
    command = [
        sys.executable,
        "-m",
        "dagster_project.cli",
        "doctor",
        "--warehouse",
        f"{uri(postgres_url, name)}#closed",
    ]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert "permission denied for schema closed_raw" in result.stderr
    assert "Give that right to the user of the warehouse's address" in result.stderr
    assert "Traceback" not in result.stderr


def uri(postgres_url: str, user: str) -> str:
    """The address of the same database for another user."""
    parts = psycopg2.extensions.parse_dsn(postgres_url)
    return f"postgresql://{user}@/{parts['dbname']}?host={parts['host']}&port={parts.get('port', '5432')}"
