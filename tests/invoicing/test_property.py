"""Random sequences of coupons, notes, wallets and invoices give what the oracle worked out, on both engines.

`METERHOUSE_MONEY_BOOKS` is how many books are drawn, `METERHOUSE_MONEY_SEED` which. A wrong book is kept as a case in
build/invoicing.
"""

import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dagster_project.lib.progress import SilentProgress
from dagster_project.lib.verify import VerifyRequest, verify_cases
from dagster_project.lib.warehouse import Warehouse
from tests.invoicing.books import books

COUNT = int(os.environ.get("METERHOUSE_MONEY_BOOKS", "20"))
SEED = int(os.environ.get("METERHOUSE_MONEY_SEED", "1"))
KEPT = Path(__file__).resolve().parents[2] / "build" / "invoicing"


@pytest.mark.slow
def test_random_books_are_settled_as_the_oracle_settles_them(warehouse: Warehouse, tmp_path: Path) -> None:
    cases = {case["case"]: case for case in books(SEED, COUNT)}
    folder = tmp_path / "books"
    folder.mkdir()
    for name, case in cases.items():
        (folder / f"{name}.json").write_text(json.dumps(case))
    now = datetime(2030, 1, 1, tzinfo=UTC)
    results = verify_cases(VerifyRequest((folder,), warehouse, tmp_path / "home", now), SilentProgress())
    wrong = {
        result.path.stem: [*([result.problem] if result.problem else []), *map(str, result.differences)][:3]
        for result in results
        if not result.passed
    }
    KEPT.mkdir(parents=True, exist_ok=True)
    for name in wrong:
        (KEPT / f"{name}.json").write_text(json.dumps(cases[name], indent=1))
    assert wrong == {}, f"{len(wrong)} of {len(cases)} books, on {warehouse.kind}"
