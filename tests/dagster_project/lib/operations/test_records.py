from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from dagster_project.lib import operations
from dagster_project.lib.errors import BillingError
from dagster_project.lib.operations import Endpoint, Message, message_id

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def message(**changes: Any) -> Message:
    values: dict[str, Any] = {
        "type": "invoice.finalized",
        "organization_id": "acme",
        "object_id": "inv1",
        "sequence": 3,
        "occurred_at": NOW,
        "data": {},
    }
    return Message(**{**values, **changes})


def test_every_exported_name_exists_and_has_a_docstring() -> None:
    for name in operations.__all__:
        assert getattr(operations, name).__doc__


@pytest.mark.parametrize(
    ("object_id", "expected"),
    [
        ("inv_1", "invoice.finalized_inv_1_2"),
        ("a b", "invoice.finalized_a%20b_2"),
        ("é\r\nx-evil: 1", "invoice.finalized_%C3%A9%0D%0Ax-evil%3A%201_2"),
        # by sha256sum
        (
            "x" * 200,
            "invoice.finalized_aa20c23e3201834050679e1d88941b9a6fed0557c9a705cb2c315e2e63fd486d_2",
        ),
    ],
)
def test_message_id_is_stable_and_legal_in_a_header(object_id: str, expected: str) -> None:
    assert message_id("invoice.finalized", object_id, 2) == expected


def test_payload_is_canonical_json_with_the_version_of_the_object() -> None:
    told = message(
        occurred_at=datetime(2026, 3, 1, 14, 0, tzinfo=timezone(timedelta(hours=2))),
        data={"total_amount_cents": 1200, "name": "Žofie", "exact": "0.10"},
    )
    assert told.message_id == "invoice.finalized_inv1_3"
    assert told.payload() == (
        '{"data":{"exact":"0.10","name":"Žofie","total_amount_cents":1200,"version":3},'
        '"timestamp":"2026-03-01T12:00:00Z","type":"invoice.finalized"}'
    )


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ({"total": 0.1}, "0.1 is not an integer"),
        ({"total": 1e22}, "1e+22 is not an integer"),
        ({"total": float("nan")}, "not JSON compliant"),
        ({"at": NOW}, "not JSON serializable"),
        ({"name": "\ud800"}, "surrogates not allowed"),
        ({"lines": "x" * 20_000}, "must stay below 20000"),
    ],
)
def test_payload_refuses_what_a_receiver_could_not_trust(data: dict[str, Any], reason: str) -> None:
    with pytest.raises(BillingError) as caught:
        message(data=data).payload()
    assert reason in str(caught.value)
    assert "invoice.finalized_inv1_3" in str(caught.value)


@pytest.mark.parametrize(
    "changes",
    [
        {"type": "invoice"},
        {"type": "invoice.finalized\r\nx: y"},
        {"object_id": ""},
        {"sequence": 0},
        {"occurred_at": NOW.replace(tzinfo=None)},
    ],
)
def test_message_refuses_what_can_not_be_sent(changes: dict[str, Any]) -> None:
    with pytest.raises(BillingError):
        message(**changes)


@pytest.mark.parametrize(
    ("types", "endpoint_organization", "organization", "expected"),
    [
        ((), None, "acme", True),
        ((), None, None, True),
        (("invoice.finalized",), None, "acme", True),
        (("invoice.voided",), None, "acme", False),
        ((), "acme", "acme", True),
        ((), "acme", "other", False),
        ((), "acme", None, False),
    ],
)
def test_endpoint_listens_to_its_types_and_its_organization(
    types: tuple[str, ...],
    endpoint_organization: str | None,
    organization: str | None,
    expected: bool,
) -> None:
    endpoint = Endpoint(
        endpoint_id="crm",
        url="https://crm.example/",
        secrets=("whsec_x",),
        types=types,
        organization_id=endpoint_organization,
    )
    assert endpoint.listens_to("invoice.finalized", organization_id=organization) is expected


def test_secrets_are_not_shown() -> None:
    endpoint = Endpoint(endpoint_id="crm", url="https://crm.example/", secrets=("whsec_abc",))
    assert "whsec_abc" not in repr(endpoint)
