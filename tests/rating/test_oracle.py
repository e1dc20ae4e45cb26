"""The oracle alone gives the figures of the rating cases."""

import json
from pathlib import Path

import pytest

from tests.rating.expectations import differences
from tests.rating.oracle import rate

CASES = sorted((Path(__file__).resolve().parents[1] / "cases" / "rating").glob("*.json"))


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_a_rating_case(path: Path) -> None:
    case = json.loads(path.read_text())
    assert differences(case["expect"], rate(case)) == []


def test_there_are_cases() -> None:
    assert len(CASES) >= 77
