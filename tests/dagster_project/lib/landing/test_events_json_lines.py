"""JSON lines: every line of a hostile file lands or says why not, under its real line number."""

import gzip
import json

import pytest

from tests.dagster_project.lib.landing.landings import Lander, counts, event, file_source, line


def test_a_plain_event_is_landed_with_all_its_fields(lander: Lander) -> None:
    text = line(
        "t1",
        organization_id="acme",
        received_at="2024-03-05T12:00:01.5+02:00",
        precise_total_amount_cents="12.345",
        properties={"n": 10, "region": "eu"},
    )
    [landed] = lander.land_lines(text)
    assert counts(landed) == (1, 1, 0, 0, 0)
    columns = (
        "organization_id, external_subscription_id, transaction_id, code, "
        "cast(event_at as varchar), cast(received_at as varchar), properties, "
        "cast(precise_total_amount_cents as varchar), batch_id, file_id, line_number"
    )
    assert lander.rows(columns) == [
        (
            "acme",
            "sub",
            "t1",
            "api",
            "2024-03-05 12:00:00",
            "2024-03-05 10:00:01.5",
            '{"n":10,"region":"eu"}',
            "12.345000000000",
            1,
            1,
            1,
        )
    ]


def test_marks_ends_and_breaks_of_lines_are_no_defects(lander: Lander) -> None:
    path = lander.write("a.jsonl", b"\xef\xbb\xbf" + f"{line('t1')}\r\n\r\n\n   \n{line('t2')}".encode())
    [landed] = lander.land(file_source(path))
    assert counts(landed) == (2, 2, 0, 0, 0)
    assert lander.rows("transaction_id, line_number") == [("t1", 1), ("t2", 5)]


def test_an_empty_file_leaves_a_mark_with_zeros(lander: Lander) -> None:
    [landed] = lander.land(file_source(lander.write("a.jsonl", b"")))
    assert counts(landed) == (0, 0, 0, 0, 0)
    assert lander.rows("file_path, lines_count, file_bytes", "landed_files") == [(landed.file_path, 0, 0)]


HOSTILE = (
    ("not JSON", "nope", "invalid_json"),
    ("cut in the middle", line("x")[:-30], "invalid_json"),
    ("a comma too many in properties", line("x").replace('"10"}', '"10",}'), "invalid_json"),
    ("a comma too many", line("x")[:-1] + ",}", "invalid_json"),
    ("a comma too many among blanks", json.dumps(event("x"))[:-1] + " , }", "invalid_json"),
    ("one digit of seconds", line("x", timestamp="2024-03-05T12:00:0.054Z"), "invalid_timestamp"),
    ("a list", "[1]", "not_an_object"),
    ("a number", "5", "not_an_object"),
    ("two on one line", line("x") + line("y"), "invalid_json"),
    ("a key twice", line("x")[:-1] + ',"code":"api"}', "duplicate_key"),
    ("a property twice", line("x").replace('"n":"10"', '"n":"10","n":"11"'), "duplicate_key"),
    ("a property twice, escaped", line("x").replace('"n":"10"', '"n":"10","\\u006e":"11"'), "duplicate_key"),
    ("an unknown field", line("x", amount=1), "unknown_field"),
    ("a misspelt field", json.dumps(event("x") | {"timestmp": 1}), "unknown_field"),
    ("no transaction_id", line(""), "missing_field"),
    ("null for an id", json.dumps(event("x") | {"transaction_id": None}), "missing_field"),
    ("a fraction for an id", json.dumps(event("x") | {"code": 1.5}), "invalid_field"),
    ("an object for an id", json.dumps(event("x") | {"code": {"a": 1}}), "invalid_field"),
    ("true for an id", json.dumps(event("x") | {"code": True}), "invalid_field"),
    ("a long id", line("x" * 1001), "too_long"),
    ("properties as a list", line("x", properties=[1]), "invalid_field"),
    ("properties as a text", line("x", properties="{}"), "invalid_field"),
    ("NaN", line("x").replace('"10"', "NaN"), "not_a_number"),
    ("Infinity", line("x").replace('"10"', "-Infinity"), "not_a_number"),
    ("beyond every double", line("x").replace('"10"', "1e400"), "number_out_of_range"),
    ("a NUL, escaped", line("x", properties={"n": "a\0b"}), "null_character"),
    ("a NUL in an id, escaped", line("a\0b"), "null_character"),
    ("a NUL", line("x").replace("10", "1\0"), "nul_byte"),
    ("half a surrogate pair", line("x").replace("10", "\\ud800"), "invalid_json"),
    ("a depth bomb", line("x").replace('"10"', "[" * 100_000 + "]" * 100_000), "too_deep"),
    ("a wide depth bomb", line("x").replace('"10"', "[[]," * 50_000 + "1" + "]" * 50_000), "too_deep"),
    ("ten megabytes", line("x" * 10_000_000), "line_too_long"),
    ("an amount in words", line("x", precise_total_amount_cents="1,5"), "invalid_amount"),
    ("a long amount", line("x", precise_total_amount_cents="1" * 27), "invalid_amount"),
    ("a fine amount", line("x", precise_total_amount_cents="0." + "1" * 13), "invalid_amount"),
    ("a stranger", line("x", organization_id="nobody"), "unknown_organization"),
)


def test_each_hostile_line_is_quarantined_with_its_reason_and_the_others_land(lander: Lander) -> None:
    lines = [text for i, (_, bad, _) in enumerate(HOSTILE) for text in (line(f"good-{i}"), bad)]
    [landed] = lander.land_lines(*lines, line("last"))
    expected = [(number, code) for number, (_, _, code) in enumerate(HOSTILE, start=1)]
    assert [(number // 2, code) for number, code in lander.reasons()] == expected
    assert [number % 2 for number, _ in lander.reasons()] == [0] * len(HOSTILE)
    assert landed.rejected_count == len(HOSTILE)
    assert landed.landed_count == len(HOSTILE) + 1
    assert lander.rows("line_number")[-1] == (2 * len(HOSTILE) + 1,)
    for text, reason in lander.rows("raw_text, reason", "quarantined_events"):
        assert 0 < len(text) <= 4096
        assert reason.endswith(".")


def test_the_text_of_a_quarantined_line_is_kept(lander: Lander) -> None:
    bad = line("x", timestamp="yesterday", properties={"ö": "a 'b' \"c\" {{ d }}"})
    lander.land(file_source(lander.write("a.jsonl", f"{bad}\r\n")))
    assert lander.rows("raw_text", "quarantined_events") == [(bad,)]


def test_invalid_utf8_is_one_line_among_others(lander: Lander) -> None:
    content = (
        line("t1").encode() + b"\n" + line("t2").encode().replace(b"10", b"\xff\xfe") + b"\n" + line("t3").encode()
    )
    [landed] = lander.land(file_source(lander.write("a.jsonl", content)))
    assert counts(landed) == (3, 2, 0, 0, 1)
    assert lander.reasons() == [(2, "invalid_utf8")]
    [(text,)] = lander.rows("raw_text", "quarantined_events")
    assert "\ufffd\ufffd" in text


def test_a_line_that_is_too_long_keeps_its_length_in_the_reason(lander: Lander) -> None:
    text = line("x" * 30_000_000)
    [landed] = lander.land_lines(line("t1"), text, line("t2"))
    assert counts(landed) == (3, 2, 0, 0, 1)
    [(number, reason)] = lander.rows("line_number, reason", "quarantined_events")
    assert number == 2
    assert str(len(text)) in reason
    assert lander.rows("transaction_id, line_number") == [("t1", 1), ("t2", 3)]


def test_a_cut_gzip_lands_its_whole_lines_and_the_whole_file_the_rest(lander: Lander) -> None:
    whole = gzip.compress("".join(line(f"t{i}", properties={"n": str(i * 7919)}) + "\n" for i in range(5000)).encode())
    path = lander.write("a.jsonl.gz", whole[: len(whole) // 2])
    [cut] = lander.land(file_source(path))
    assert 1000 < cut.landed_count < 4000
    assert counts(cut) == (cut.landed_count + 1, cut.landed_count, 0, 0, 1)
    assert lander.reasons() == [(cut.lines_count, "damaged_file")]
    path.write_bytes(whole)
    [full] = lander.land(file_source(path))
    assert counts(full) == (5000, 5000 - cut.landed_count, cut.landed_count, 0, 0)
    assert len(lander.rows("1")) == 5000


def test_a_corrupt_gzip_lands_what_came_before(lander: Lander) -> None:
    first = gzip.compress(f"{line('t1')}\n".encode())
    path = lander.write("a.jsonl.gz", first + b"this is no gzip")
    [landed] = lander.land(file_source(path))
    assert counts(landed) == (2, 1, 0, 0, 1)
    assert lander.reasons() == [(2, "damaged_file")]


def test_members_of_a_gzip_follow_one_another_and_padding_is_no_damage(lander: Lander) -> None:
    parts = [gzip.compress(f"{line(f't{i}')}\n".encode()) for i in range(3)]
    [landed] = lander.land(file_source(lander.write("a.jsonl.gz", b"".join(parts) + b"\0" * 512)))
    assert counts(landed) == (3, 3, 0, 0, 0)


def test_lines_keep_their_numbers_across_blocks(lander: Lander) -> None:
    filler = "x" * 900
    lines = [line(f"t{i}", properties={"pad": filler}) if i % 7 else "" for i in range(1, 20_001)]
    [landed] = lander.land_lines(*lines)
    assert landed.file_bytes > 16 << 20
    expected = [(f"t{i}", i) for i in range(1, 20_001) if i % 7]
    assert lander.rows("transaction_id, line_number") == expected


@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": "), (" ,\t", " :  ")])
def test_blanks_escapes_and_the_order_of_fields_do_not_matter(lander: Lander, separators: tuple[str, str]) -> None:
    name = "a/é\u2028 {{ x }} $1 '\"\\"
    given = event("t1", properties={name: "v\n\u0001 ü", "n": 1.5}, received_at=None)
    texts = [
        json.dumps(given | {"transaction_id": "t1"}, separators=separators),
        json.dumps(dict(reversed(given.items())) | {"transaction_id": "t2"}, separators=separators, ensure_ascii=False),
    ]
    [landed] = lander.land_lines(*texts)
    assert counts(landed) == (2, 2, 0, 0, 0)
    [one, other] = lander.rows("external_subscription_id, code, event_at, properties")
    assert one == other
    assert json.loads(one[3]) == given["properties"]


def test_hostile_names_are_plain_texts(lander: Lander) -> None:
    names = [
        "'; drop table x; --",
        "{{ ref('x') }}",
        "$$ $1 %s ?",
        "\\N",
        "",
        "\u202eright\U0001f600",
        " ",
        "NULL",
        "a,b\nc",
    ]
    lines = [line(name or "empty", code=name or "c", external_subscription_id=name or "s") for name in names]
    [landed] = lander.land_lines(*lines)
    assert counts(landed) == (9, 9, 0, 0, 0)
    found = lander.rows("transaction_id, code, external_subscription_id")
    assert found == [(name or "empty", name or "c", name or "s") for name in names]


def test_long_names_and_values_of_properties_are_kept(lander: Lander) -> None:
    properties = {"k" * 10_000: "v" * 10_000, "": "empty name"}
    lander.land_lines(line("t1", properties=properties))
    [(text,)] = lander.rows("properties")
    assert json.loads(text) == properties


def test_whole_numbers_are_taken_as_the_text_of_an_id(lander: Lander) -> None:
    given = event() | {"transaction_id": 12345678901234567890123, "external_subscription_id": 7, "code": -3}
    texts = [json.dumps(given), line("12345678901234567890123456", code="1.50", external_subscription_id="1e5")]
    lander.land_lines(*texts, line("true", code="{x}", external_subscription_id="NaN"))
    assert lander.rows("transaction_id, external_subscription_id, code") == [
        ("12345678901234567890123", "7", "-3"),
        ("12345678901234567890123456", "1e5", "1.50"),
        ("true", "NaN", "{x}"),
    ]


def test_missing_properties_are_none(lander: Lander) -> None:
    without = event("t1")
    del without["properties"]
    lander.land_lines(json.dumps(without), json.dumps(event("t2") | {"properties": None}), line("t3", properties={}))
    assert lander.properties() == {"t1": "{}", "t2": "{}", "t3": "{}"}
