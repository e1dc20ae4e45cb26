import os
import stat
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import IntegrityError

from dagster_project.lib.errors import BillingError, InputError
from dagster_project.lib.operations import (
    Claim,
    DeliveryState,
    Document,
    Endpoint,
    LandingTotal,
    Message,
    OperationsStore,
    Outcome,
    open_store,
)
from dagster_project.lib.warehouse import open_warehouse

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
LEASE = timedelta(minutes=5)
DELIVERED = Outcome(state=DeliveryState.DELIVERED, status_code=200)
DEAD = Outcome(state=DeliveryState.DEAD, status_code=500)


def endpoint(endpoint_id: str = "crm", **changes: Any) -> Endpoint:
    values = {"url": f"https://{endpoint_id}.example/hook", "secrets": ("whsec_x",)}
    return Endpoint(endpoint_id=endpoint_id, **{**values, **changes})


def message(object_id: str = "inv1", sequence: int = 1, **changes: Any) -> Message:
    values = {"type": "invoice.finalized", "organization_id": "acme", "data": {"id": object_id}}
    return Message(object_id=object_id, sequence=sequence, occurred_at=NOW, **{**values, **changes})


def claim(store: OperationsStore, endpoint_id: str = "crm", *, at: datetime = NOW) -> Claim | None:
    return store.claim(endpoint_id, due_by=at, now=at, lease=LEASE)


def settle_all(store: OperationsStore, outcome: Outcome, *, at: datetime = NOW) -> list[str]:
    """Claim and end everything that is due for `crm`; return the message ids in that order."""
    settled = []
    while (taken := claim(store, at=at)) is not None:
        store.record(taken, outcome, now=at)
        settled.append(taken.message_id)
    return settled


def states(store: OperationsStore, endpoint_id: str = "crm") -> dict[str, str]:
    return {row.message_id: row.state for row in store.deliveries(endpoint_id=endpoint_id)}


# opening


def test_the_store_keeps_what_it_holds_when_it_is_opened_again(
    store: OperationsStore, store_address: tuple[str, str]
) -> None:
    store.sync_endpoints([endpoint()], now=NOW)
    store.enqueue([message()], now=NOW)
    url, schema = store_address
    with open_store(url, schema=schema) as again:
        assert states(again) == {"invoice.finalized_inv1_1": "pending"}


def test_many_processes_may_open_a_store_that_is_not_there_yet(
    store_address: tuple[str, str],
) -> None:
    url, schema = store_address
    with ThreadPoolExecutor(4) as pool:
        stores = list(pool.map(lambda _: open_store(url, schema=schema), range(4)))
    for opened in stores:
        assert opened.summary() == []
        opened.close()


def test_a_sqlite_store_is_its_owners_only(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "operations.sqlite"
    with open_store(f"sqlite:///{path}"):
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600


@pytest.mark.parametrize("url", ["operations.sqlite", "sqlite:///relative.sqlite", "sqlite://", "mysql://host/x", ""])
def test_other_urls_are_refused(url: str) -> None:
    with pytest.raises(InputError, match="Expected"):
        open_store(url)


@pytest.mark.postgres
def test_warehouses_of_one_database_tell_for_themselves(postgres_url: str) -> None:
    """But one that an earlier version let record in the schema that all shared goes on there."""
    name = f"w{uuid.uuid4().hex[:12]}"
    old, new = (open_warehouse(f"{postgres_url}#{name}{kind}") for kind in ("_old", "_new"))
    kept = LandingTotal(batch_id=1, book_version="v", files_count=1, lines_count=1, landed_count=1)
    with open_store(postgres_url) as shared:
        shared.record_totals(f"{name}_old", landings=[kept], seals=[], now=NOW)
        shared.sync_endpoints([endpoint(name)], now=NOW)
        for warehouse, schema in ((old, "operations"), (new, f"{name}_new_operations")):
            with open_store(warehouse.operations_url, schema=warehouse.operations_schema) as own:
                assert own.landing_totals(warehouse.schema_prefix) == ([kept] if warehouse is old else [])
                assert any(row.endpoint_id == name for row in own.summary()) is (schema == "operations")
        shared.sync_endpoints([], now=NOW)
    assert open_warehouse(postgres_url).operations_schema == "operations"


def test_a_schema_must_be_a_plain_name() -> None:
    with pytest.raises(InputError, match="is no name for the schema"):
        open_store("postgresql://127.0.0.1/x", schema='x"; drop schema public; --')


def test_an_unreachable_database_is_named_without_its_password(tmp_path: Path) -> None:
    url = f"postgresql://app:hush@/app?host={tmp_path}"
    with pytest.raises(BillingError, match="could not be opened") as caught:
        open_store(url)
    assert "hush" not in str(caught.value)


# queueing


def test_enqueue_is_idempotent_by_message_id(store: OperationsStore) -> None:
    store.sync_endpoints([endpoint("crm"), endpoint("erp")], now=NOW)
    assert store.enqueue([message("a"), message("b"), message("a")], now=NOW) == 2
    later = NOW + timedelta(hours=1)
    assert store.enqueue([message("b", data={"id": "changed"}), message("c")], now=later) == 1
    assert len(store.deliveries()) == 6
    assert {row.next_attempt_at for row in store.deliveries(message_id=message("b").message_id)} == {NOW}
    first = claim(store, at=NOW)
    second = claim(store, at=NOW)
    assert first is not None
    assert second is not None
    assert '"id":"b"' in second.payload


def test_enqueue_takes_thousands_at_once(store: OperationsStore) -> None:
    store.sync_endpoints([endpoint()], now=NOW)
    assert store.enqueue((message(f"inv{n}") for n in range(1_203)), now=NOW) == 1_203
    assert store.summary()[0].pending_count == 1_203


def test_only_enabled_endpoints_that_listen_get_a_delivery(store: OperationsStore) -> None:
    store.sync_endpoints(
        [
            endpoint("all"),
            endpoint("acme", organization_id="acme"),
            endpoint("other", organization_id="other"),
            endpoint("voids", types=("invoice.voided",)),
            endpoint("was"),
        ],
        now=NOW,
    )
    store.sync_endpoints(
        [
            endpoint("all"),
            endpoint("acme", organization_id="acme"),
            endpoint("other", organization_id="other"),
            endpoint("voids", types=("invoice.voided",)),
        ],
        now=NOW,
    )
    store.enqueue([message()], now=NOW)
    assert [row.endpoint_id for row in store.deliveries()] == ["acme", "all"]


def test_an_id_that_stands_for_another_object_stops_the_whole_call(store: OperationsStore) -> None:
    store.sync_endpoints([endpoint()], now=NOW)
    store.enqueue([message("a")], now=NOW)
    with pytest.raises(BillingError, match="is already that of object a of organization acme"):
        store.enqueue([message("z"), message("a", organization_id="other")], now=NOW)
    assert [*states(store)] == ["invoice.finalized_a_1"]


def test_concurrent_enqueues_queue_each_message_once(store: OperationsStore) -> None:
    store.sync_endpoints([endpoint()], now=NOW)
    batch = [message(f"inv{n}") for n in range(40)]
    with ThreadPoolExecutor(4) as pool:
        counts = list(pool.map(lambda _: store.enqueue(batch, now=NOW), range(4)))
    assert sum(counts) == 40
    assert len(store.deliveries()) == 40


# claiming


def test_messages_of_an_object_go_one_by_one_in_the_order_of_their_sequence(
    store: OperationsStore,
) -> None:
    store.sync_endpoints([endpoint()], now=NOW)
    store.enqueue([message("a", 2), message("a", 10), message("a", 1), message("b", 1)], now=NOW)
    first, other = claim(store), claim(store)
    assert first is not None
    assert other is not None
    assert {first.message_id, other.message_id} == {
        "invoice.finalized_a_1",
        "invoice.finalized_b_1",
    }
    assert claim(store) is None
    for taken in (first, other):
        store.record(taken, DELIVERED, now=NOW)
    assert settle_all(store, DELIVERED) == ["invoice.finalized_a_2", "invoice.finalized_a_10"]


def test_a_retry_holds_back_later_messages_of_its_object_and_a_dead_one_does_not(
    store: OperationsStore,
) -> None:
    store.sync_endpoints([endpoint()], now=NOW)
    store.enqueue([message("a", 1), message("a", 2)], now=NOW)
    soon = NOW + timedelta(seconds=5)
    retry = Outcome(state=DeliveryState.PENDING, next_attempt_at=soon, status_code=500)
    assert settle_all(store, retry) == ["invoice.finalized_a_1"]
    assert settle_all(store, DEAD, at=soon) == ["invoice.finalized_a_1", "invoice.finalized_a_2"]


def test_endpoints_do_not_wait_for_each_other(store: OperationsStore) -> None:
    store.sync_endpoints([endpoint("crm"), endpoint("erp")], now=NOW)
    store.enqueue([message("a")], now=NOW)
    assert claim(store, "crm") is not None
    assert claim(store, "erp") is not None
    assert claim(store, "nobody") is None


def test_a_claim_falls_due_again_when_its_lease_ends(store: OperationsStore) -> None:
    store.sync_endpoints([endpoint()], now=NOW)
    store.enqueue([message("a")], now=NOW)
    crashed = claim(store)
    assert crashed is not None
    assert claim(store, at=NOW + LEASE - timedelta(microseconds=1)) is None
    again = claim(store, at=NOW + LEASE)
    assert again is not None
    assert (again.message_id, again.attempt_number) == (crashed.message_id, 2)
    first, second = store.attempts(again.message_id)
    assert (first.number, first.duration_ms, first.error) == (1, None, None)
    assert second.started_at == NOW + LEASE


def test_a_worker_that_lost_its_lease_does_not_overrule_the_next_one(
    store: OperationsStore,
) -> None:
    store.sync_endpoints([endpoint()], now=NOW)
    store.enqueue([message("a")], now=NOW)
    slow = claim(store)
    quick = claim(store, at=NOW + LEASE)
    assert slow is not None
    assert quick is not None
    failed = Outcome(state=DeliveryState.DEAD, status_code=410, disabled_reason="gone", error="late")
    assert store.record(slow, failed, now=NOW + LEASE) is False
    assert [*states(store).values()] == ["in_flight"]
    store.record(quick, DELIVERED, now=NOW + LEASE)
    assert store.record(slow, failed, now=NOW + LEASE) is False
    assert [*states(store).values()] == ["delivered"]
    assert store.summary()[0].is_enabled
    assert [row.status_code for row in store.attempts(slow.message_id)] == [410, 200]


def test_an_earlier_message_that_comes_late_waits_for_the_one_in_flight(
    store: OperationsStore,
) -> None:
    store.sync_endpoints([endpoint()], now=NOW)
    store.enqueue([message("a", 2)], now=NOW)
    assert claim(store) is not None
    store.enqueue([message("a", 1)], now=NOW)
    assert claim(store) is None
    # Its worker died: it is finished first, and does not wait for the earlier one in turn.
    assert settle_all(store, DELIVERED, at=NOW + LEASE) == [
        "invoice.finalized_a_2",
        "invoice.finalized_a_1",
    ]


def test_concurrent_claims_take_each_delivery_once_and_one_per_object(
    store: OperationsStore,
) -> None:
    store.sync_endpoints([endpoint()], now=NOW)
    store.enqueue([message(f"inv{n}", s) for n in range(8) for s in (1, 2, 3)], now=NOW)
    with ThreadPoolExecutor(4) as pool:
        taken = [t for t in pool.map(lambda _: claim(store), range(16)) if t is not None]
        in_flight = [row for row in store.deliveries() if row.state == "in_flight"]
    assert len({t.message_id for t in taken}) == len(taken) == len(in_flight)
    assert {row.object_id for row in in_flight} <= {f"inv{n}" for n in range(8)}
    assert {row.sequence for row in in_flight} == {1}


def test_the_database_itself_refuses_two_in_flight_for_one_object(
    store: OperationsStore, store_address: tuple[str, str]
) -> None:
    store.sync_endpoints([endpoint("crm"), endpoint("erp")], now=NOW)
    store.enqueue([message("a", 1), message("a", 2), message("b", 1)], now=NOW)
    url, schema = store_address
    table = "deliveries" if url.startswith("sqlite") else f"{schema}.deliveries"
    engine = create_engine(url.replace("postgresql:", "postgresql+psycopg2:"))
    with engine.begin() as connection:
        connection.execute(text(f"update {table} set state = 'in_flight' where sequence = 1"))
    with pytest.raises(IntegrityError), engine.begin() as connection:
        connection.execute(text(f"update {table} set state = 'in_flight' where sequence = 2"))
    engine.dispose()


def test_disabled_and_paused_endpoints_are_not_claimed_for(store: OperationsStore) -> None:
    store.sync_endpoints([endpoint("crm"), endpoint("erp")], now=NOW)
    store.enqueue([message("a"), message("b")], now=NOW)
    paused_until = NOW + timedelta(minutes=1)
    taken = claim(store)
    assert taken is not None
    store.record(
        taken,
        Outcome(state=DeliveryState.PENDING, next_attempt_at=paused_until, paused_until=paused_until),
        now=NOW,
    )
    assert claim(store) is None
    assert store.due_endpoints(now=NOW) == ["erp"]
    # the one that failed comes after the one that works
    assert store.due_endpoints(now=paused_until) == ["erp", "crm"]
    store.sync_endpoints([endpoint("crm")], now=NOW)
    assert claim(store, "erp") is None
    assert store.due_endpoints(now=paused_until) == ["crm"]


# endpoints


def test_disabling_tells_the_other_endpoints_of_the_same_tenant(store: OperationsStore) -> None:
    store.sync_endpoints(
        [
            endpoint("crm", organization_id="acme"),
            endpoint("acme", organization_id="acme"),
            endpoint("other", organization_id="other"),
            endpoint("house"),
        ],
        now=NOW,
    )
    store.enqueue([message("a"), message("b")], now=NOW)
    gone = Outcome(state=DeliveryState.DEAD, status_code=410, disabled_reason="gone")
    first, second = claim(store), claim(store)
    assert first is not None
    assert second is not None
    assert store.record(first, gone, now=NOW) is True
    assert store.record(second, gone, now=NOW) is False
    told = store.deliveries(message_id="endpoint.disabled_crm_1")
    assert [row.endpoint_id for row in told] == ["acme", "house"]
    payloads = []
    while (taken := claim(store, "house")) is not None:
        payloads.append(taken.payload)
    assert payloads[0] == (
        '{"data":{"endpoint_id":"crm","reason":"gone","version":1},'
        '"timestamp":"2026-03-01T12:00:00Z","type":"endpoint.disabled"}'
    )


def test_an_endpoint_that_was_disabled_stays_so_until_it_is_enabled_or_moves(
    store: OperationsStore,
) -> None:
    def disable(at: datetime) -> None:
        store.enqueue([message(f"at{at:%H}")], now=at)
        taken = claim(store, at=at)
        assert taken is not None
        store.record(taken, Outcome(state=DeliveryState.DEAD, disabled_reason="failing"), now=at)

    def is_enabled() -> bool:
        return store.summary()[0].is_enabled

    store.sync_endpoints([endpoint()], now=NOW)
    disable(NOW)
    store.sync_endpoints([endpoint()], now=NOW)
    assert not is_enabled()
    assert store.summary()[0].disabled_reason == "failing"
    assert store.summary()[0].first_failed_at == NOW

    store.enable_endpoint("crm", now=NOW)
    assert is_enabled()
    assert store.summary()[0].first_failed_at is None

    disable(NOW + timedelta(hours=1))
    store.sync_endpoints([endpoint(url="https://new.example/")], now=NOW)
    assert is_enabled()
    with pytest.raises(InputError, match="There is no webhook endpoint 'nobody'"):
        store.enable_endpoint("nobody", now=NOW)


def test_an_endpoint_taken_off_the_list_keeps_what_waits_and_goes_on_when_it_is_back(
    store: OperationsStore,
) -> None:
    store.sync_endpoints([endpoint()], now=NOW)
    store.enqueue([message("a")], now=NOW)
    store.sync_endpoints([], now=NOW)
    assert store.summary()[0].disabled_reason == "removed"
    assert claim(store) is None
    store.sync_endpoints([endpoint(secrets=("whsec_new", "whsec_old"))], now=NOW)
    taken = claim(store)
    assert taken is not None
    assert taken.endpoint.secrets == ("whsec_new", "whsec_old")


def test_an_id_listed_twice_is_refused(store: OperationsStore) -> None:
    with pytest.raises(InputError, match="'crm' is listed twice"):
        store.sync_endpoints([endpoint(), endpoint()], now=NOW)


def test_a_success_ends_a_row_of_failures(store: OperationsStore) -> None:
    store.sync_endpoints([endpoint()], now=NOW)
    for number, outcome in enumerate((DEAD, DEAD, DELIVERED, DEAD)):
        at = NOW + timedelta(hours=number)
        store.enqueue([message(f"inv{number}")], now=at)
        assert len(settle_all(store, outcome, at=at)) == 1
        expected = (NOW, NOW, None, NOW + timedelta(hours=3))[number]
        assert store.summary()[0].first_failed_at == expected


# looking back


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ({}, {"a", "b", "c"}),
        ({"message_id": "invoice.finalized_a_1"}, {"a"}),
        ({"type": "invoice.voided"}, {"b"}),
        ({"since": NOW + timedelta(hours=1)}, {"b", "c"}),
        ({"until": NOW + timedelta(hours=1)}, {"a"}),
        ({"since": NOW + timedelta(hours=1), "until": NOW + timedelta(hours=2)}, {"b"}),
        ({"endpoint_id": "crm", "type": "invoice.finalized"}, {"a", "c"}),
        ({"dead_only": True}, {"c"}),
        ({"type": "invoice.voided", "dead_only": True}, set()),
    ],
)
def test_replay_makes_what_it_is_asked_for_due_again(
    store: OperationsStore, conditions: dict[str, Any], expected: set[str]
) -> None:
    store.sync_endpoints([endpoint("crm")], now=NOW)
    for hour, (object_id, type_, outcome) in enumerate(
        [
            ("a", "invoice.finalized", DELIVERED),
            ("b", "invoice.voided", DELIVERED),
            ("c", "invoice.finalized", DEAD),
        ]
    ):
        at = NOW + timedelta(hours=hour)
        store.enqueue([message(object_id, type=type_)], now=at)
        settle_all(store, outcome, at=at)
    later = NOW + timedelta(days=9)
    assert store.replay(now=later, **conditions) == len(expected)
    due = [row for row in store.deliveries() if row.next_attempt_at is not None]
    assert {row.object_id for row in due} == expected
    assert all(row.next_attempt_at == later and row.finished_at is None for row in due)


def test_replay_starts_the_schedule_anew_and_goes_on_counting_attempts(
    store: OperationsStore,
) -> None:
    store.sync_endpoints([endpoint()], now=NOW)
    store.enqueue([message("a")], now=NOW)
    settle_all(store, DEAD)
    assert store.replay(now=NOW, dead_only=True) == 1
    again = claim(store)
    assert again is not None
    assert (again.message_id, again.attempt_number, again.try_number) == (
        "invoice.finalized_a_1",
        2,
        1,
    )
    # in flight: its worker will say what becomes of it
    assert store.replay(now=NOW) == 0


def test_an_endpoint_added_later_gets_old_messages_by_a_replay_that_names_it(
    store: OperationsStore,
) -> None:
    store.sync_endpoints([endpoint("crm")], now=NOW)
    store.enqueue([message("a"), message("b", type="invoice.voided")], now=NOW)
    store.sync_endpoints([endpoint("crm"), endpoint("erp", types=("invoice.finalized",))], now=NOW)
    settle_all(store, DELIVERED)
    assert store.replay(now=NOW) == 2
    assert states(store, "erp") == {}
    assert store.replay(now=NOW, endpoint_id="erp") == 1
    assert states(store, "erp") == {"invoice.finalized_a_1": "pending"}
    assert store.replay(now=NOW, endpoint_id="erp") == 1
    with pytest.raises(InputError, match="There is no webhook endpoint 'nobody'"):
        store.replay(now=NOW, endpoint_id="nobody", dead_only=True)


def test_summary_counts_by_endpoint_and_state(store: OperationsStore) -> None:
    store.sync_endpoints([endpoint("crm"), endpoint("quiet", types=("x.y",))], now=NOW)
    store.enqueue([message("a")], now=NOW - timedelta(days=2))
    settle_all(store, DELIVERED)
    store.enqueue([message("b")], now=NOW - timedelta(days=1))
    settle_all(store, DEAD)
    store.enqueue([message("c"), message("d"), message("e")], now=NOW)
    claim(store)
    crm, quiet = store.summary()
    assert (crm.endpoint_id, quiet.endpoint_id) == ("crm", "quiet")
    assert (crm.pending_count, crm.in_flight_count, crm.delivered_count, crm.dead_count) == (
        2,
        1,
        1,
        1,
    )
    assert (crm.oldest_unsent_at, quiet.oldest_unsent_at) == (NOW, None)
    assert quiet.pending_count == quiet.delivered_count == 0


# documents


def document(**changes: Any) -> Document:
    values = {
        "invoice_id": "inv1",
        "organization_id": "acme",
        "number": "ACME-001",
        "format": "pdf",
        "path": "out/ACME-001.pdf",
        "sha256": "ab" * 32,
        "bytes": 12_345,
        "recorded_at": NOW,
    }
    return Document(**{**values, **changes})


def test_documents_are_recorded_once(store: OperationsStore) -> None:
    xml = document(format="xml", path="out/ACME-001.xml", sha256="cd" * 32)
    assert store.record_documents([document(), xml]) == 2
    later = NOW + timedelta(days=1)
    assert store.record_documents([document(recorded_at=later, path="elsewhere.pdf")]) == 0
    assert store.documents() == [document(), xml]
    assert store.documents(invoice_id="inv1", number="ACME-001", organization_id="acme") == [
        document(),
        xml,
    ]
    assert store.documents(organization_id="other") == []


def test_another_hash_for_a_recorded_document_is_refused_and_nothing_is_written(
    store: OperationsStore,
) -> None:
    store.record_documents([document()])
    with pytest.raises(BillingError, match="a finalised document never changes") as caught:
        store.record_documents([document(invoice_id="inv2"), document(sha256="ef" * 32)])
    assert "ACME-001" in str(caught.value)
    assert store.documents() == [document()]
