"""The book of the faults, written once for all of them."""

from pathlib import Path

import pytest

from tests.faults.world import write_book


@pytest.fixture(scope="session")
def dbt_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One home for all closes: dbt parses the project once for each engine."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture
def book(tmp_path: Path) -> Path:
    """A copy of the book that a test may change."""
    return write_book(tmp_path / "book")
