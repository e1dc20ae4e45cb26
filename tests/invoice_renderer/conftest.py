"""Invoices to render, as the plain data that `load_invoice` takes."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

Data = dict[str, Any]

SELLER: Data = {
    "name": "Northwind Compute",
    "legal_name": "Northwind Compute GmbH",
    "address_lines": ["Köpenicker Straße 154"],
    "zipcode": "10997",
    "city": "Berlin",
    "country_code": "DE",
    "email": "billing@northwind.example",
    "tax_identification_number": "DE 811 569 869",
}
CUSTOMER: Data = {
    "name": "Société Générale d’Électricité",
    "legal_name": "Société Générale d’Électricité S.A.",
    "address_lines": ["12, rue de l’Église", "Bâtiment C"],
    "zipcode": "75011",
    "city": "Paris",
    "country_code": "FR",
    "email": "comptabilite@sge.example",
    "tax_identification_number": "FR 40 303 265 045",
}


def line_of(**given: Any) -> Data:
    """A charge of ten units at one euro fifty, and what the test says otherwise."""
    line = {
        "fee_type": "charge",
        "code": "storage",
        "name": "Object storage",
        "units": "10",
        "events_count": 10,
        "unit_amount": "1.5",
        "amount_cents": 1500,
        "tax_rate": "20",
        "from_date": "2026-10-01",
        "to_date": "2026-10-31",
        "subscription_id": "sub_eu",
        "subscription_name": "Scale plan, production",
        **given,
    }
    line.setdefault("precise_amount_cents", str(line["amount_cents"]))
    return line


def invoice_of(lines: list[Data], *, deductions: Data | None = None, **given: Any) -> Data:
    """An invoice whose totals follow from its lines, tax lines and deductions."""
    taken = {
        "progressive_billing_credit_amount_cents": 0,
        "coupons_amount_cents": 0,
        "credit_notes_amount_cents": 0,
        "prepaid_credit_amount_cents": 0,
        **(deductions or {}),
    }
    tax_lines = given.pop("tax_lines", [])
    fees = sum(line["amount_cents"] for line in lines)
    excluding = fees - taken["progressive_billing_credit_amount_cents"]
    excluding -= taken["coupons_amount_cents"]
    taxes = sum(tax["amount_cents"] for tax in tax_lines)
    including = excluding + taxes
    due = including - taken["credit_notes_amount_cents"] - taken["prepaid_credit_amount_cents"]
    return {
        "number": "NOR-2026-0042",
        "invoice_type": "subscription",
        "status": "finalized",
        "issuing_date": "2026-11-01",
        "payment_due_date": "2026-12-01",
        "currency": "EUR",
        "currency_exponent": 2,
        "seller": SELLER,
        "customer": CUSTOMER,
        "lines": lines,
        "tax_lines": tax_lines,
        "totals": {
            **taken,
            "fees_amount_cents": fees,
            "sub_total_excluding_taxes_amount_cents": excluding,
            "taxes_amount_cents": taxes,
            "sub_total_including_taxes_amount_cents": including,
            "total_amount_cents": due,
        },
        "net_payment_term": 30,
        "period": {"from_date": "2026-10-01", "to_date": "2026-10-31"},
        **given,
    }


def typical_invoice() -> Data:
    """Two subscriptions, graduated tiers, filters, groups, two tax rates and every deduction."""
    tiers = [
        ("0", "10000000", "10000000", "0.000003", "0", "30"),
        ("10000001", "50000000", "40000000", "0.0000025", "5", "105"),
        ("50000001", None, "1234567", "0.000002", "0", "2.469134"),
    ]
    names = ("from_value", "to_value", "units", "per_unit_amount", "flat_amount", "amount")
    lines = [
        line_of(
            fee_type="subscription",
            code="scale",
            name="Scale plan",
            units="1",
            events_count=None,
            unit_amount="499",
            amount_cents=49900,
            from_date="2026-11-01",
            to_date="2026-11-30",
        ),
        line_of(
            code="api_calls",
            name="API calls",
            units="51234567",
            events_count=51234567,
            unit_amount=None,
            amount_cents=13747,
            precise_amount_cents="13746.9134",
            tiers=[dict(zip(names, tier, strict=True)) for tier in tiers],
        ),
        line_of(
            code="storage",
            name="Object storage (GB-months)",
            filter={"region": ["eu-west-1", "eu-central-1"], "class": ["standard"]},
            units="12840.25",
            events_count=744,
            unit_amount="0.021",
            amount_cents=26965,
            precise_amount_cents="26964.525",
        ),
        line_of(
            code="storage",
            name="Object storage (GB-months)",
            filter={"region": ["us-east-1"], "class": ["infrequent access"]},
            units="90210",
            events_count=744,
            unit_amount="0.0125",
            amount_cents=112763,
            precise_amount_cents="112762.5",
        ),
        line_of(
            code="storage",
            name="Object storage (GB-months)",
            units="318.5",
            events_count=12,
            unit_amount="0.03",
            amount_cents=956,
            precise_amount_cents="955.5",
        ),
        line_of(
            code="egress",
            name="Data transfer out (GB)",
            group={"cloud": "aws", "zone": "a"},
            units="8200",
            events_count=91,
            unit_amount="0.085",
            amount_cents=69700,
        ),
        line_of(
            code="egress",
            name="Data transfer out (GB)",
            group={"cloud": "gcp", "zone": None},
            units="410",
            events_count=7,
            unit_amount="0.12",
            amount_cents=4920,
        ),
        line_of(
            code="seats",
            name="Support seats",
            units="14",
            events_count=None,
            unit_amount="29",
            amount_cents=40600,
            subscription_id="sub_support",
            subscription_name="Premium support",
        ),
        line_of(
            code="handbook",
            name="Printed operations handbook",
            units="3",
            events_count=None,
            unit_amount="45",
            amount_cents=13500,
            tax_rate="5.5",
            subscription_id="sub_support",
            subscription_name="Premium support",
        ),
        line_of(
            fee_type="true_up",
            code="support",
            name="Premium support",
            units="1",
            events_count=None,
            unit_amount="59",
            amount_cents=5900,
            subscription_id="sub_support",
            subscription_name="Premium support",
        ),
    ]
    return invoice_of(
        lines,
        deductions={
            "progressive_billing_credit_amount_cents": 50000,
            "coupons_amount_cents": 20000,
            "credit_notes_amount_cents": 12000,
            "prepaid_credit_amount_cents": 30000,
        },
        tax_lines=[
            {
                "code": "tva_20",
                "name": "TVA",
                "rate": "20",
                "base_amount_cents": 256217,
                "amount_cents": 51243,
            },
            {
                "code": "tva_5_5",
                "name": "TVA, livres",
                "rate": "5.5",
                "base_amount_cents": 12734,
                "amount_cents": 700,
            },
        ],
        purchase_order_number="4500-118-27",
        notes=["Thank you for building on Northwind. Questions about usage: usage@northwind.example"],
    )


def long_invoice(count: int = 400) -> Data:
    """A line for each project of four subscriptions."""
    lines = [
        line_of(
            code=f"charge_{position % 40 // 8}",
            name=("Compute", "Object storage", "Data transfer", "Queries", "Builds")[position % 40 // 8],
            group={"project": f"project-{position:04d}", "zone": "abc"[position % 3]},
            units=str(1000 + position),
            unit_amount="0.000003",
            amount_cents=position,
            precise_amount_cents=str(Decimal(1000 + position) * Decimal("0.0003")),
            subscription_id=f"sub_{position * 4 // count}",
            subscription_name=f"Workspace {position * 4 // count + 1}",
        )
        for position in range(count)
    ]
    return invoice_of(lines, number="NOR-2026-0043")


def arabic_to_chinese_invoice() -> Data:
    """An Arabic seller, a Chinese customer, and yen, which have no minor unit."""
    seller = {
        "name": "شركة النور للحوسبة السحابية",
        "address_lines": ["شارع الشيخ زايد، برج المستقبل، الطابق 14"],
        "zipcode": "12345",
        "city": "دبي",
        "country_code": "AE",
        "email": "billing@alnoor.example",
        "tax_identification_number": "100-2345-6789-0003",
    }
    customer = {
        "name": "上海云计算科技有限公司",
        "address_lines": ["浦东新区世纪大道100号", "环球金融中心 28 楼"],
        "zipcode": "200120",
        "city": "上海市",
        "country_code": "CN",
        "tax_identification_number": "91310000MA1FL0000X",
    }
    lines = [
        line_of(
            name="消息推送 (messages)",
            code="messages",
            units="123456",
            events_count=123456,
            unit_amount="0.05",
            amount_cents=6173,
            precise_amount_cents="6172.8",
            tax_rate="0",
            group={"地区": "华东", "المنطقة": "دبي"},
            subscription_name="企业版 · الباقة الذهبية",
        ),
        line_of(
            name="サーバー利用料",
            code="servers",
            units="30",
            events_count=30,
            unit_amount="41151.3",
            amount_cents=1234539,
            tax_rate="0",
            group={"담당": "김철수"},
            subscription_name="企业版 · الباقة الذهبية",
        ),
    ]
    return invoice_of(
        lines,
        number="NUR-0007",
        currency="JPY",
        currency_exponent=0,
        seller=seller,
        customer=customer,
        notes=[
            "شكرا لتعاملكم معنا.",
            "感谢您的信任。Grüße aus Düsseldorf, Łódź, Þingeyri, İstanbul.",
        ],
    )


def dinar_invoice() -> Data:
    """Kuwaiti dinars: three decimals."""
    lines = [
        line_of(
            units="2500.125",
            unit_amount="0.4935",
            amount_cents=1233812,
            precise_amount_cents="1233811.6875",
            tax_rate="0",
        ),
        line_of(
            fee_type="add_on",
            code="setup",
            name="Set-up",
            units="1",
            events_count=None,
            unit_amount="1.234",
            amount_cents=1234,
            tax_rate="0",
            subscription_id=None,
            subscription_name=None,
        ),
    ]
    return invoice_of(
        lines,
        number="KWT-0001",
        currency="KWD",
        currency_exponent=3,
        status="draft",
        net_payment_term=0,
        payment_due_date="2026-11-01",
    )


@pytest.fixture
def typical() -> Data:
    """The invoice that shows every part of the page."""
    return typical_invoice()


@pytest.fixture
def long() -> Data:
    """Four hundred lines."""
    return long_invoice()


@pytest.fixture
def make_invoice() -> Callable[..., Data]:
    """Invoices around given lines."""
    return invoice_of


@pytest.fixture
def make_line() -> Callable[..., Data]:
    """Lines around given fields."""
    return line_of


@pytest.fixture
def arabic_to_chinese() -> Data:
    """Four scripts on one page, in yen."""
    return arabic_to_chinese_invoice()


@pytest.fixture
def dinar() -> Data:
    """A draft in Kuwaiti dinars."""
    return dinar_invoice()
