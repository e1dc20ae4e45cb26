"""Ids that are made of a row's content, and hashes of records."""

import pytest

from dagster_project.lib.book import BookError, read_book


def ids(book, table):
    return [record.key[0] for record in book.records if record.table == table]


def test_equal_rows_of_a_file_are_told_apart_by_their_occurrence(case, write):
    case["given"]["payments"] *= 2
    first, second = ids(read_book(write(case)), "payments")
    assert first.removesuffix("-1") == second.removesuffix("-2")


def test_what_may_change_later_does_not_change_the_id(case, write):
    before = read_book(write(case))
    case["given"]["applied_coupons"][0]["terminated_at"] = "2024-05-01T00:00:00Z"
    case["given"]["wallet_transactions"][0]["settled_at"] = "2024-05-01T00:00:00Z"
    after = read_book(write(case))

    for table in ("applied_coupons", "wallet_transactions"):
        assert ids(before, table) == ids(after, table)
        hashes = [next(r.record_hash for r in book.records if r.table == table) for book in (before, after)]
        assert hashes[0] != hashes[1]


def test_a_changed_amount_makes_another_row(case, write):
    before = ids(read_book(write(case)), "payments")
    case["given"]["payments"][0]["amount_cents"] = 101
    assert ids(read_book(write(case)), "payments") != before


def test_a_given_id_is_kept(case, write):
    case["given"]["payments"][0]["id"] = "bank-7"
    assert ids(read_book(write(case)), "payments") == ["bank-7"]
    case["given"]["payments"].append(dict(case["given"]["payments"][0], amount_cents=5))
    with pytest.raises(BookError, match=r"payments\[1\].id: got \"bank-7\"; expected a key"):
        read_book(write(case))


def test_the_same_row_in_two_files_needs_an_id(tmp_path):
    root = tmp_path / "book"
    (root / "accounts" / "payments").mkdir(parents=True)
    (root / "book.yaml").write_text("default_currency: EUR\n")
    (root / "accounts" / "customers.csv").write_text("external_id\nc\n")
    row = (
        '{"invoice": {"customer": "c", "issuing_date": "2024-01-01"}, "amount_cents": 5,'
        ' "created_at": "2024-01-02T00:00:00Z"}\n'
    )
    (root / "accounts" / "payments" / "a.jsonl").write_text(row)
    read_book(root)
    (root / "accounts" / "payments" / "b.jsonl").write_text("\n" + row)
    with pytest.raises(BookError, match=r"b.jsonl:2: .*payments/a.jsonl:1 has the same"):
        read_book(root)


def test_the_place_of_a_row_does_not_change_its_hash(case, write):
    before = read_book(write(case))
    case["given"]["customers"].insert(0, {"external_id": "first"})
    after = read_book(write(case))
    customers = {r.key: r for r in after.records if r.table == "customers"}
    (customer,) = [r for r in before.records if r.table == "customers"]
    assert customers["cust",].record_hash == customer.record_hash
    assert (customer.row["position"], customers["cust",].row["position"]) == (1, 2)


@pytest.mark.parametrize(("rate", "same"), [("20", True), ("20.00", True), ("020.0", True), ("20.1", False)])
def test_equal_decimals_have_equal_hashes(case, write, rate, same):
    before = read_book(write(case)).content_hash
    case["given"]["taxes"][0]["rate"] = rate
    assert (read_book(write(case)).content_hash == before) is same


def test_a_changed_price_of_a_filter_changes_its_plan_only(case, write):
    before = {(r.table, r.key): r.record_hash for r in read_book(write(case)).records}
    bucket = case["given"]["plans"][0]["charges"][0]["filters"][0]
    bucket["properties"]["graduated_ranges"][0]["per_unit_amount"] = "0.2"
    after = {(r.table, r.key): r.record_hash for r in read_book(write(case)).records}
    assert [table for table, key in before if before[table, key] != after[table, key]] == ["plans"]
