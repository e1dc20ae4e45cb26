"""What the gate found, as values."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

Level = Literal["blocks", "holds", "warns"]
Subject = Literal["events_landed", "invoices_due"]


@dataclass(frozen=True, slots=True)
class CheckOutcome:
    """One check of one close: what must be true (`description`), what was `observed`, a few failing `rows`."""

    name: str
    suite: Subject
    level: Level
    passed: bool
    observed: str
    rows: tuple[Mapping[str, Any], ...]
    description: str
    advice: str


@dataclass(frozen=True, slots=True)
class GateReport:
    """All checks of one close in the order of the suites; `docs_index` is the Data Docs' first page, if written."""

    checks: tuple[CheckOutcome, ...]
    held_customers_count: int
    docs_index: Path | None

    @property
    def blocking(self) -> tuple[CheckOutcome, ...]:
        """The failed checks that stop the close for everyone."""
        return self.failed("blocks")

    def blocking_message(self) -> str:
        """One paragraph on why the close stops and what to do; empty when nothing blocks."""
        if not self.blocking:
            return ""
        count = len(self.blocking)
        reasons = " ".join(f"{check.name}: {check.observed}." for check in self.blocking)
        advice = " ".join(dict.fromkeys(check.advice for check in self.blocking))
        page = f" The whole report is in {self.docs_index}." if self.docs_index else ""
        return (
            f"The gate stopped the close before anything was finalised: {count} "
            f"{'check fails' if count == 1 else 'checks fail'}. {reasons} {advice}{page}"
        )

    def failed(self, level: Level) -> tuple[CheckOutcome, ...]:
        """The checks of a level that do not hold: `blocks` everyone, `holds` the customers concerned, `warns`."""
        return tuple(check for check in self.checks if check.level == level and not check.passed)
