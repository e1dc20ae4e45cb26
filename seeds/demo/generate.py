"""Writes the usage of the demonstration book: `python seeds/demo/generate.py [FOLDER]`.

The same bytes on every run: the only source of variety is a generator with a fixed seed, of which
nothing but `random()` is used, the one sequence that Python promises to keep. Beside the ordinary
traffic the files hold what real files hold: duplicates, a conflict, broken lines, an unknown code,
an unknown subscription, an event from before its subscription, and a file that came a month late.
"""

import gzip
import json
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

SEED = 20260601
FIRST_DAY = datetime(2026, 6, 1, tzinfo=UTC)
END = datetime(2026, 10, 15, tzinfo=UTC)
LATE_FILE = "2026-08-late"

Event = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Traffic:
    """What one subscription sends on a working day; `noon` is its busiest hour in UTC."""

    subscription: str
    start: datetime
    noon: int
    documents: int
    translations: int
    languages: tuple[str, ...] = ()


TRAFFIC = (
    Traffic("atelier-starter", datetime(2026, 5, 31, 22, tzinfo=UTC), 11, 7, 2),
    Traffic("sakura-studio", datetime(2026, 6, 10, 1, 30, tzinfo=UTC), 4, 24, 6),
    Traffic("mueller-business", datetime(2026, 6, 15, 9, 30, tzinfo=UTC), 11, 62, 30),
    Traffic("huaxin-business", datetime(2026, 6, 20, 3, 5, tzinfo=UTC), 5, 52, 12),
    Traffic("sevigne-enterprise", datetime(2026, 6, 25, 13, tzinfo=UTC), 12, 34, 0),
    Traffic("noor-gulf", datetime(2026, 7, 5, 6, 45, tzinfo=UTC), 8, 27, 16),
    Traffic("prairie-pulse", datetime(2026, 7, 8, 15, 20, tzinfo=UTC), 18, 13, 0),
    Traffic("bharat-business", datetime(2026, 7, 18, 18, 30, tzinfo=UTC), 7, 46, 21),
    Traffic("pacific-business", datetime(2026, 8, 1, 7, tzinfo=UTC), 20, 41, 5),
    Traffic("mueller-lab", datetime(2026, 8, 10, 10, tzinfo=UTC), 13, 9, 4),
    Traffic("notaria-pulse", datetime(2026, 8, 20, 14, tzinfo=UTC), 16, 6, 0),
    Traffic("zielone-starter", datetime(2026, 9, 3, 7, 15, tzinfo=UTC), 9, 5, 3),
    Traffic("harbour-pulse", datetime(2026, 9, 13, 21, tzinfo=UTC), 0, 11, 0),
    Traffic("grachten-team", datetime(2026, 7, 20, 8, tzinfo=UTC), 11, 17, 0, ("nl", "nl", "en", "ar")),
)


def usage(traffic: Traffic, random: Random) -> Iterator[Event]:
    """The events of one subscription in order of time."""
    day = FIRST_DAY
    while day < END:
        share = 0.25 if day.weekday() >= 5 else 0.8 + 0.4 * random.random()
        kinds = ["document_read"] * round(traffic.documents * share)
        kinds += ["translation"] * round(traffic.translations * share)
        # the sum of two draws gathers around noon and still reaches every hour
        instants = sorted(
            (day + timedelta(days=random.random() + random.random() - 1, hours=traffic.noon), kind) for kind in kinds
        )
        for number, (at, code) in enumerate(instants, start=1):
            properties = PROPERTIES[code](random)
            if traffic.languages:
                properties["language"] = traffic.languages[number % len(traffic.languages)]
            if traffic.start <= at < END:
                yield {
                    "transaction_id": f"{traffic.subscription}-{day:%m%d}-{number}",
                    "external_subscription_id": traffic.subscription,
                    "code": code,
                    "timestamp": f"{at:%Y-%m-%dT%H:%M:%S}Z",
                    "properties": properties,
                }
        day += timedelta(days=1)


def document_properties(random: Random) -> dict[str, int | str]:
    """Properties of `document_read`: pages as a JSON integer, compute time as decimal text."""
    pages = 1 + int(12 * random.random() ** 3)
    milliseconds = pages * (300 + int(900 * random.random()))
    return {"pages": pages, "seconds": f"{milliseconds // 1000}.{milliseconds % 1000:03d}"}


def translation_properties(random: Random) -> dict[str, int | str]:
    """Properties of `translation`."""
    return {"characters": 200 + int(6000 * random.random() ** 2)}


PROPERTIES = {"document_read": document_properties, "translation": translation_properties}


def line(event: Event) -> str:
    """An event as one line of JSON."""
    return json.dumps(event, ensure_ascii=False, separators=(",", ":"))


def made(name: str, subscription: str, code: str, at: str, **properties: Any) -> str:
    """The line of a hand-made event."""
    return line(
        {
            "transaction_id": name,
            "external_subscription_id": subscription,
            "code": code,
            "timestamp": at,
            "properties": properties,
        }
    )


def files() -> dict[str, list[str]]:
    """Every file's lines by its name without suffix."""
    random = Random(SEED)
    by_file: dict[str, list[Event]] = defaultdict(list)
    for traffic in TRAFFIC:
        for usage_event in usage(traffic, random):
            at = usage_event["timestamp"]
            # one server kept its last week of August to itself until 21 September
            is_late = traffic.subscription == "pacific-business" and "2026-08-25" <= at < "2026-09-01"
            if is_late:
                usage_event["received_at"] = "2026-09-21T05:00:00Z"
            month = max(at[:7], "2026-06")  # June begins two hours early in Paris
            by_file[LATE_FILE if is_late else month].append(usage_event)
    lines = {}
    for name, events in by_file.items():
        events.sort(key=lambda event: (event["timestamp"], event["transaction_id"]))
        lines[name] = [line(event) for event in events]
    levels(lines)
    soil(lines)
    return lines


def levels(lines: dict[str, list[str]]) -> None:
    """Add the rows of the metrics that carry a level, in place: members who come and go, and the size of the archive."""
    members = (
        ("07-20T08:30:00", "noor", "add"),
        ("07-20T08:31:00", "willem", "add"),
        ("07-27T09:00:00", "sanne", "add"),
        ("08-14T15:00:00", "willem", "remove"),
        ("09-10T11:30:00", "daan", "add"),
        ("09-10T11:31:00", "lotte", "add"),
        ("10-05T08:00:00", "sanne", "remove"),
    )
    for number, (at, member, operation) in enumerate(members, start=1):
        text = made(
            f"grachten-member-{number}",
            "grachten-team",
            "member",
            f"2026-{at}Z",
            member_id=member,
            operation_type=operation,
        )
        lines[f"2026-{at[:2]}"].append(text)
    sizes = (
        ("07-21T10:00:00", "64.5"),
        ("08-30T16:20:00", "118.25"),
        ("09-18T12:00:00", "-30"),
        ("10-02T06:45:00", "71"),
    )
    for number, (at, gigabytes) in enumerate(sizes, start=1):
        text = made(
            f"grachten-archive-{number}", "grachten-team", "archive_changed", f"2026-{at}Z", gigabytes=gigabytes
        )
        lines[f"2026-{at[:2]}"].append(text)
    for number, at in enumerate(("08-05T13:10:00", "10-06T09:40:00"), start=1):
        text = made(f"grachten-export-{number}", "grachten-team", "export_ordered", f"2026-{at}Z")
        lines[f"2026-{at[:2]}"].append(text)


def soil(lines: dict[str, list[str]]) -> None:
    """Add what does not belong there, in place."""
    june, july, august, september, october = (lines[f"2026-{month:02d}"] for month in range(6, 11))
    # sent twice, within a file and across files
    july[400:400] = july[380:383]
    august.insert(0, july[-1])
    # the same id with other content
    reading = next(text for text in september[250:] if '"document_read"' in text)
    resent = {**json.loads(reading), "properties": {"pages": 250, "seconds": "250.000"}}
    september.insert(400, line(resent))
    # broken: cut short, no JSON, keys missing, no such day, more digits than a JSON number keeps
    june[100:100] = [june[100][:70], "upstream request timed out"]
    july.insert(50, line({"external_subscription_id": "mueller-business", "code": "translation"}))
    august.insert(900, made("bad-day", "noor-gulf", "translation", "2026-08-32T10:00:00Z"))
    bad_number = made("bad-number", "huaxin-business", "document_read", "2026-09-02T04:00:00Z", pages=10**19 + 1)
    september.insert(75, bad_number)
    # nobody to bill: an unknown code, an unknown subscription, a subscription not yet begun
    august.insert(40, made("fax-1", "atelier-starter", "fax_sent", "2026-08-02T09:14:00Z"))
    august.insert(41, made("lost-1", "corvid-starter", "document_read", "2026-08-02T09:20:00Z"))
    june.insert(300, made("early-1", "noor-gulf", "document_read", "2026-06-30T11:00:00Z", pages=4))
    # unusual and right: an offset with a fraction of a second, pages that were not counted
    october += [
        made("odd-1", "atelier-starter", "translation", "2026-10-12T01:30:00.25+02:00"),
        made("odd-2", "atelier-starter", "document_read", "2026-10-12T08:00:00Z"),
    ]


def write(folder: Path) -> None:
    """Write all files, compressed, into a folder; no name and no time gets into them."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files().items():
        with (
            (folder / f"{name}.jsonl.gz").open("wb") as raw,
            gzip.GzipFile(filename="", mode="wb", compresslevel=9, fileobj=raw, mtime=0) as packed,
        ):
            packed.write("".join(f"{text}\n" for text in content).encode())


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "events")
