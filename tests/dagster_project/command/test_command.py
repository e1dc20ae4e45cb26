"""What the user of the command sees: exit codes, and errors of one paragraph without a traceback."""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from dagster_project.cli import main
from dagster_project.command.reproduce import show_rederivation
from dagster_project.lib.close import CloseScope, HeldCustomer, InvoiceDifference, Rederivation
from dagster_project.lib.operations import Message, open_store
from dagster_project.lib.warehouse import DuckDBWarehouse, warehouse_lock

ROOT = Path(__file__).resolve().parents[3]
SECRET = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of its own for what the command keeps."""
    for name in [name for name in os.environ if name.startswith("METERHOUSE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("METERHOUSE_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home"


def test_half_a_character_is_told_as_such(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "half.json").write_text(
        '{"case": "\\ud800", "as_of": "2024-04-01T00:00:00Z", "given": {}, "expect": {}}'
    )
    assert run(["verify", "half.json"], monkeypatch) == 1
    told = capsys.readouterr().out
    assert '"\\ud800"' in told
    assert told.endswith("0 passed, 1 failed\n")


def test_doctor_says_that_large_files_are_not_scanned_by_compiled_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(["doctor"], monkeypatch)
    assert "scanner of event lines: compiled" in capsys.readouterr().out
    # as where numba cannot be imported
    monkeypatch.setitem(sys.modules, "dagster_project.lib.landing.events_scanner", None)
    assert run(["doctor"], monkeypatch) == 1
    assert "scanner of event lines: cannot be compiled" in " ".join(capsys.readouterr().out.split())


def run(arguments: Sequence[str], monkeypatch: pytest.MonkeyPatch) -> int:
    """Run the command in this process and return its exit code."""
    monkeypatch.setattr(sys, "argv", ["meterhouse", *arguments])
    with pytest.raises(SystemExit) as caught:
        main()
    return int(caught.value.code or 0)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["close", "--book", "nowhere"], "neither a book's folder nor a case's .json file"),
        (["close", "--as-of", "yesterday"], "Write it as 2026-10-01T06:00:00Z"),
        (["close", "--as-of", ""], "Write it as 2026-10-01T06:00:00Z"),
        (["close", "--as-of", "9999-12-31"], "from 1900 to 2199"),
        (["close", "--warehouse", "mysql://host/db"], "neither a DuckDB file path nor a postgresql:// address"),
        (["close", "--warehouse", "file.txt/x.duckdb"], "file.txt"),
        (["close", "--endpoints", "nowhere.yaml", "--book", "nowhere"], "nowhere"),
        (["verify", "nowhere"], "There is no case at nowhere"),
        (["verify", "."], "No *.json case was found"),
        (["explain", "ACM-1"], "There is no warehouse at"),
        (["render", "ACM-1"], "There is no warehouse at"),
        (["deliver"], "There is no warehouse at"),
        (["audit"], "There is no warehouse at"),
        (["backfill", "--undo"], "There is no warehouse at"),
        (["reproduce", "1"], "There is no warehouse at"),
    ],
)
def test_a_mistake_is_one_paragraph_and_exit_code_2(
    arguments: list[str],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "file.txt").touch()
    assert run(arguments, monkeypatch) == 2
    printed = capsys.readouterr()
    assert words in printed.err
    assert printed.err.startswith("meterhouse: ")
    assert "Traceback" not in printed.out + printed.err
    assert words != "There is no warehouse at" or not (tmp_path / "home").exists()


def test_a_second_writer_is_told_who_holds_the_warehouse(home: Path) -> None:
    warehouse = DuckDBWarehouse(home / "warehouse.duckdb")
    command = [sys.executable, "-m", "dagster_project.cli", "close", "--book", str(ROOT / "seeds" / "demo")]
    with warehouse_lock(warehouse, purpose="a long close"):
        second = subprocess.run(
            command, cwd=home.parent, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, check=False
        )
    told = second.stderr.decode()
    assert second.returncode != 0
    assert "a long close" in told
    assert str(os.getpid()) in told
    assert "Traceback" not in told


def test_the_next_close_is_told_with_its_totals_and_with_who_waits(capsys: pytest.CaptureFixture[str]) -> None:
    tried = Rederivation(
        scope=CloseScope(close_id=4, as_of={}, known_batch_id=1, book_version=""),
        is_past=False,
        recorded={},
        derived={},
        differences=(InvoiceDifference("acme", "globex", "i1", "ACM-1", "KWD", 3, None, 1_234_500),),
        invoices=(),
        restatements=(),
        held=tuple(HeldCustomer("acme", f"c{number}", "source_incomplete", number) for number in range(1, 23)),
    )
    show_rederivation(tried)
    printed = capsys.readouterr().out
    assert "Close 4 would finalise 1 invoice." in printed
    assert "1,234.500 KWD" in printed
    assert "22 customers would wait:\n  acme / c1: source_incomplete (1 row)\n" in printed
    assert printed.endswith("  acme / c20: source_incomplete (20 rows)\n  and 2 more customers\n")


@pytest.fixture
def received_by(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, list[str]]]:
    """The address of a receiver on loopback that is gone (410) at the first message, and the ids it has seen."""
    received: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append(self.headers["webhook-id"])
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(410 if len(received) == 1 else 204)
            self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            pass

    monkeypatch.setenv("METERHOUSE_WEBHOOK_ALLOW_LOOPBACK", "1")
    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/hook", received
        server.shutdown()
        thread.join()


def test_an_endpoint_gets_what_was_queued_before_it_by_a_replay_that_names_it(
    home: Path,
    tmp_path: Path,
    received_by: tuple[str, list[str]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    url, received = received_by
    endpoints = tmp_path / "endpoints.yaml"
    endpoints.write_text(f"- {{id: erp, url: '{url}', secrets: ['{SECRET}']}}\n")
    monkeypatch.setenv("METERHOUSE_ENDPOINTS", str(endpoints))
    warehouse = DuckDBWarehouse(home / "warehouse.duckdb")
    with warehouse.connect():
        pass
    now = datetime(2026, 10, 1, tzinfo=UTC)
    finalized = Message(
        type="invoice.finalized", organization_id="acme", object_id="a", sequence=1, occurred_at=now, data={}
    )
    with open_store(warehouse.operations_url, schema=warehouse.operations_schema) as store:
        store.enqueue([finalized], now=now)
    assert run(["deliver"], monkeypatch) == 0
    assert "Nothing is due." in capsys.readouterr().out
    assert received == []
    assert run(["deliver", "--replay-to", "erp"], monkeypatch) == 1
    assert "switched off: erp" in capsys.readouterr().out
    assert run(["deliver", "--enable", "erp", "--replay", "invoice.finalized_a_1"], monkeypatch) == 0
    assert "1 delivered" in capsys.readouterr().out
    assert run(["deliver", "--replay", "invoice.finalized_b_1"], monkeypatch) == 2
    assert received == ["invoice.finalized_a_1", "invoice.finalized_a_1"]
