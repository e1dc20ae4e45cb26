"""The same book gives the same records in every format it can be written in."""

import csv
import gzip
import io
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from dagster_project.lib.book import BookError, read_book, read_case

CATALOG = ("taxes", "billable_metrics", "add_ons", "coupons", "plans")
ACCOUNTS = (
    "customers",
    "subscriptions",
    "applied_coupons",
    "wallets",
    "wallet_transactions",
    "invoices_one_off",
    "credit_notes",
    "payments",
)


def as_yaml(rows):
    return yaml.safe_dump(rows, allow_unicode=True).encode()


def as_unquoted_yaml(rows):
    """Numbers without quotes, as people write them: `rate: 20.0`."""
    return yaml.safe_dump(rows).replace("'20.0'", "20.0").replace("'250.0'", "250.0").encode()


def as_json(rows):
    return json.dumps(rows).encode()


def as_jsonl(rows):
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def as_csv(rows):
    columns = sorted({key for row in rows for key in row})
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(columns)
    for row in rows:
        cells = [row.get(column) for column in columns]
        writer.writerow("" if c is None else c if isinstance(c, str) else json.dumps(c) for c in cells)
    return text.getvalue().encode()


def as_parquet(rows):
    columns = sorted({key for row in rows for key in row})
    table = pa.table(
        {
            column: [json.dumps(row[column]) if isinstance(row.get(column), dict) else row.get(column) for row in rows]
            for column in columns
        }
    )
    content = io.BytesIO()
    pq.write_table(table, content)
    return content.getvalue()


def zipped(writer):
    return lambda rows: gzip.compress(writer(rows))


CATALOG_FORMATS = {"yaml": as_yaml, "yml": as_unquoted_yaml, "json": as_json}
ACCOUNT_FORMATS = {
    "yaml": as_yaml,
    "jsonl": as_jsonl,
    "jsonl.gz": zipped(as_jsonl),
    "csv": as_csv,
    "csv.gz": zipped(as_csv),
    "parquet": as_parquet,
}


@pytest.fixture
def folder(case, tmp_path):
    """Writes the case's given part as a folder with these formats."""

    def write_folder(catalog="yaml", accounts="yaml"):
        root = tmp_path / "two_regions"
        given = case["given"]
        for name, tables, suffix, formats in (
            ("catalog", CATALOG, catalog, CATALOG_FORMATS),
            ("accounts", ACCOUNTS, accounts, ACCOUNT_FORMATS),
        ):
            (root / name).mkdir(parents=True)
            for table in tables:
                path = root / name / f"{table}.{suffix}"
                path.write_bytes(formats[suffix](given[table]))
        (root / "book.yaml").write_bytes(as_yaml(given["organization"]))
        return root

    return write_folder


def content(book):
    return sorted((r.table, str(r.key), r.record_hash) for r in book.records)


@pytest.mark.parametrize("catalog", CATALOG_FORMATS)
def test_the_catalogue_is_the_same_in_every_format(case, write, folder, catalog):
    assert content(read_book(folder(catalog=catalog))) == content(read_book(write(case)))


@pytest.mark.parametrize("accounts", ACCOUNT_FORMATS)
def test_the_accounts_are_the_same_in_every_format(case, write, folder, accounts):
    assert content(read_book(folder(accounts=accounts))) == content(read_book(write(case)))


def test_one_file_may_hold_several_tables_and_one_plan_a_file_of_its_own(case, write, tmp_path):
    given, root = case["given"], tmp_path / "two_regions"
    (root / "catalog" / "plans").mkdir(parents=True)
    (root / "accounts").mkdir()
    (root / "catalog" / "plans" / "standard.yaml").write_bytes(as_yaml(given["plans"][0]))
    (root / "catalog" / "everything.json").write_bytes(
        as_json({table: given[table] for table in CATALOG if table != "plans"})
    )
    (root / "accounts" / "all.yaml").write_bytes(as_yaml({t: given[t] for t in ACCOUNTS}))
    (root / "accounts" / "README.md").write_text("for people")
    (root / "book.yaml").write_bytes(as_yaml({"organizations": [given["organization"]]}))

    assert content(read_book(root)) == content(read_case(write(case)).book)


def test_unquoted_yaml_numbers_are_exact_decimals(folder):
    root = folder()
    taxes = root / "catalog" / "taxes.yaml"
    taxes.write_text("- {code: vat20, rate: 20.10}\n- {code: yes, name: 1e3, rate: 0.30}\n")
    rows = [record.row for record in read_book(root).records if record.table == "taxes"]
    assert [(row["tax_code"], row["tax_name"], str(row["tax_rate"])) for row in rows] == [
        ("vat20", "vat20", "20.1"),
        ("yes", "1e3", "0.3"),
    ]


def test_positions_follow_the_order_of_the_files_and_rows(folder):
    root = folder()
    (root / "accounts" / "customers").mkdir()
    (root / "accounts" / "customers" / "2024.csv").write_text("external_id,name\nb,B\na,A\n")
    customers = [record for record in read_book(root).records if record.table == "customers"]
    assert [(r.key, r.row["position"], r.source_file, r.source_line) for r in customers] == [
        (("cust",), 1, "accounts/customers.yaml", 1),
        (("b",), 2, "accounts/customers/2024.csv", 2),
        (("a",), 3, "accounts/customers/2024.csv", 3),
    ]


@pytest.mark.parametrize(
    ("name", "text", "line", "expected"),
    [
        ("accounts/customers.csv", "external_id,name\na,A\nb\n", 3, "2 cells a row"),
        ("accounts/customers.csv", "name,name\na,A\n", 1, "different names"),
        ("accounts/customers.csv", "external_id,nmae\na,A\n", 2, '"name" perhaps'),
        ("accounts/customers.csv", "external_id,tax_codes\na,vat20\n", 2, "a list, as JSON text"),
        ("accounts/customers.csv", "name\nA\n", 2, "the key is required"),
        ("accounts/customers.jsonl", '{"external_id": "a"}\n{"external_id": \n', 2, "valid JSON"),
        ("accounts/customers.jsonl", '{"external_id": "a"}\n[1]\n', None, "a mapping"),
        ("catalog/taxes.yaml", "- code: a\n  rate: 1\n- code: [b\n", 4, "valid YAML"),
        ("catalog/taxes.yaml", "- code: a\n  rate: 1\n  rate: 2\n", 1, "written twice"),
        ("catalog/taxes.yaml", "- code: a\n  rate: 1\n- code: b\n  rate: x\n", 3, "decimal text"),
        ("catalog/other.yaml", "taxes:\n- {code: a, rate: 1}\nplans: []\ntaxes: []\n", 1, "written twice"),
        ("catalog/rates.yaml", "- code: a\n", None, "a file named as a table"),
        ("catalog/other.yaml", "tax: []\n", 1, '"taxes" perhaps'),
        ("catalog/prices.xlsx", "x", None, "a .yaml, .yml"),
        ("accounts/customers.parquet", "x", None, "a readable file"),
        ("accounts/customers.csv.gz", "x", None, "a readable file"),
        ("book.yaml", "organizations:\n- default_curency: EUR\n", 2, "default_currency"),
        ("book.yaml", "organizations: []\norganizations:\n- {default_currency: EUR}\n", 1, "written twice"),
        ("book.yaml", "timezone: UTC\norganization_name: x\n", 1, "a known key"),
        ("book.yaml", "organization: {default_currency: EUR}\nplans: []\n", 1, "a known key"),
    ],
)
def test_a_mistake_in_a_file_is_told_with_its_line(folder, name, text, line, expected):
    root = folder()
    for path in root.glob(name.split(".")[0] + ".*"):
        path.unlink()
    (root / name).write_text(text)
    with pytest.raises(BookError) as caught:
        read_book(root)
    found = [p for p in caught.value.problems if p.file == name and expected in p.expected]
    assert [p.line for p in found] == [line], str(caught.value)


def test_doubles_of_parquet_are_refused_where_a_decimal_belongs(folder):
    root = folder(accounts="parquet")
    (root / "accounts" / "wallets.parquet").write_bytes(
        as_parquet(
            [
                {
                    "code": "w",
                    "external_customer_id": "cust",
                    "currency": "EUR",
                    "created_at": "2024-03-01T00:00:00Z",
                    "rate_amount": 1.1,
                }
            ]
        )
    )
    with pytest.raises(BookError, match="a float where a decimal string belongs"):
        read_book(root)


def test_a_book_without_organisations_is_refused(folder):
    root = folder()
    (root / "book.yaml").unlink()
    with pytest.raises(BookError, match=r"one book.yaml"):
        read_book(root)


def test_rows_of_several_organisations_stay_apart(folder):
    root = folder(accounts="csv")
    (root / "book.yaml").write_text(
        "organizations:\n- {id: one, default_currency: EUR}\n- {id: two, default_currency: USD}\n"
    )
    with pytest.raises(BookError) as caught:
        read_book(root)
    assert {p.field for p in caught.value.problems} == {"organization_id"}

    for folder_name in ("catalog", "accounts"):
        for path in (root / folder_name).iterdir():
            path.unlink()
    (root / "accounts" / "customers.csv").write_text("organization_id,external_id\none,cust\ntwo,cust\n")
    book = read_book(root)
    assert book.organization_ids == ("one", "two")
    assert [(r.organization_id, r.table) for r in book.records] == [
        ("one", "organizations"),
        ("one", "customers"),
        ("two", "organizations"),
        ("two", "customers"),
    ]

    (root / "accounts" / "subscriptions.yaml").write_text(
        "- {organization_id: two, external_id: s, external_customer_id: cust, plan_code: p,"
        " created_at: 2024-01-01T00:00:00Z}\n"
    )
    with pytest.raises(BookError, match="a plan of the book"):
        read_book(root)


def test_a_mistake_inside_of_a_cell_shows_the_cell(folder):
    root = folder(accounts="csv")
    (root / "accounts" / "customers.csv").write_text('external_id,tax_codes\ncust,"[""vat20"", ""vat7""]"\n')
    with pytest.raises(BookError) as caught:
        read_book(root)
    (problem,) = caught.value.problems
    assert (problem.path, problem.value) == ("[0].tax_codes[1]", '"["vat20", "vat7"]"')


_LAUGHS = "a: &a [1, 2, 3, 4, 5, 6, 7, 8, 9]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("add_ons.yaml", _LAUGHS.encode(), r"add_ons\.yaml:6.*aliases repeat at most 100,000 values"),
        ("add_ons.yaml", b"add_ons: &a [*a]", r"add_ons\.yaml:1.*only what stands before"),
        ("add_ons.yaml", b"[" * 100_000 + b"]" * 100_000, r"add_ons\.yaml:1.*at most 100 levels deep"),
        ("add_ons.yaml", b"- " * 100_000 + b"x", r"add_ons\.yaml:1.*at most 100 levels deep"),
        ("add_ons.json", b"[" * 100_000 + b"]" * 100_000, r"add_ons\.json.*valid JSON"),
        (
            "wallets.jsonl.gz",
            gzip.compress(b" " * 2**26, mtime=0),
            r"wallets\.jsonl\.gz.*unpacks to more than 250 times its size",
        ),
        ("wallets.jsonl.gz", gzip.compress(b"{}", mtime=0)[:-9] + b"\xff" * 9, r"wallets\.jsonl\.gz.*compressed data"),
        ("wallets.zip", b"PK", r"wallets\.zip.*another kind of file"),
    ],
)
def test_bombs_are_refused_by_name(folder, name, content, expected):
    """Billion laughs, recursion, nesting that overflows a stack, packed space."""
    root = folder()
    (root / ("catalog" if "add_ons" in name else "accounts") / name).write_bytes(content)
    with pytest.raises(BookError, match=expected):
        read_book(root)
