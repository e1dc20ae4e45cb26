"""The one reader of METERHOUSE_* variables. What dbt reads of them, its run is given (`Warehouse.dbt_environment`)."""

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Settings:
    """Where Meterhouse keeps its data, and the defaults of its commands."""

    home: Path
    warehouse: str
    memory_limit: str | None
    book: Path | None
    documents: Path
    endpoints: Path | None
    allow_loopback_webhooks: bool


def load_settings() -> Settings:
    """Settings from METERHOUSE_* variables; paths are absolute, relative ones are taken from the working directory."""
    home = Path(os.environ.get("METERHOUSE_HOME", ".meterhouse")).resolve()
    book = os.environ.get("METERHOUSE_BOOK")
    endpoints = os.environ.get("METERHOUSE_ENDPOINTS")
    return Settings(
        home=home,
        warehouse=os.environ.get("METERHOUSE_WAREHOUSE", str(home / "warehouse.duckdb")),
        memory_limit=os.environ.get("METERHOUSE_MEMORY_LIMIT") or None,
        book=Path(book).resolve() if book else None,
        documents=Path(os.environ.get("METERHOUSE_DOCUMENTS", home / "documents")).resolve(),
        endpoints=Path(endpoints).resolve() if endpoints else None,
        allow_loopback_webhooks=os.environ.get("METERHOUSE_WEBHOOK_ALLOW_LOOPBACK") == "1",
    )
