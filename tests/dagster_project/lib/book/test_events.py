"""Where the events of a folder book are."""

import gzip
import os
import re

import pytest

from dagster_project.lib.book import BookError, EventSource, read_book

FIELDS = "{code: \"'call'\", transaction_id: id, external_subscription_id: customer, timestamp: called}"


@pytest.fixture
def book(tmp_path):
    """A folder with events in every native format and a log with other names."""
    root = tmp_path / "acme"
    (root / "events" / "2024").mkdir(parents=True)
    (root / "book.yaml").write_text("default_currency: EUR\n")
    for name in ("b.jsonl", "2024/a.jsonl", "c.csv", "d.parquet", "gateway.log", "notes.md"):
        (root / "events" / name).write_text("")
    (root / "events" / "z.jsonl.gz").write_bytes(gzip.compress(b""))
    return root


def sources(root, text):
    (root / "events" / "sources.yaml").write_text(text)
    return read_book(root).event_sources


def problems(root, text):
    with pytest.raises(BookError) as caught:
        sources(root, text)
    return caught.value.problems


def test_native_files_are_grouped_by_format_and_the_rest_is_described(book):
    events = book / "events"
    found = sources(book, f"sources:\n- files: '*.log'\n  format: jsonl\n  fields: {FIELDS}\n")
    mapping = {
        "code": "'call'",
        "transaction_id": "id",
        "external_subscription_id": "customer",
        "timestamp": "called",
    }
    assert found == (
        EventSource("file", (events / "gateway.log",), "jsonl", None, mapping, "acme", root=events),
        EventSource("file", (events / "c.csv",), "csv", organization_id="acme"),
        EventSource("file", (events / "2024/a.jsonl", events / "b.jsonl"), "jsonl", organization_id="acme"),
        EventSource("file", (events / "z.jsonl.gz",), "jsonl", "gzip", organization_id="acme"),
        EventSource("file", (events / "d.parquet",), "parquet", organization_id="acme"),
    )


def test_links_are_followed_and_a_link_to_nothing_is_left_for_landing_to_name(book, tmp_path):
    events, elsewhere = book / "events", tmp_path / "elsewhere"
    (events / "gateway.log").unlink()
    elsewhere.mkdir()
    (elsewhere / "e.jsonl").write_text("")
    (events / "far").symlink_to(elsewhere)
    (elsewhere / "back").symlink_to(events)
    (events / "gone.jsonl").symlink_to(elsewhere / "nothing.jsonl")
    (events / "self.jsonl").symlink_to(events / "self.jsonl")
    names = ("2024/a.jsonl", "b.jsonl", "far/e.jsonl", "gone.jsonl", "self.jsonl")
    assert sources(book, "sources: []\n")[1].paths == tuple(events / name for name in names)
    found = sources(book, f"sources:\n- files: 'g*.jsonl'\n  fields: {FIELDS}\n")
    assert found[0].paths == (events / "gone.jsonl",)


def test_what_is_no_file_and_a_name_that_is_no_text_are_told(book):
    (book / "events" / "gateway.log").unlink()
    os.mkfifo(book / "events" / "pipe.jsonl")
    (book / "accounts").mkdir()
    (book / "accounts" / "customers.jsonl").symlink_to("/dev/zero")
    (book / "events" / os.fsdecode(b"caf\xe9.jsonl")).write_text("{}\n")
    with pytest.raises(BookError) as caught:
        read_book(book)
    assert {(problem.file, problem.value) for problem in caught.value.problems} == {
        ("accounts/customers.jsonl", "a pipe, a socket or a device"),
        ("events/caf\ufffd.jsonl", "another name"),
        ("events/pipe.jsonl", "a pipe, a socket or a device"),
    }
    assert str(caught.value).encode()


def test_a_link_to_no_accounts_is_refused(book):
    (book / "events" / "gateway.log").unlink()
    (book / "accounts").mkdir()
    (book / "accounts" / "customers.yaml").symlink_to("nothing.yaml")
    (problem,) = problems(book, "sources: []\n")
    assert (problem.file, problem.value) == ("accounts/customers.yaml", "a link to nothing")


def test_a_file_of_another_kind_is_refused_without_a_description(book):
    (problem,) = problems(book, "sources: []\n")
    assert problem.file == "events/gateway.log"


def test_a_relation_is_read_where_it_lies(book):
    (book / "events" / "gateway.log").unlink()
    found = sources(book, f"sources:\n- relation: analytics.usage\n  columns: {FIELDS}\n")
    assert (found[0].kind, found[0].relation, found[0].paths) == ("relation", "analytics.usage", ())
    assert found[0].mapping["timestamp"] == "called"


def test_a_glob_may_name_an_environment_variable(book, tmp_path, monkeypatch):
    (book / "events" / "gateway.log").unlink()
    logs = tmp_path / "logs"
    logs.mkdir()
    for name in ("2.csv", "1.csv", "3.csv.gz"):
        (logs / name).write_text("")
    text = f"sources:\n- files: ${{USAGE_LOGS}}/*.csv*\n  fields: {FIELDS}\n"
    monkeypatch.delenv("USAGE_LOGS", raising=False)
    (problem,) = problems(book, text)
    assert "USAGE_LOGS to be set" in problem.expected
    assert (problem.path, problem.line) == ("sources[0].files", 2)

    monkeypatch.setenv("USAGE_LOGS", str(logs))
    plain, packed = sources(book, text)[:2]
    assert plain.paths == (logs / "1.csv", logs / "2.csv")
    assert (packed.paths, packed.compression) == ((logs / "3.csv.gz",), "gzip")


def test_a_glob_may_match_nothing_yet_in_a_folder_that_exists(book):
    (book / "events" / "gateway.log").unlink()
    assert sources(book, f"sources:\n- files: '2025*.csv'\n  fields: {FIELDS}\n")[0].format == "csv"


@pytest.mark.parametrize(
    ("entry", "path", "expected"),
    [
        ("{fields: %s}", "sources[0].files", "either files"),
        ("{files: '*.log', relation: r, fields: %s}", "sources[0].files", "either files"),
        ("{files: '*.log', fields: %s}", "sources[0].format", "jsonl, csv or parquet"),
        ("{files: absent/*.csv, fields: %s}", "sources[0].files", "a folder that exists|glob in a"),
        ("{files: absent.csv, fields: %s}", "sources[0].files", "does not exist"),
        ("{files: '*.log', format: xml, fields: %s}", "sources[0].format", "one of jsonl, csv"),
        ("{files: '*.log', format: csv, feilds: %s}", "sources[0].feilds", '"fields" perhaps'),
        ("{files: '*.log', format: csv, fields: {cod: x}}", "sources[0].fields.cod", '"code"'),
        ("{files: '*.log', format: csv, fields: {code: x}}", "fields.timestamp", "every event"),
        ("{relation: 'a b', fields: %s}", "sources[0].relation", "the name of a table"),
        ("{relation: r, organization_id: x, fields: %s}", "organization_id", "an organisation"),
    ],
)
def test_a_mistake_in_sources_is_told(book, entry, path, expected):
    text = "sources:\n- " + entry.replace("%s", FIELDS) + "\n"
    found = problems(book, text)
    assert any(
        p.file == "events/sources.yaml" and p.path.endswith(path) and re.search(expected, p.expected) for p in found
    ), "\n".join(map(str, found))


def test_rows_of_several_organisations_must_name_theirs(book):
    (book / "book.yaml").write_text("organizations: [{id: a, default_currency: EUR}, {id: b, default_currency: EUR}]\n")
    found = sources(book, f"sources:\n- {{files: '*.log', format: csv, organization_id: b, fields: {FIELDS}}}\n")
    assert [source.organization_id for source in found] == ["b", None, None, None, None]
