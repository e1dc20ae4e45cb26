"""What an explanation consists of."""

from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Any


@dataclass(frozen=True, slots=True)
class EventRow:
    """One event that a line read: where it lies, when it happened, and what it counts for."""

    transaction_id: str
    event_at: datetime
    file_path: str | None
    line_number: int | None
    value: str


@dataclass(frozen=True, slots=True)
class LineExplanation:
    """One line: how its amount came about, from which events, and what a computation by other means gives.

    `recomputed_cents` is None where the rules leave a case open; `open_point` says which.
    """

    line_number: int
    fee: dict[str, Any]
    sentences: tuple[str, ...]
    events: tuple[EventRow, ...]
    events_total: int
    recomputed_cents: int | None
    recomputed_units: Fraction | None = None
    open_point: str | None = None

    @property
    def agrees(self) -> bool:
        """Whether what was computed again is what stands on the invoice."""
        return self.recomputed_cents in {None, self.fee["amount_cents"]} and self.recomputed_units in {
            None,
            Fraction(self.fee["units"]),
        }


@dataclass(frozen=True, slots=True)
class PostingExplanation:
    """One step from the fees to the total: its amount with its sign, and where it came from."""

    kind: str
    amount_cents: int
    title: str
    sentences: tuple[str, ...]
    recomputed_cents: int | None = None

    @property
    def agrees(self) -> bool:
        """Whether what was computed again is what was posted."""
        return self.recomputed_cents in {None, self.amount_cents}


@dataclass(frozen=True, slots=True)
class InvoiceExplanation:
    """An invoice with its explained lines and its postings from fees to total."""

    invoice: dict[str, Any]
    lines: tuple[LineExplanation, ...]
    postings: tuple[PostingExplanation, ...]

    @property
    def agrees(self) -> bool:
        """Whether everything that was computed again is what stands on the invoice."""
        return all(line.agrees for line in self.lines) and all(posting.agrees for posting in self.postings)
