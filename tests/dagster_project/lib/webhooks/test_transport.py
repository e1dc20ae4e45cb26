import gzip
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from dagster_project.lib.webhooks import Answer, CheckedUrl, Gate, HttpTransport

Talk = Callable[[socket.socket], None]
Serve = Callable[..., int]


def post(port: int, *, scheme: str = "http", host: str = "127.0.0.1", **transport: Any) -> Answer:
    url = CheckedUrl(scheme=scheme, host=host, port=port, target="/hook?x=1", addresses=("127.0.0.1",))
    return HttpTransport(**transport).post(url, headers={"webhook-id": "a.b_1"}, body=b"{}")


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start a server that takes one connection and says whatever `talk` says; give its port."""
    with ExitStack() as stack:

        def start(talk: Talk, context: ssl.SSLContext | None = None) -> int:
            listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            listener.settimeout(20)

            def run() -> None:
                try:
                    connection, _ = listener.accept()
                    with connection:
                        connection.settimeout(20)
                        if context is not None:
                            connection = context.wrap_socket(connection, server_side=True)
                        talk(connection)
                except OSError:
                    # the sender hung up, which is what most of these tests are about
                    pass
                finally:
                    connection.close()

            thread = Thread(target=run)
            thread.start()
            stack.callback(thread.join)
            return int(listener.getsockname()[1])

        yield start


def read_request(connection: socket.socket) -> bytes:
    request = b""
    while not request.endswith(b"\r\n\r\n{}"):
        request += connection.recv(4096)
    return request


def saying(*answer: bytes) -> Talk:
    def talk(connection: socket.socket) -> None:
        read_request(connection)
        for part in answer:
            connection.sendall(part)

    return talk


def test_the_request_is_what_was_given_and_the_answer_is_kept(serve: Serve) -> None:
    requests: list[bytes] = []

    def talk(connection: socket.socket) -> None:
        requests.append(read_request(connection))
        connection.sendall(b"HTTP/1.1 429 Slow\r\nRetry-After: 7\r\nContent-Length: 5\r\n\r\nlater")

    port = serve(talk)
    answer = post(port)
    assert (answer.status_code, answer.retry_after, answer.body, answer.error) == (
        429,
        "7",
        b"later",
        None,
    )
    assert requests[0].decode().lower().splitlines() == [
        "post /hook?x=1 http/1.1",
        f"host: 127.0.0.1:{port}",
        "connection: close",
        "webhook-id: a.b_1",
        "content-length: 2",
        "",
        "{}",
    ]


def test_only_the_first_kilobyte_is_kept(serve: Serve) -> None:
    port = serve(saying(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" + b"x" * 5000))
    answer = post(port)
    assert (answer.status_code, answer.body) == (200, b"x" * 1024)


def test_an_endless_body_is_cut_off(serve: Serve) -> None:
    def talk(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            connection.sendall(b"x" * 65_536)

    answer = post(serve(talk))
    assert (answer.status_code, answer.body) == (200, b"x" * 1024)


def test_a_compressed_bomb_is_not_unpacked(serve: Serve) -> None:
    bomb = gzip.compress(b"\0" * 10_000_000)
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(bomb)}\r\n\r\n"
    answer = post(serve(saying(head.encode() + bomb)))
    assert (answer.status_code, answer.body) == (200, bomb[:1024])


def drip(connection: socket.socket, head: bytes, part: bytes) -> None:
    read_request(connection)
    connection.sendall(head)
    while True:
        connection.sendall(part)
        # waits without a clock: nothing ever comes from the sender
        connection.settimeout(1 / 20)
        try:
            if not connection.recv(1):
                return
        except TimeoutError:
            continue


def test_a_body_that_drips_does_not_take_the_status_back(serve: Serve) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"
    answer = post(serve(lambda connection: drip(connection, head, b"x")), timeout_seconds=1)
    assert answer.status_code == 200
    assert answer.error is None


@pytest.mark.parametrize(
    ("head", "part"),
    [
        (b"HTTP/1.1 200 OK\r\nx: ", b"x"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    ],
    ids=["a header that drips", "provisional answers without end"],
)
def test_headers_without_end_are_cut_off_by_the_time_of_the_whole_exchange(
    serve: Serve, head: bytes, part: bytes
) -> None:
    port = serve(lambda connection: drip(connection, head, part))
    answer = post(port, timeout_seconds=1)
    assert answer.status_code is None
    assert answer.error is not None
    assert "Timeout" in answer.error


def test_silence_ends_in_an_error(serve: Serve) -> None:
    answer = post(serve(lambda connection: drip(connection, b"", b"")), timeout_seconds=1)
    assert (answer.status_code, answer.body) == (None, b"")
    assert answer.error is not None
    assert "Timeout" in answer.error


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 100_000 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
    ],
    ids=["nothing", "another protocol", "no status", "huge headers", "two lengths"],
)
def test_what_is_no_answer_is_an_error(serve: Serve, answer: bytes) -> None:
    got = post(serve(saying(answer)))
    assert got.status_code is None
    assert got.error is not None


def test_a_redirect_is_not_followed(serve: Serve) -> None:
    hits: list[bytes] = []
    metadata = serve(lambda connection: hits.append(connection.recv(1)))
    location = f"Location: http://127.0.0.1:{metadata}/latest/meta-data/".encode()
    head = b"HTTP/1.1 307 Temporary Redirect\r\n" + location + b"\r\nContent-Length: 0\r\n\r\n"
    answer = post(serve(saying(head)))
    assert answer.status_code == 307
    with socket.create_connection(("127.0.0.1", metadata)) as own:
        own.sendall(b"!")
        assert own.recv(1) == b""
    # the only connection it ever saw is the one of this test
    assert hits == [b"!"]


def test_proxies_of_the_environment_are_not_used(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    port = serve(saying(b"HTTP/1.1 204 No Content\r\n\r\n"))
    assert post(port).status_code == 204


def test_nobody_there_is_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    answer = post(port)
    assert answer.status_code is None
    assert answer.error is not None
    assert "ConnectError" in answer.error


def test_the_next_address_is_tried_when_one_does_not_answer(serve: Serve) -> None:
    port = serve(saying(b"HTTP/1.1 204 No Content\r\n\r\n"))
    url = CheckedUrl(
        scheme="http",
        host="hooks.example",
        port=port,
        target="/",
        addresses=("127.0.0.2", "127.0.0.1"),
    )
    assert HttpTransport().post(url, headers={}, body=b"{}").status_code == 204


def test_the_name_is_not_looked_up_a_second_time(serve: Serve) -> None:
    lookups: list[str] = []

    def rebinding(host: str, _port: int) -> list[str]:
        # what an attacker's name server does: a harmless address for the check, another one after
        lookups.append(host)
        return ["127.0.0.1"] if len(lookups) == 1 else ["169.254.169.254"]

    port = serve(saying(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))
    gate = Gate(allow_loopback=True, resolver=rebinding)
    # `.invalid` has no address anywhere: a second look-up would fail or end elsewhere
    checked = gate.check(f"http://rebind.invalid:{port}/")
    assert HttpTransport().post(checked, headers={}, body=b"{}").status_code == 200
    assert lookups == ["rebind.invalid"]


@pytest.fixture
def server_context(tmp_path: Path) -> ssl.SSLContext:
    """A server that is `hooks.example`, by a certificate that it signed for itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "hooks.example")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("hooks.example")]), False)
        .sign(key, hashes.SHA256())
    )
    pem = tmp_path / "server.pem"
    pem.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context


def test_tls_goes_by_the_name_while_the_connection_goes_to_the_address(
    serve: Serve, server_context: ssl.SSLContext, tmp_path: Path
) -> None:
    asked_for: list[str | None] = []
    server_context.sni_callback = lambda _socket, name, _context: asked_for.append(name)
    requests: list[bytes] = []

    def talk(connection: socket.socket) -> None:
        requests.append(read_request(connection))
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    trusting = ssl.create_default_context(cafile=str(tmp_path / "server.pem"))
    port = serve(talk, server_context)
    answer = post(port, scheme="https", host="hooks.example", ssl_context=trusting)
    assert (answer.status_code, answer.error) == (200, None)
    assert asked_for == ["hooks.example"]
    assert f"host: hooks.example:{port}".encode() in requests[0].lower()


def test_a_certificate_of_another_name_or_issuer_is_refused(
    serve: Serve, server_context: ssl.SSLContext, tmp_path: Path
) -> None:
    trusting = ssl.create_default_context(cafile=str(tmp_path / "server.pem"))
    ok = saying(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    wrong_name = post(serve(ok, server_context), scheme="https", host="bank.example", ssl_context=trusting)
    wrong_issuer = post(serve(ok, server_context), scheme="https", host="hooks.example")
    for answer in (wrong_name, wrong_issuer):
        assert answer.status_code is None
        assert answer.error is not None
        assert "CERTIFICATE_VERIFY_FAILED" in answer.error
