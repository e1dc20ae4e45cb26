"""CSV of events: quoting, columns that become properties, and files that break the rules of quoting."""

import csv
import gzip
import io
import json
import random

from tests.dagster_project.lib.landing.landings import Lander, counts, file_source

HEADER = "transaction_id,external_subscription_id,code,timestamp,properties"
TIME = "2024-03-05T12:00:00Z"


def test_a_cell_is_a_field_or_a_property_and_an_empty_one_is_absent(lander: Lander) -> None:
    text = (
        "region,transaction_id,external_subscription_id,code,timestamp,properties,received_at,"
        'precise_total_amount_cents,organization_id,odd "name\n'
    ).replace('odd "name', '"odd ""name"""')
    text += f'eu,t1,s,api,{TIME},"{{""n"": 5}}",2024-03-06T00:00:00Z,1.5,acme,x\n'
    text += f"us,t2,s,api,{TIME},,,,,\n"
    text += ',t3,s,api,1709640000.5,"  { } ",,,,"a, b"\n'
    [landed] = lander.land(file_source(lander.write("a.csv", text)))
    assert counts(landed) == (3, 3, 0, 0, 0)
    assert lander.rows("transaction_id, properties, line_number") == [
        ("t1", '{"region":"eu","odd \\"name\\"":"x","n":5}', 2),
        ("t2", '{"region":"us"}', 3),
        ("t3", '{"odd \\"name\\"":"a, b"}', 4),
    ]
    columns = "cast(received_at as varchar), cast(precise_total_amount_cents as varchar), cast(event_at as varchar)"
    assert lander.rows(columns) == [
        ("2024-03-06 00:00:00", "1.500000000000", "2024-03-05 12:00:00"),
        (None, None, "2024-03-05 12:00:00"),
        (None, None, "2024-03-05 12:00:00.5"),
    ]


def test_line_breaks_in_quotes_keep_physical_line_numbers(lander: Lander) -> None:
    text = f'{HEADER},note\r\nt1,s,api,{TIME},,"one\r\ntwo\n\nfour"\r\n\r\n'
    text += f't2,s,api,{TIME},,"say ""hi"", then"\r\nt3,s,api,{TIME},,z'
    [landed] = lander.land(file_source(lander.write("a.csv", b"\xef\xbb\xbf" + text.encode())))
    assert counts(landed) == (3, 3, 0, 0, 0)
    assert [(number, json.loads(text)["note"]) for number, text in lander.rows("line_number, properties")] == [
        (2, "one\r\ntwo\n\nfour"),
        (7, 'say "hi", then'),
        (8, "z"),
    ]


def test_broken_records_are_refused_and_the_rest_lands(lander: Lander) -> None:
    lines = [
        HEADER,
        f"t1,s,api,{TIME},",
        "t2,s,api",
        f"t3,s,api,{TIME},,,",
        f't4,s,"a"b,{TIME},',
        f"t5,s,api,{TIME},",
        f't6,5" pipe,api,{TIME},',
        f't7,s,api,{TIME},"never closed',
        f"t8,s,api,{TIME},",
        f't9,s,api,{TIME},"{{""a"": NaN}}"',
        f"t10,s,api,{TIME},[1]",
        f't11,s,api,{TIME},"{{""code"": ""x""}}, ""code"": ""y"""',
        "t12,s,api,2024-03-05T12:00:00,",
        f"t13,s,api,{TIME},",
    ]
    [landed] = lander.land(file_source(lander.write("a.csv", lines)))
    assert [name for (name,) in lander.rows("transaction_id")] == ["t1", "t5", "t8", "t13"]
    assert lander.reasons() == [
        (3, "wrong_cell_count"),
        (4, "wrong_cell_count"),
        (5, "malformed_csv"),
        (7, "malformed_csv"),
        (8, "malformed_csv"),
        (10, "not_a_number"),
        (11, "invalid_field"),
        (12, "invalid_field"),
        (13, "timestamp_without_offset"),
    ]
    assert counts(landed) == (13, 4, 0, 0, 9)
    assert lander.rows("raw_text", "quarantined_events")[0] == ("t2,s,api",)


def test_a_return_without_quotes_refuses_its_line_alone(lander: Lander) -> None:
    text = f'{HEADER}\r\nt1,s,api,{TIME},\r\nt\r2,s,api,{TIME},\r\nt3,s,api,{TIME},\r\r\nt4,s,"a\rb",{TIME},\r\nt5,s,api,{TIME},\r'
    [landed] = lander.land(file_source(lander.write("a.csv", text.encode())))
    assert counts(landed) == (5, 3, 0, 0, 2)
    assert lander.rows("transaction_id, code") == [("t1", "api"), ("t4", "a\rb"), ("t5", "api")]
    assert lander.reasons() == [(3, "malformed_csv"), (4, "malformed_csv")]


def test_bytes_that_are_no_text_are_refused_alone(lander: Lander) -> None:
    content = f"{HEADER}\nt1,s,api,{TIME},\nt2,s,api,{TIME},\nt3,s,api,{TIME},\nt4,s,api,{TIME},".encode()
    content = content.replace(b"t2", b"t\xff").replace(b"t3", b"t\0")
    [landed] = lander.land(file_source(lander.write("a.csv", content)))
    assert counts(landed) == (4, 2, 0, 0, 2)
    assert lander.reasons() == [(3, "invalid_utf8"), (4, "nul_byte")]


def test_a_line_of_ten_megabytes_is_refused_alone(lander: Lander) -> None:
    for quote in ("", '"'):
        lines = [
            HEADER,
            f"a{quote},s,api,{TIME},",
            f"b,s,api,{TIME},{quote}{'x' * 12_000_000}",
            f"c{quote},s,api,{TIME},",
        ]
        lander.land(file_source(lander.write(f"a{len(quote)}.csv", lines)))
    reasons = lander.rows("line_number, reason_code, length(raw_text)", "quarantined_events")
    assert reasons[0][:2] == (3, "line_too_long")
    assert (3, "line_too_long") in {row[:2] for row in reasons[1:]}
    assert all(length <= 4096 for _, _, length in reasons)


def test_a_header_that_is_none_refuses_the_file(lander: Lander) -> None:
    headers = (
        "a,a",
        "transaction_id,,code",
        "code," + "x" * 2_000_000,
        "x" * 30_000_000,
        '"open',
        "code\rx",
        "code," + "x" * 200_000,
    )
    paths = [lander.write(f"{i}.csv", [header, "1,2", "3,4"]) for i, header in enumerate(headers)]
    assert [counts(result) for result in lander.land(file_source(*paths))] == [(1, 0, 0, 0, 1)] * len(headers)
    assert lander.reasons() == [(1, "unreadable_file")] * len(headers)


def test_a_gzip_that_is_cut_in_its_header_is_refused_as_a_whole(lander: Lander) -> None:
    whole = gzip.compress(HEADER.encode())
    [landed] = lander.land(file_source(lander.write("a.csv.gz", whole[: len(whole) // 2])))
    assert counts(landed) == (1, 0, 0, 0, 1)
    assert lander.reasons() == [(1, "unreadable_file")]


def test_a_header_alone_and_an_empty_file_have_no_lines(lander: Lander) -> None:
    sources = [lander.write("a.csv", f"{HEADER}\n"), lander.write("b.csv", ""), lander.write("c.csv", "\n\n")]
    assert [counts(result) for result in lander.land(file_source(*sources))] == [(0, 0, 0, 0, 0)] * 3


def test_a_cut_gzip_of_csv_lands_its_whole_records(lander: Lander) -> None:
    rows = "".join(f't{i},s,api,{TIME},"{{""n"": {i * 7919}}}"\n' for i in range(3000))
    whole = gzip.compress(f"{HEADER}\n{rows}".encode())
    path = lander.write("a.csv.gz", whole[: len(whole) // 2])
    [cut] = lander.land(file_source(path))
    assert 500 < cut.landed_count < 2500
    assert counts(cut) == (cut.landed_count + 1, cut.landed_count, 0, 0, 1)
    path.write_bytes(whole)
    [full] = lander.land(file_source(path))
    assert counts(full) == (3000, 3000 - cut.landed_count, cut.landed_count, 0, 0)


def test_any_text_survives_quoting_as_the_standard_library_writes_it(lander: Lander) -> None:
    chance = random.Random(7)
    alphabet = "ab\",\n\r\t {}é\\'\U0001f600"
    rows = []
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\r\n")
    writer.writerow(["transaction_id", "external_subscription_id", "code", "timestamp", "note"])
    for i in range(3000):
        note = "".join(chance.choices(alphabet, k=chance.randrange(1, 12)))
        rows.append((f"t{i}", note))
        writer.writerow([f"t{i}", "s", "api", TIME, note])
    [landed] = lander.land(file_source(lander.write("a.csv", stream.getvalue())))
    assert counts(landed) == (3000, 3000, 0, 0, 0)
    assert [(name, json.loads(text)["note"]) for name, text in lander.rows("transaction_id, properties")] == rows


def test_records_go_on_across_blocks(lander: Lander) -> None:
    note = '"' + 'x""\n,' * 100 + '"'
    rows = [f"t{i},s,api,{TIME},,{note}" for i in range(24_000)]
    [landed] = lander.land(file_source(lander.write("a.csv", [f"{HEADER},note", *rows])))
    assert landed.file_bytes > 10 << 20
    assert counts(landed) == (24_000, 24_000, 0, 0, 0)
    assert lander.rows("line_number")[-1] == (2 + 23_999 * 101,)
