from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Lock
from time import sleep
from typing import Any

import pytest
from standardwebhooks import Webhook

from dagster_project.lib import webhooks
from dagster_project.lib.operations import Claim, Endpoint, Message, OperationsStore
from dagster_project.lib.webhooks import (
    LEASE,
    RETRY_DELAYS,
    Answer,
    CheckedUrl,
    DeliverySummary,
    Gate,
    HttpTransport,
    WebhookTransport,
    deliver,
    retry_delay,
)
from dagster_project.lib.webhooks._delivery import decide

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SECRET = "whsec_" + "A" * 32
LOOPBACK = Gate(allow_loopback=True)
PUBLIC = Gate(resolver=lambda _host, _port: ["93.184.215.14"])


class FakeTransport:
    """Answers each request from a list, then with 200; remembers what was sent."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = [*answers]
        self.sent: list[tuple[CheckedUrl, Mapping[str, str], bytes]] = []

    def post(self, url: CheckedUrl, *, headers: Mapping[str, str], body: bytes) -> Answer:
        self.sent.append((url, headers, body))
        return self.answers.pop(0) if self.answers else Answer(status_code=200)

    @property
    def message_ids(self) -> list[str]:
        return [headers["webhook-id"] for _, headers, _ in self.sent]


def endpoint(endpoint_id: str = "crm", **changes: Any) -> Endpoint:
    values = {"url": f"https://{endpoint_id}.example/hook", "secrets": (SECRET,)}
    return Endpoint(endpoint_id=endpoint_id, **{**values, **changes})


def message(object_id: str = "a", sequence: int = 1, **changes: Any) -> Message:
    values = {"type": "invoice.finalized", "organization_id": "acme", "data": {"id": object_id}}
    return Message(object_id=object_id, sequence=sequence, occurred_at=NOW, **{**values, **changes})


def run(store: OperationsStore, transport: WebhookTransport, at: datetime = NOW, **options: Any) -> DeliverySummary:
    """Deliver what is due at a moment at which the clock stands still."""
    options = {"gate": PUBLIC, **options}
    return deliver(store, now=at, transport=transport, clock=lambda: at, **options)


def test_every_exported_name_exists_and_has_a_docstring() -> None:
    for name in webhooks.__all__:
        assert getattr(webhooks, name).__doc__


# over the wire


def test_a_receiver_verifies_what_it_gets(store: OperationsStore, receiver: Any) -> None:
    store.sync_endpoints([endpoint(url=receiver.url + "?token=1")], now=NOW)
    told = message(data={"id": "a", "number": "ACME-001", "name": "Žofie"})
    store.enqueue([told], now=NOW)
    now = datetime.now(UTC)
    summary = deliver(store, now=now, transport=HttpTransport(), gate=LOOPBACK)
    assert summary == DeliverySummary(attempts_count=1, delivered_count=1)
    (request,) = receiver.received
    assert request.path == "/hook?token=1"
    assert request.headers["content-type"] == "application/json"
    assert request.headers["user-agent"].startswith("Meterhouse-Webhooks/")
    assert request.headers["webhook-id"] == "invoice.finalized_a_1"
    assert Webhook(SECRET).verify(request.body, request.headers) == {
        "type": "invoice.finalized",
        "timestamp": "2026-03-01T12:00:00Z",
        "data": {"id": "a", "number": "ACME-001", "name": "Žofie", "version": 1},
    }
    (attempt,) = store.attempts("invoice.finalized_a_1")
    assert (attempt.status_code, attempt.answer, attempt.error) == (200, "ok\n", None)
    # what was delivered is not delivered again
    assert deliver(store, now=now, transport=HttpTransport(), gate=LOOPBACK) == DeliverySummary()


def test_concurrent_workers_deliver_each_message_once_and_in_order(store: OperationsStore, receiver: Any) -> None:
    open_objects: set[str] = set()
    overlapping: list[str] = []
    lock = Lock()

    def respond(request: Any) -> tuple[int, dict[str, str]]:
        object_id = request.message_id.split("_")[1]
        with lock:
            overlapping.extend({object_id} & open_objects)
            open_objects.add(object_id)
        sleep(0.002)
        with lock:
            open_objects.discard(object_id)
        return 200, {}

    receiver.respond = respond
    store.sync_endpoints([endpoint(url=receiver.url)], now=NOW)
    store.enqueue([message(f"inv{n}", s) for n in range(8) for s in (3, 1, 2)], now=NOW)

    def work(_: int) -> DeliverySummary:
        return deliver(store, now=NOW, transport=HttpTransport(), gate=LOOPBACK)

    with ThreadPoolExecutor(4) as pool:
        summaries = list(pool.map(work, range(4)))
    work(0)
    assert sum(summary.attempts_count for summary in summaries) <= 24
    assert len(receiver.message_ids) == len(set(receiver.message_ids)) == 24
    assert overlapping == []
    for n in range(8):
        of_object = [id_ for id_ in receiver.message_ids if f"_inv{n}_" in id_]
        assert of_object == [f"invoice.finalized_inv{n}_{s}" for s in (1, 2, 3)]


def test_a_redirect_is_a_failure_and_leads_nowhere(store: OperationsStore, make_receiver: Callable[[], Any]) -> None:
    inside, outside = make_receiver(), make_receiver()
    outside.respond = lambda _request: (302, {"location": inside.url})
    store.sync_endpoints([endpoint(url=outside.url)], now=NOW)
    store.enqueue([message()], now=NOW)
    assert run(store, HttpTransport(), gate=LOOPBACK).retried_count == 1
    assert store.attempts("invoice.finalized_a_1")[0].status_code == 302
    assert inside.received == []


def test_the_gate_is_shut_for_loopback_unless_it_is_opened(store: OperationsStore, receiver: Any) -> None:
    store.sync_endpoints([endpoint(url=receiver.url)], now=NOW)
    store.enqueue([message()], now=NOW)
    assert run(store, HttpTransport(), gate=Gate()).retried_count == 1
    (attempt,) = store.attempts("invoice.finalized_a_1")
    assert (attempt.status_code, attempt.duration_ms) == (None, 0)
    assert attempt.error is not None
    assert "127.0.0.1, which is not on the public internet" in attempt.error
    assert receiver.received == []


# what an answer means


def test_several_secrets_make_several_signatures(store: OperationsStore) -> None:
    other = "whsec_" + "B" * 32
    store.sync_endpoints([endpoint(secrets=(SECRET, other))], now=NOW)
    store.enqueue([message()], now=NOW)
    transport = FakeTransport()
    deliver(store, now=datetime.now(UTC), transport=transport, gate=PUBLIC)
    ((_, headers, body),) = transport.sent
    assert headers["webhook-signature"].count("v1,") == 2
    for secret in (SECRET, other):
        Webhook(secret).verify(body, {**headers})


def claim(**changes: Any) -> Claim:
    values = {
        "message_id": "invoice.finalized_a_1",
        "endpoint": endpoint(),
        "payload": "{}",
        "attempt_number": 1,
        "try_number": 1,
        "endpoint_first_failed_at": None,
    }
    return Claim(**{**values, **changes})


@pytest.mark.parametrize("status_code", [200, 201, 204, 299])
def test_any_2xx_is_delivered(status_code: int) -> None:
    outcome = decide(claim(), Answer(status_code=status_code), now=NOW)
    assert (outcome.state, outcome.next_attempt_at) == ("delivered", None)


@pytest.mark.parametrize("status_code", [101, 300, 301, 304, 400, 401, 404, 422, 500, 503, None])
def test_anything_else_is_tried_again_until_the_last_try(status_code: int | None) -> None:
    answer = Answer(status_code=status_code)
    retried = decide(claim(attempt_number=20, try_number=9), answer, now=NOW)
    assert retried.state == "pending"
    assert retried.next_attempt_at is not None
    assert NOW + timedelta(hours=24) <= retried.next_attempt_at <= NOW + timedelta(hours=26.4)
    last = decide(claim(attempt_number=21, try_number=10), answer, now=NOW)
    assert (last.state, last.next_attempt_at) == ("dead", None)


def test_ten_tries_by_the_schedule_then_dead_then_a_replay(store: OperationsStore) -> None:
    store.sync_endpoints([endpoint()], now=NOW)
    store.enqueue([message()], now=NOW)
    id_ = message().message_id
    transport = FakeTransport(*[Answer(status_code=500, body=b"no\0\xff")] * 10)
    at = NOW
    expected = []
    for number in range(1, 11):
        delay = retry_delay(id_, number)
        assert delay is not None
        assert RETRY_DELAYS[number - 1] <= delay <= RETRY_DELAYS[number - 1] * 11 / 10
        if number > 1:
            just_before = at + delay - timedelta(microseconds=1)
            assert run(store, transport, just_before) == DeliverySummary()
        at += delay
        expected.append(at)
        summary = run(store, transport, at)
        assert (summary.retried_count, summary.dead_count) == ((1, 0) if number < 10 else (0, 1))
    assert [attempt.started_at for attempt in store.attempts(id_)] == expected
    assert {attempt.answer for attempt in store.attempts(id_)} == {"no\ufffd\ufffd"}
    assert run(store, transport, at + timedelta(days=30)) == DeliverySummary()

    assert store.replay(now=at, dead_only=True) == 1
    assert run(store, transport, at).delivered_count == 1
    assert set(transport.message_ids) == {id_}
    assert len(store.attempts(id_)) == 11


def test_each_attempt_is_signed_anew_over_the_same_body(store: OperationsStore) -> None:
    store.sync_endpoints([endpoint()], now=NOW)
    store.enqueue([message()], now=NOW)
    transport = FakeTransport(Answer(status_code=500))
    run(store, transport)
    run(store, transport, NOW + timedelta(minutes=1))
    (_, first, first_body), (_, second, second_body) = transport.sent
    assert first_body == second_body
    assert first["webhook-id"] == second["webhook-id"]
    assert int(second["webhook-timestamp"]) - int(first["webhook-timestamp"]) == 60
    assert first["webhook-signature"] != second["webhook-signature"]


def test_410_ends_the_delivery_and_disables_the_endpoint(store: OperationsStore) -> None:
    store.sync_endpoints([endpoint("crm"), endpoint("erp")], now=NOW)
    store.enqueue([message("a"), message("b")], now=NOW)
    transport = FakeTransport(Answer(status_code=410))
    summary = run(store, transport)
    # the other endpoint is told, here in the same run
    assert summary == DeliverySummary(attempts_count=4, delivered_count=3, dead_count=1, disabled_endpoint_ids=("crm",))
    assert transport.message_ids.count("endpoint.disabled_crm_1") == 1
    crm, erp = store.summary()
    assert (crm.is_enabled, crm.disabled_reason, crm.dead_count, crm.pending_count) == (
        False,
        "gone",
        1,
        1,
    )
    assert (erp.is_enabled, erp.delivered_count) == (True, 3)


@pytest.mark.parametrize("status_code", [429, 503])
def test_retry_after_holds_back_the_whole_endpoint(store: OperationsStore, status_code: int) -> None:
    store.sync_endpoints([endpoint("crm"), endpoint("erp")], now=NOW)
    store.enqueue([message("a"), message("b")], now=NOW)
    transport = FakeTransport(Answer(status_code=status_code, retry_after="3600"))
    summary = run(store, transport)
    assert summary == DeliverySummary(attempts_count=3, delivered_count=2, retried_count=1)
    assert run(store, transport, NOW + timedelta(minutes=59)) == DeliverySummary()
    assert run(store, transport, NOW + timedelta(hours=1)).delivered_count == 2


def test_a_short_retry_after_does_not_shorten_the_schedule(store: OperationsStore) -> None:
    store.sync_endpoints([endpoint()], now=NOW)
    store.enqueue([message()], now=NOW)
    transport = FakeTransport(Answer(status_code=429, retry_after="1"))
    run(store, transport)
    delay = retry_delay(message().message_id, 2)
    assert delay is not None
    assert store.deliveries()[0].next_attempt_at == NOW + delay


def test_an_endpoint_that_fails_for_five_days_is_disabled_and_the_others_are_told(
    store: OperationsStore,
) -> None:
    store.sync_endpoints([endpoint("crm", types=("invoice.finalized",)), endpoint("log")], now=NOW)

    class ByHost(FakeTransport):
        def post(self, url: CheckedUrl, *, headers: Mapping[str, str], body: bytes) -> Answer:
            super().post(url, headers=headers, body=body)
            return Answer(status_code=200 if url.host == "log.example" else 500)

    transport = ByHost()
    five_days = NOW + timedelta(days=5)
    for at in (NOW, five_days - timedelta(seconds=1), five_days):
        store.enqueue([message(f"at{at:%d%H%M%S}")], now=at)
        summary = run(store, transport, at)
        assert summary.disabled_endpoint_ids == (("crm",) if at == five_days else ())
    crm, _ = store.summary()
    assert (crm.is_enabled, crm.disabled_reason) == (False, "failing")
    run(store, transport, five_days)
    assert transport.message_ids.count("endpoint.disabled_crm_1") == 1


# order, limits and bad days


def test_a_silent_endpoint_does_not_hold_up_the_others(store: OperationsStore) -> None:
    store.sync_endpoints([endpoint("dead"), endpoint("live")], now=NOW)
    store.enqueue([message(f"inv{n}") for n in range(9)], now=NOW)
    transport = FakeTransport(*[Answer(error="ConnectTimeout")] * 3)
    summary = run(store, transport)
    assert summary == DeliverySummary(attempts_count=12, delivered_count=9, retried_count=3)
    assert [url.host for url, _, _ in transport.sent] == ["dead.example"] * 3 + ["live.example"] * 9
    # once it has failed it comes last
    store.enqueue([message("new")], now=NOW)
    transport.sent.clear()
    run(store, transport)
    assert transport.sent[0][0].host == "live.example"


def test_a_limit_leaves_the_rest_to_the_next_run(store: OperationsStore) -> None:
    store.sync_endpoints([endpoint()], now=NOW)
    store.enqueue([message(f"inv{n}") for n in range(5)], now=NOW)
    transport = FakeTransport()
    counts = [run(store, transport, limit=2).delivered_count for _ in range(4)]
    assert counts == [2, 2, 1, 0]


def test_a_worker_that_stops_with_an_error_leaves_its_claim_to_the_next(
    store: OperationsStore,
) -> None:
    class Broken(FakeTransport):
        def post(self, url: CheckedUrl, *, headers: Mapping[str, str], body: bytes) -> Answer:
            super().post(url, headers=headers, body=body)
            raise KeyboardInterrupt

    store.sync_endpoints([endpoint()], now=NOW)
    store.enqueue([message("a", 1), message("a", 2)], now=NOW)
    broken, transport = Broken(), FakeTransport()
    with pytest.raises(KeyboardInterrupt):
        run(store, broken)
    assert run(store, transport, NOW + LEASE - timedelta(seconds=1)) == DeliverySummary()
    assert run(store, transport, NOW + LEASE).delivered_count == 2
    assert broken.message_ids + transport.message_ids == [
        "invoice.finalized_a_1",
        "invoice.finalized_a_1",
        "invoice.finalized_a_2",
    ]


def test_a_secret_that_can_not_sign_is_a_failed_attempt_and_stays_hidden(
    store: OperationsStore,
) -> None:
    store.sync_endpoints([endpoint(secrets=("whsec_hush",))], now=NOW)
    store.enqueue([message()], now=NOW)
    transport = FakeTransport()
    assert run(store, transport).retried_count == 1
    assert transport.sent == []
    error = store.attempts("invoice.finalized_a_1")[0].error
    assert error is not None
    assert "webhook secret must be" in error
    assert "hush" not in error


def test_the_clock_runs_on_from_now_by_itself(store: OperationsStore) -> None:
    store.sync_endpoints([endpoint()], now=NOW)
    store.enqueue([message("a"), message("b")], now=NOW)
    deliver(store, now=NOW, transport=FakeTransport(), gate=PUBLIC)
    (a,), (b,) = (store.attempts(f"invoice.finalized_{id_}_1") for id_ in "ab")
    assert NOW <= a.started_at < b.started_at
