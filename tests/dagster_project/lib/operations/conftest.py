"""A fresh operations store for each test, on both databases."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from dagster_project.lib.operations import OperationsStore, open_store


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def store_address(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, str]:
    """The URL and schema of a store that no other test uses."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/operations.sqlite", "operations"
    return request.getfixturevalue("postgres_url"), f"operations_{uuid.uuid4().hex[:12]}"


@pytest.fixture
def store(store_address: tuple[str, str]) -> Iterator[OperationsStore]:
    url, schema = store_address
    with open_store(url, schema=schema) as store:
        yield store
