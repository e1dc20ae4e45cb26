import csv
import gzip
import importlib.util
import json
from collections import Counter
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from dagster_project.lib.book import read_book

DEMO = Path(__file__).parents[2] / "seeds" / "demo"


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    spec = importlib.util.spec_from_file_location("demo_generate", DEMO / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def committed() -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (DEMO / "events").glob("*.gz")}


@pytest.fixture(scope="module")
def events(committed: dict[str, bytes]) -> list[dict[str, object]]:
    found = []
    for content in committed.values():
        for line in gzip.decompress(content).decode().splitlines():
            try:
                found.append(json.loads(line))
            except json.JSONDecodeError:
                continue
    return found


def test_the_generator_makes_the_committed_files(
    generate: ModuleType, committed: dict[str, bytes], tmp_path: Path
) -> None:
    generate.write(tmp_path / "one")
    generate.write(tmp_path / "two")
    one = {path.name: path.read_bytes() for path in (tmp_path / "one").iterdir()}
    assert one == {path.name: path.read_bytes() for path in (tmp_path / "two").iterdir()}
    # compressed bytes may differ between builds of zlib; the header and the content may not
    assert {name: content[:10] for name, content in one.items()} == {
        name: content[:10] for name, content in committed.items()
    }
    assert {name: gzip.decompress(content) for name, content in one.items()} == {
        name: gzip.decompress(content) for name, content in committed.items()
    }


def test_the_files_are_small(committed: dict[str, bytes]) -> None:
    assert sum(len(content) for content in committed.values()) < 1_500_000


def test_usage_names_known_subscriptions_and_codes_but_for_the_two_strangers(
    events: list[dict[str, object]],
) -> None:
    with (DEMO / "accounts" / "subscriptions.csv").open(newline="") as file:
        subscriptions = {row["external_id"] for row in csv.DictReader(file)}
    changes = yaml.safe_load((DEMO / "accounts" / "changes.yaml").read_text())
    subscriptions |= {row["external_id"] for row in changes["subscriptions"]}
    metrics = yaml.safe_load((DEMO / "catalog" / "billable_metrics.yaml").read_text())
    codes = {metric["event_code"] for metric in metrics}
    named = Counter(event["external_subscription_id"] for event in events)
    assert set(named) - subscriptions == {"corvid-starter"}
    assert subscriptions - set(named) == {"stillwater-starter", "branch-starter", "lantern-starter"}
    assert {event["code"] for event in events} - codes == {"fax_sent"}
    assert 20_000 < sum(named.values()) < 60_000


def test_the_files_hold_duplicates_and_one_conflict(events: list[dict[str, object]]) -> None:
    contents: dict[tuple[object, object], list[str]] = {}
    for event in events:
        key = (event["external_subscription_id"], event.get("transaction_id"))
        contents.setdefault(key, []).append(json.dumps(event, sort_keys=True))
    repeated = [texts for texts in contents.values() if len(texts) > 1]
    assert sum(len(set(texts)) == 1 for texts in repeated) == 4
    assert sum(len(set(texts)) == 2 for texts in repeated) == 1


def test_the_book_is_read_without_a_problem() -> None:
    book = read_book(DEMO)
    keys = Counter(record.table for record in book.records)
    assert book.organization_ids == ("papelune",)
    assert (keys["customers"], keys["subscriptions"], keys["plans"]) == (16, 18, 9)
    assert [path.name for source in book.event_sources for path in source.paths] == sorted(
        path.name for path in (DEMO / "events").iterdir()
    )
