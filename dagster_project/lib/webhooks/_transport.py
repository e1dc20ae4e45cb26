"""Sending one request to a checked address, within a bound of time and bytes."""

import ssl
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import httpcore

from dagster_project.lib.webhooks._gate import CheckedUrl

_NS_PER_SECOND = 1_000_000_000
_ANSWER_BYTES_MAX = 65_536
_ANSWER_BYTES_KEPT = 1_024


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a receiver said: a status, or an error when it said nothing that could be read."""

    status_code: int | None = None
    retry_after: str | None = None
    body: bytes = b""
    duration_ms: int = 0
    error: str | None = None


class WebhookTransport(Protocol):
    """Whatever can carry a message to a receiver."""

    def post(self, url: CheckedUrl, *, headers: Mapping[str, str], body: bytes) -> Answer:
        """Send one request and return the answer; a failure is an answer too, never an error."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpTransport:
    """One connection per message, straight to the addresses that the gate has checked.

    No second look-up of the name (TLS and Host still go by it), no redirects, no proxies and no
    credentials from the environment. `timeout_seconds` bounds the whole exchange, not each read;
    at most 64 kB of the answer are read and 1 kB is kept.
    """

    timeout_seconds: int = 20
    ssl_context: ssl.SSLContext = field(default_factory=httpcore.default_ssl_context)

    def post(self, url: CheckedUrl, *, headers: Mapping[str, str], body: bytes) -> Answer:
        """Send one request; see `WebhookTransport`."""
        started_ns = time.monotonic_ns()
        deadline = _Deadline(started_ns + self.timeout_seconds * _NS_PER_SECOND)
        status_code: int | None = None
        retry_after: bytes | None = None
        answer = bytearray()
        error: str | None = None
        try:
            with (
                httpcore.ConnectionPool(
                    ssl_context=self.ssl_context,
                    max_connections=1,
                    network_backend=_CheckedBackend(url.addresses, deadline),
                ) as pool,
                pool.stream(
                    "POST",
                    httpcore.URL(scheme=url.scheme, host=url.host, port=url.port, target=url.target),
                    headers=[
                        ("host", url.host_header),
                        ("connection", "close"),
                        *headers.items(),
                    ],
                    content=body,
                ) as response,
            ):
                status_code = response.status
                headers_lower = {name.lower(): value for name, value in response.headers}
                retry_after = headers_lower.get(b"retry-after")
                for chunk in response.iter_stream():
                    answer += chunk
                    if len(answer) >= _ANSWER_BYTES_MAX:
                        break
        except (
            httpcore.TimeoutException,
            httpcore.NetworkError,
            httpcore.ProtocolError,
            OSError,
        ) as failure:
            # The status is the answer: a body that never ends does not take it back.
            if status_code is None:
                error = f"{type(failure).__name__}: {failure}".rstrip(": ")
        return Answer(
            status_code=status_code,
            retry_after=retry_after.decode("latin-1") if retry_after is not None else None,
            body=bytes(answer[:_ANSWER_BYTES_KEPT]),
            duration_ms=(time.monotonic_ns() - started_ns) // 1_000_000,
            error=error,
        )


@dataclass(frozen=True, slots=True)
class _Deadline:
    ends_ns: int

    def left_ns(self) -> int:
        left = self.ends_ns - time.monotonic_ns()
        if left <= 0:
            raise httpcore.ReadTimeout("no complete answer within the time allowed")
        return left


class _CheckedBackend(httpcore.NetworkBackend):
    """Connects to addresses that were checked before, whatever name it is asked for.

    The timeouts it is given are those of single reads; the deadline of the exchange rules instead.
    """

    def __init__(self, addresses: tuple[str, ...], deadline: _Deadline) -> None:
        self._addresses = addresses
        self._deadline = deadline

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: object = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        backend = httpcore.SyncBackend()
        last = len(self._addresses) - 1
        for place, address in enumerate(self._addresses):
            # A share of the time for each, so that one silent address leaves some to the next.
            left_ns = self._deadline.left_ns() // (last - place + 1)
            try:
                stream = backend.connect_tcp(
                    address,
                    port,
                    timeout=left_ns / _NS_PER_SECOND,
                    socket_options=socket_options,
                )
                return _BoundedStream(stream, self._deadline)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if place == last:
                    raise
        raise httpcore.ConnectError("no address to connect to")


class _BoundedStream(httpcore.NetworkStream):
    """A connection whose every read and write ends at the deadline of the exchange."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: _Deadline) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: object = None) -> bytes:
        return self._stream.read(max_bytes, timeout=self._deadline.left_ns() / _NS_PER_SECOND)

    def write(self, buffer: bytes, timeout: object = None) -> None:
        self._stream.write(buffer, timeout=self._deadline.left_ns() / _NS_PER_SECOND)

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: object = None,
    ) -> httpcore.NetworkStream:
        stream = self._stream.start_tls(ssl_context, server_hostname, timeout=self._deadline.left_ns() / _NS_PER_SECOND)
        return _BoundedStream(stream, self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
