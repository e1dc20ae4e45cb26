"""Files of events, and a lander that takes them and shows what came of them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dagster_project.lib.book import EventSource
from dagster_project.lib.landing import LandedFile, land_events
from dagster_project.lib.warehouse import Warehouse

LANDED_AT = datetime(2026, 1, 1, tzinfo=UTC)
FATES = ("usage_events", "duplicate_events", "conflicting_events", "quarantined_events")
CATALOGUE = ("billable_metrics", "plans", "charges", "charge_filter_values", "charge_group_keys")


def event(transaction_id: str = "t1", **fields: Any) -> dict[str, Any]:
    """A good event, with the given fields in place of its own."""
    base = {
        "transaction_id": transaction_id,
        "external_subscription_id": "sub",
        "code": "api",
        "timestamp": "2024-03-05T12:00:00Z",
        "properties": {"n": "10"},
    }
    return base | fields


def line(transaction_id: str = "t1", **fields: Any) -> str:
    """A good event as a line of JSON, without blanks."""
    return json.dumps(event(transaction_id, **fields), ensure_ascii=False, separators=(",", ":"))


@dataclass
class Lander:
    """Lands files in batches, counted from 1, and reads back what came of them."""

    warehouse: Warehouse
    folder: Path
    organizations: Sequence[str] = ("acme",)
    batch_id: int = 0
    notes: list[str] = field(default_factory=list)

    def land(self, *sources: EventSource) -> list[LandedFile]:
        """Land sources as the next batch."""
        self.batch_id += 1
        return land_events(
            self.warehouse,
            sources,
            batch_id=self.batch_id,
            landed_at=LANDED_AT,
            organizations=self.organizations,
            progress=self.notes.append,
        )

    def write(self, name: str, content: str | bytes | Sequence[str]) -> Path:
        """A file of events: bytes, a text, or lines."""
        if not isinstance(content, (str, bytes)):
            content = "".join(f"{text}\n" for text in content)
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def land_lines(self, *lines: str) -> list[LandedFile]:
        """Land one new file of JSON lines."""
        return self.land(file_source(self.write(f"batch{self.batch_id + 1}.jsonl", lines)))

    def rows(self, columns: str, table: str = "usage_events") -> list[tuple[Any, ...]]:
        """Columns of a table of the schema raw, in the order of files and lines."""
        with self.warehouse.connect() as session:
            name = f"{session.schema('raw')}.{table}"
            order = "file_id" if table == "landed_files" else "file_id, line_number"
            return session.rows(f"select {columns} from {name} order by {order}")

    def reasons(self) -> list[tuple[int, str]]:
        """The line number and the reason code of everything in quarantine."""
        return [(number, code) for number, code in self.rows("line_number, reason_code", "quarantined_events")]

    def properties(self) -> dict[str, str]:
        """The properties' text of every landed event, by its id."""
        return dict(self.rows("transaction_id, properties"))

    def everything(self) -> dict[str, list[tuple[Any, ...]]]:
        """All rows of all tables of events."""
        return {table: self.rows("*", table) for table in FATES}


def file_source(*paths: Path, **fields: Any) -> EventSource:
    """Files as a source, their format by their suffix."""
    name = paths[0].name
    packed = name.endswith(".gz")
    format_ = name.removesuffix(".gz").rsplit(".", 1)[1]
    given = {"format": format_, "compression": "gzip" if packed else None, "organization_id": "acme"} | fields
    return EventSource("file", tuple(paths), **given)


def counts(landed: LandedFile) -> tuple[int, int, int, int, int]:
    """Lines, landed, duplicates, conflicts, rejected."""
    return (
        landed.lines_count,
        landed.landed_count,
        landed.duplicates_count,
        landed.conflicts_count,
        landed.rejected_count,
    )
