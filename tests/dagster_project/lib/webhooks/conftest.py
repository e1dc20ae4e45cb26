"""A fresh operations store for each test, on both databases, and receivers on loopback."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

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


@dataclass(frozen=True, slots=True)
class Received:
    """One request as a receiver saw it; header names in lower case."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def message_id(self) -> str:
        return self.headers["webhook-id"]


@dataclass(slots=True)
class Receiver:
    """A receiver on loopback: it keeps what it gets and answers as `respond` says."""

    url: str = ""
    received: list[Received] = field(default_factory=list)
    respond: Callable[[Received], tuple[int, dict[str, str]]] = lambda _request: (200, {})

    @property
    def message_ids(self) -> list[str]:
        return [request.message_id for request in self.received]


@pytest.fixture
def make_receiver() -> Iterator[Callable[[], Receiver]]:
    with ExitStack() as stack:

        def make() -> Receiver:
            receiver = Receiver()

            class Handler(BaseHTTPRequestHandler):
                def do_POST(self) -> None:
                    request = Received(
                        self.path,
                        {name.lower(): value for name, value in self.headers.items()},
                        self.rfile.read(int(self.headers["content-length"])),
                    )
                    receiver.received.append(request)
                    status, headers = receiver.respond(request)
                    self.send_response(status)
                    for name, value in {"content-length": "3", **headers}.items():
                        self.send_header(name, value)
                    self.end_headers()
                    self.wfile.write(b"ok\n")

                def log_message(self, *_arguments: object) -> None:
                    pass

            server = stack.enter_context(ThreadingHTTPServer(("127.0.0.1", 0), Handler))
            receiver.url = f"http://127.0.0.1:{server.server_port}/hook"
            thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
            thread.start()
            stack.callback(thread.join)
            stack.callback(server.shutdown)
            return receiver

        yield make


@pytest.fixture
def receiver(make_receiver: Callable[[], Receiver]) -> Receiver:
    return make_receiver()
