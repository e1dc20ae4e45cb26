from pathlib import Path

import pytest

from dagster_project.lib.errors import InputError
from dagster_project.lib.operations import Endpoint
from dagster_project.lib.webhooks import load_endpoints

SECRET = "whsec_" + "A" * 32
OTHER = "whsec_" + "B" * 32


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "endpoints.yaml"


def test_endpoints_are_read(path: Path) -> None:
    path.write_text(
        f"""
- id: crm
  url: https://crm.example/hook
  secrets: [{SECRET}, {OTHER}]
  types: [invoice.finalized, endpoint.disabled]
  organization_id: acme
- id: erp
  url: https://erp.example/
  secret_env: ERP_SECRET
"""
    )
    assert load_endpoints(path, environ={"ERP_SECRET": OTHER}) == [
        Endpoint(
            endpoint_id="crm",
            url="https://crm.example/hook",
            secrets=(SECRET, OTHER),
            types=("invoice.finalized", "endpoint.disabled"),
            organization_id="acme",
        ),
        Endpoint(endpoint_id="erp", url="https://erp.example/", secrets=(OTHER,)),
    ]


def test_an_empty_file_lists_nobody(path: Path) -> None:
    path.write_text("# nobody yet\n")
    assert load_endpoints(path) == []


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("id: crm", "the list: Input should be a valid list"),
        ("- crm", "entry 1: Input should be"),
        ("- id: crm\n  url: https://x.example/", "entry 1: give either secrets or secret_env"),
        (
            f"- id: crm\n  url: https://x.example/\n  secrets: [{SECRET}]\n  secret_env: X",
            "entry 1: give either secrets or secret_env",
        ),
        (
            "- id: crm\n  url: https://x.example/\n  secret_env: NOT_THERE",
            "entry 1: the environment variable NOT_THERE is not set",
        ),
        (
            "- id: crm\n  url: https://x.example/\n  secrets: [whsec_short]",
            "entry 1: A webhook secret must be",
        ),
        (f"- id: crm\n  secrets: [{SECRET}]", "entry 1, url: Field required"),
        (
            f"- id: crm\n  url: ftp://x.example/\n  secrets: [{SECRET}]",
            "entry 1, url: A webhook URL must begin with https://, not 'ftp'",
        ),
        (
            f"- id: crm\n  url: https://me:pw@x.example/\n  secrets: [{SECRET}]",
            "entry 1, url: A webhook URL must not hold a user name or a password",
        ),
        (
            f"- id: a b\n  url: https://x.example/\n  secrets: [{SECRET}]",
            "entry 1, id: String should match",
        ),
        (
            f"- id: crm\n  url: https://x.example/\n  secrets: [{SECRET}]\n  type: [a.b]",
            "entry 1, type: Extra inputs are not permitted",
        ),
        (
            f"- id: crm\n  url: https://x.example/\n  secrets: [{SECRET}]\n  types: [invoices]",
            "entry 1, types, 0: String should match",
        ),
        (
            f"- id: crm\n  url: https://x.example/\n  secrets: [{SECRET}]\n" * 2,
            "the list: the id crm is listed twice",
        ),
    ],
)
def test_what_is_wrong_is_said_by_place(path: Path, text: str, problem: str) -> None:
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        load_endpoints(path, environ={})
    assert problem in str(caught.value)
    assert str(path) in str(caught.value)


def test_all_problems_are_told_at_once_and_no_secret_is(path: Path) -> None:
    path.write_text("- id: crm\n  secrets: [whsec_hush]\n- id: erp\n  url: 5\n")
    with pytest.raises(InputError) as caught:
        load_endpoints(path)
    assert "entry 1, url" in str(caught.value)
    assert "entry 2, url" in str(caught.value)
    assert "hush" not in str(caught.value)


def test_broken_yaml_is_located_without_showing_it(path: Path) -> None:
    path.write_text("- id: crm\n  secrets: [whsec_hush\n- id: erp\n")
    with pytest.raises(InputError, match=r"is not valid YAML: .* in line 3") as caught:
        load_endpoints(path)
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_an_unreadable_file_is_named(path: Path, content: bytes | None) -> None:
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=r"endpoints\.yaml can not be read"):
        load_endpoints(path)
