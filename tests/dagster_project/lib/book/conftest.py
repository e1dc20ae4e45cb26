import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

CASE: dict[str, Any] = {
    "case": "two_regions",
    "about": "usage is priced by region",
    "source": "made up",
    "features": ["graduated", "sum_agg"],
    "as_of": "2024-04-01T06:00:00Z",
    "given": {
        "organization": {"timezone": "Europe/Paris", "default_currency": "EUR", "country": "FR"},
        "taxes": [{"code": "vat20", "name": "VAT", "rate": "20.0"}],
        "billable_metrics": [
            {
                "code": "api",
                "aggregation_type": "sum_agg",
                "field_name": "n",
                "filters": [
                    {"key": "region", "values": ["eu", "us", "asia"]},
                    {"key": "cloud", "values": ["aws", "gcp"]},
                ],
            },
            {"code": "last", "aggregation_type": "latest_agg", "field_name": "n"},
        ],
        "add_ons": [{"code": "seat", "amount_cents": 500, "amount_currency": "EUR"}],
        "coupons": [
            {
                "code": "c",
                "coupon_type": "percentage",
                "percentage_rate": "10",
                "frequency": "forever",
                "applies_to": {"plan_codes": ["p"]},
            }
        ],
        "plans": [
            {
                "code": "p",
                "name": "Plan",
                "interval": "monthly",
                "amount_cents": 3500,
                "amount_currency": "EUR",
                "tax_codes": ["vat20"],
                "minimum_commitment": {"amount_cents": 10000, "tax_codes": ["vat20"]},
                "usage_thresholds": [{"amount_cents": 5000}],
                "charges": [
                    {
                        "code": "api_charge",
                        "billable_metric_code": "api",
                        "charge_model": "graduated",
                        "properties": {
                            "graduated_ranges": [
                                {
                                    "from_value": 0,
                                    "to_value": 10,
                                    "per_unit_amount": "2",
                                    "flat_amount": "0",
                                },
                                {
                                    "from_value": 11,
                                    "to_value": None,
                                    "per_unit_amount": "1.50",
                                    "flat_amount": "3",
                                },
                            ],
                            "pricing_group_keys": ["cloud"],
                        },
                        "filters": [
                            {
                                "invoice_display_name": "EU",
                                "values": {"region": ["eu", "us"]},
                                "properties": {
                                    "graduated_ranges": [
                                        {"from_value": 0, "per_unit_amount": "0.1"},
                                    ]
                                },
                            }
                        ],
                    },
                    {
                        "code": "fees",
                        "billable_metric_code": "api",
                        "charge_model": "percentage",
                        "properties": {"rate": "2.5", "free_units_per_total_aggregation": "250.0"},
                    },
                ],
                "fixed_charges": [
                    {
                        "code": "seats",
                        "add_on_code": "seat",
                        "charge_model": "standard",
                        "units": "10",
                        "properties": {"amount": "5"},
                    }
                ],
            }
        ],
        "customers": [{"external_id": "cust", "name": "Cust", "currency": "EUR", "tax_codes": ["vat20"]}],
        "subscriptions": [
            {
                "external_id": "sub",
                "external_customer_id": "cust",
                "plan_code": "p",
                "created_at": "2024-03-01T00:00:00Z",
            }
        ],
        "applied_coupons": [
            {
                "external_customer_id": "cust",
                "coupon_code": "c",
                "created_at": "2024-03-02T00:00:00Z",
            }
        ],
        "wallets": [
            {
                "code": "w",
                "external_customer_id": "cust",
                "currency": "EUR",
                "created_at": "2024-03-01T00:00:00Z",
                "applies_to": {"fee_types": ["charge"], "billable_metric_codes": ["api"]},
            }
        ],
        "wallet_transactions": [
            {
                "wallet_code": "w",
                "kind": "granted",
                "credits": "100",
                "created_at": "2024-03-01T00:00:00Z",
            }
        ],
        "invoices_one_off": [
            {
                "external_customer_id": "cust",
                "created_at": "2024-03-05T10:00:00Z",
                "currency": "EUR",
                "fees": [{"add_on_code": "seat", "units": "2", "tax_codes": ["vat20"]}],
            }
        ],
        "credit_notes": [
            {
                "code": "cn",
                "invoice": {"subscription": "sub", "issuing_date": "2024-04-01"},
                "created_at": "2024-04-01T05:00:00Z",
                "items": [{"fee": "api_charge", "amount_cents": 100}],
                "credit_amount_cents": 120,
            }
        ],
        "payments": [
            {
                "invoice": {"subscription": "sub", "issuing_date": "2024-04-01"},
                "amount_cents": 100,
                "created_at": "2024-04-01T05:30:00Z",
            }
        ],
        "events": [
            {
                "transaction_id": "t1",
                "external_subscription_id": "sub",
                "code": "api",
                "timestamp": "2024-03-05T12:00:00Z",
                "properties": {"n": "10", "region": "eu"},
            }
        ],
    },
    "expect": {
        "invoices": [
            {
                "match": {"subscription": "sub", "issuing_date": "2024-04-01", "nth": 1},
                "invoice_type": "subscription",
                "fees": [
                    {"type": "charge", "code": "api_charge", "filter": None, "units": "10.0"},
                    {"type": "charge", "group": {"cloud": None}, "from": "2024-03-01"},
                ],
                "fees_exact": True,
                "total_amount_cents": -1,
            }
        ],
        "invoice_count": 1,
    },
}


@pytest.fixture
def case() -> dict[str, Any]:
    """A case with a row in nearly every table, to be changed at will."""
    return copy.deepcopy(CASE)


@pytest.fixture
def write(tmp_path: Path) -> Callable[[Any], Path]:
    """Writes a case as JSON, one key a line, and gives its path."""

    def write_case(case: Any) -> Path:
        path = tmp_path / "two_regions.json"
        path.write_text(json.dumps(case, indent=1), encoding="utf-8")
        return path

    return write_case
