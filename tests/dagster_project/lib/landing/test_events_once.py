"""Every event once: repeats, conflicts, files taken again, whatever the order, the split or the crash."""

import itertools
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dagster_project.lib.errors import InputError
from dagster_project.lib.landing import events
from dagster_project.lib.landing.events_files import file_sha256
from dagster_project.lib.warehouse import DuckDBWarehouse
from tests.dagster_project.lib.landing.landings import FATES, Lander, counts, event, file_source, line


def test_the_first_of_an_id_wins_and_the_others_are_told_apart(lander: Lander) -> None:
    [landed] = lander.land_lines(
        line("t1"),
        line("t1"),
        line("t1", properties={"n": "11"}),
        line("t1", external_subscription_id="other"),
        line("t1", received_at="2024-03-06T00:00:00Z"),
        line("t1", timestamp="2024-03-05T14:00:00+02:00"),
        line("t1", timestamp="2024-03-05T12:00:00.000001Z"),
        line("t1", code="other"),
        line("t1", precise_total_amount_cents="0.5"),
    )
    assert counts(landed) == (9, 2, 3, 4, 0)
    assert lander.rows("line_number") == [(1,), (4,)]
    assert lander.rows("line_number", "duplicate_events") == [(2,), (5,), (6,)]
    assert lander.rows("line_number", "conflicting_events") == [(3,), (7,), (8,), (9,)]
    assert lander.rows("properties, external_subscription_id", "conflicting_events")[0] == ('{"n":"11"}', "sub")


def test_an_event_landed_before_wins_over_a_later_batch(lander: Lander) -> None:
    lander.land_lines(line("t1"), line("t2"))
    [landed] = lander.land_lines(line("t2"), line("t1", code="other"), line("t3"), line("t3"))
    assert counts(landed) == (4, 1, 2, 1, 0)
    assert lander.rows("transaction_id, batch_id") == [("t1", 1), ("t2", 1), ("t3", 2)]


def test_the_order_of_keys_and_the_form_of_numbers_are_no_conflict(lander: Lander) -> None:
    lander.land_lines(line("t1", properties={"a": 1, "b": {"x": 1.5, "y": "2"}}))
    [landed] = lander.land_lines(
        line("t1", properties={"b": {"y": "2", "x": 1.5}, "a": 1}),
        line("t1", properties={"a": 1, "b": {"x": 1.5, "y": "2"}}).replace("1.5", "1.500"),
        line("t1", properties={"a": "1", "b": {"x": 1.5, "y": "2"}}),
        line("t1", properties={"a": True, "b": {"x": 1.5, "y": "2"}}),
    )
    assert counts(landed) == (4, 0, 2, 2, 0)


def test_within_a_batch_the_path_decides_who_is_first(lander: Lander) -> None:
    late, early = lander.write("b.jsonl", [line("t1")]), lander.write("a.jsonl", [line("t1", code="first"), line("t2")])
    results = lander.land(file_source(late, early))
    assert [(Path(r.file_path).name, *counts(r)) for r in results] == [
        ("a.jsonl", 2, 2, 0, 0, 0),
        ("b.jsonl", 1, 0, 0, 1, 0),
    ]
    assert lander.rows("transaction_id, code") == [("t1", "first"), ("t2", "api")]


def test_a_content_is_taken_once_under_any_name(lander: Lander) -> None:
    path = lander.write("a.jsonl", [line("t1"), "bad"])
    copy = lander.write("b.jsonl", path.read_bytes())
    first, second = lander.land(file_source(path, copy))
    assert (counts(first), first.is_known) == ((2, 1, 0, 0, 1), False)
    assert (counts(second), second.is_known, second.file_id) == ((0, 0, 0, 0, 0), True, None)
    assert [r.is_known for r in lander.land(file_source(path, copy))] == [True, True]
    assert len(lander.rows("1", "landed_files")) == 1
    assert len(lander.rows("1", "quarantined_events")) == 1


@pytest.mark.parametrize(("settled_ns", "times"), [(0, 1), (3600 * 10**9, 2)])
def test_a_known_file_is_hashed_once_more_when_it_has_settled(
    lander: Lander, monkeypatch: pytest.MonkeyPatch, settled_ns: int, times: int
) -> None:
    monkeypatch.setattr(events, "_SETTLED_NS", settled_ns)
    hashed: list[Path] = []

    def hash_it(path: Path) -> str:
        hashed.append(path)
        return file_sha256(path)

    monkeypatch.setattr(events, "file_sha256", hash_it)
    path = lander.write("a.jsonl", [line("t1")])
    results = [lander.land(file_source(path)) for _ in range(3)]
    assert [result.is_known for [result] in results] == [False, True, True]
    assert hashed == [path] * times


def test_a_change_in_place_is_noticed_that_leaves_the_size_and_the_time_of_a_known_file(
    lander: Lander, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "_SETTLED_NS", 0)
    path = lander.write("a.jsonl", [line("t1")])
    for _ in range(2):
        lander.land(file_source(path))
    before = path.stat()
    with path.open("r+b") as file:
        file.write(line("t2").encode())
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    [changed] = lander.land(file_source(path))
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    assert (counts(changed), changed.is_known) == ((1, 1, 0, 0, 0), False)
    assert lander.rows("transaction_id") == [("t1",), ("t2",)]
    # the content of before under the same name, in another file
    path.unlink()
    lander.write("a.jsonl", [line("t1")])
    assert [r.is_known for r in lander.land(file_source(path))] == [True]


def test_a_file_without_a_line_is_marked_once_under_each_name(lander: Lander) -> None:
    """Each says of its own interval that there was nothing (`expected_sources`)."""
    texts = {"a.jsonl": "", "b.jsonl": "", "c.jsonl": "\n", "d.jsonl": "\n"}
    paths = [lander.write(name, text) for name, text in texts.items()]
    assert [result.is_known for result in lander.land(file_source(*paths))] == [False] * 4
    paths.append(lander.write("e.jsonl", ""))
    assert [result.is_known for result in lander.land(file_source(*paths))] == [True] * 4 + [False]
    marked = [Path(name).name for (name,) in lander.rows("file_path", "landed_files")]
    assert sorted(marked) == [*texts, "e.jsonl"]


def test_a_name_with_other_content_is_taken(lander: Lander) -> None:
    path = lander.write("a.jsonl", [line("t1")])
    lander.land(file_source(path))
    lander.write("a.jsonl", [line("t1"), line("t2")])
    [grown] = lander.land(file_source(path))
    assert counts(grown) == (2, 1, 1, 0, 0)


def test_the_same_content_for_another_organisation_is_other_usage(lander: Lander) -> None:
    lander.organizations = ("acme", "other")
    path = lander.write("a.jsonl", [line("t1")])
    lander.land(file_source(path), file_source(path, organization_id="other"))
    assert lander.rows("organization_id, transaction_id") == [("acme", "t1"), ("other", "t1")]


def test_an_organisation_is_named_by_the_row_the_source_or_because_it_is_the_only_one(lander: Lander) -> None:
    path = lander.write("a.jsonl", [line("t1")])
    lander.land(file_source(path, organization_id=None))
    lander.organizations = ("acme", "other")
    second = lander.write("b.jsonl", [line("t2"), line("t3", organization_id="other")])
    lander.land(file_source(second, organization_id=None))
    assert lander.rows("organization_id, transaction_id") == [("acme", "t1"), ("other", "t3")]
    assert lander.reasons() == [(1, "missing_organization")]


def test_a_file_that_vanished_is_named_and_the_others_land(lander: Lander) -> None:
    paths = [lander.write(f"{name}.jsonl", [line(name)]) for name in "abc"]
    paths[1].unlink()
    with pytest.raises(InputError, match=r"b\.jsonl"):
        lander.land(file_source(*paths))
    assert lander.rows("transaction_id") == [("a",), ("c",)]


def test_many_small_files_each_have_their_mark_and_their_copies_none(lander: Lander) -> None:
    """Every fifth is a copy of the one before it; they share transactions all the same."""
    paths = [lander.write(f"{i:03}.jsonl", [line(f"{i - i % 5 // 4}-{k}") for k in range(3)]) for i in range(250)]
    results = lander.land(file_source(*paths))
    assert [(r.is_known, *counts(r)) for r in results] == [
        (i % 5 == 4, *((0,) * 5 if i % 5 == 4 else (3, 3, 0, 0, 0))) for i in range(250)
    ]
    own = [str(path) for i, path in enumerate(paths) if i % 5 != 4]
    assert [path for (path,) in lander.rows("file_path", "landed_files")] == own
    # no screens of names
    assert sum(".jsonl: 3 lines" in note for note in lander.notes) == 20
    assert lander.notes[-1] == "and 180 files more: 540 lines, 540 landed, 0 duplicates, 0 conflicts, 0 rejected"


def _mixed_lines() -> list[str]:
    """Lines of every fate; one id has always the same content, so that no order changes the set."""
    lines = [line(f"t{i}", timestamp=1_700_000_000 + i / 8, properties={"n": i}) for i in range(40)]
    lines += random.Random(1).sample(lines, 15)
    return [*lines, "bad", line("no-time", timestamp="x"), ""]


def test_shuffling_and_splitting_files_gives_the_same_events(lander: Lander) -> None:
    seen = []
    lines = _mixed_lines()
    for seed, parts in itertools.product(range(2), (1, 3)):
        organization = f"o{seed}{parts}"
        lander.organizations = (organization,)
        shuffled = random.Random(seed).sample(lines, len(lines))
        paths = [
            lander.write(f"{organization}/{part}.jsonl", [*shuffled[part::parts], f'{{"part":"{organization}"}}'])
            for part in range(parts)
        ]
        for path in random.Random(seed).sample(paths, parts):
            lander.land(file_source(path, organization_id=organization))
        rows = lander.rows("organization_id, transaction_id, event_at, properties")
        seen.append(sorted(row[1:] for row in rows if row[0] == organization))
    assert all(events == seen[0] for events in seen)
    assert len(seen[0]) == 40


@pytest.mark.postgres
def test_both_engines_hold_the_same_rows(both_landers: list[Lander]) -> None:
    held = []
    for lander in both_landers:
        names = ["a\tb", "back\\slash", '"quoted"', "new\nline", "\u00e9\U0001f600", "\\.", "\\N", " ", "''"]
        lander.land_lines(*(line(f"{i} {name}", properties={name: name}) for i, name in enumerate(names)))
        lander.land_lines(*_mixed_lines(), line("t1", code="x"), line("x" * 5000), "\u00e9\t\\.", '"', line("a\0"))
        numbers = lander.write(
            "n.jsonl",
            [line(f"n{i}").replace('"10"', n) for i, n in enumerate(["1.50", "1e3", "0.0000001", "-0", "100.0"])],
        )
        lander.land(file_source(numbers))
        held.append({**lander.everything(), "marks": lander.rows("*", "landed_files")})
    assert held[0] == held[1]
    assert all(held[0][table] for table in FATES)


_LAND = """
import sys
from pathlib import Path
from dagster_project.lib.warehouse import open_warehouse
from tests.dagster_project.lib.landing.landings import Lander, file_source
folder = Path(sys.argv[2])
lander = Lander(open_warehouse(sys.argv[1]), folder)
print("started", flush=True)
for path in sorted(folder.glob("*.jsonl")):
    lander.land(file_source(path))
"""


@pytest.mark.slow
def test_a_landing_that_is_killed_loses_and_doubles_nothing(lander: Lander, postgres_url: str) -> None:
    for part in range(4):
        lander.write(f"{part}.jsonl", [line(f"{part}-{i:06}", properties={"pad": "x" * 300}) for i in range(20_000)])
    address = str(getattr(lander.warehouse, "path", "")) or f"{postgres_url}#{getattr(lander.warehouse, 'schema', '')}"
    command = [sys.executable, "-c", _LAND, address, str(lander.folder)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    for delay in (0.05, 0.3, 0.8):
        with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, cwd=Path.cwd()) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(delay)
            process.send_signal(signal.SIGKILL)
    lander.land(file_source(*sorted(lander.folder.glob("*.jsonl"))))
    ids = [name for (name,) in lander.rows("transaction_id")]
    assert len(ids) == len(set(ids)) == 80_000
    marks = lander.rows("lines_count, landed_count, duplicates_count", "landed_files")
    assert marks == [(20_000, 20_000, 0)] * 4
    assert lander.rows("1", "duplicate_events") == []


def test_landing_tells_what_each_file_came_to(lander: Lander) -> None:
    lander.land_lines(line("t1"), line("t1"), json.dumps(event("t1", code="x")), "bad")
    assert lander.notes == [f"{lander.folder}/batch1.jsonl: 4 lines, 1 landed, 1 duplicate, 1 conflict, 1 rejected"]


def test_events_hashed_by_another_version_are_still_known(tmp_path: Path) -> None:
    lander = Lander(DuckDBWarehouse(tmp_path / "w.duckdb"), tmp_path)
    lander.warehouse.create_raw_tables()
    lander.land_lines(line("t1"), line("t2"))
    for stale in ("key_hash + 1", "null"):
        with lander.warehouse.connect() as session:
            session.execute(f"update raw.usage_events set key_hash = {stale}")
        [landed] = lander.land_lines(line("t1"), line("t2", code="x"), line(f"new {stale}"))
        assert counts(landed) == (3, 1, 1, 1, 0)


def test_the_first_line_wins_also_when_it_is_looked_at_after_the_others(lander: Lander) -> None:
    # numbers with exponents are judged one by one, after all plain lines
    judged = [line(f"t{i}").replace('"10"', "1e3") for i in (1, 2)]
    [landed] = lander.land_lines(*judged, line("t1"), line("t2", properties={"n": 1000}), line("t3"))
    assert counts(landed) == (5, 3, 1, 1, 0)
    assert lander.rows("transaction_id, line_number, properties") == [
        ("t1", 1, '{"n":1000}'),
        ("t2", 2, '{"n":1000}'),
        ("t3", 5, '{"n":"10"}'),
    ]
    assert lander.rows("transaction_id, line_number, properties", "conflicting_events") == [("t1", 3, '{"n":"10"}')]
    assert lander.rows("transaction_id, line_number", "duplicate_events") == [("t2", 4)]


def test_the_first_file_wins_whatever_formats_are_read_first(lander: Lander) -> None:
    header = "transaction_id,external_subscription_id,code,timestamp,n"
    cells = [f"t{i},sub,api,2024-03-05T12:00:00Z,{n}" for i, n in ((1, 10), (2, 11), (3, 10))]
    first = lander.write("a.csv", [header, *cells])
    second = lander.write("b.jsonl", [line(f"t{i}") for i in (1, 2, 4)])
    files = lander.land(file_source(second), file_source(first))
    assert [counts(landed) for landed in files] == [(3, 3, 0, 0, 0), (3, 1, 1, 1, 0)]
    assert lander.rows("transaction_id, file_id, properties") == [
        ("t1", 1, '{"n":"10"}'),
        ("t2", 1, '{"n":"11"}'),
        ("t3", 1, '{"n":"10"}'),
        ("t4", 2, '{"n":"10"}'),
    ]
    assert lander.rows("transaction_id, file_id", "conflicting_events") == [("t2", 2)]
    assert lander.rows("transaction_id, file_id", "duplicate_events") == [("t1", 2)]
