"""What goes into the operations store and what comes out of it, as plain values."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, NoReturn
from urllib.parse import quote

from dagster_project.lib.canonical_json import canonical_json, canonical_object
from dagster_project.lib.errors import BillingError

PAYLOAD_BYTES_MAX = 20_000
_OBJECT_ID_CHARACTERS_MAX = 128
_TYPE = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+")


class DeliveryState(StrEnum):
    """Where one delivery is: waiting for its time, being sent, accepted, or given up."""

    PENDING = "pending"
    IN_FLIGHT = "in_flight"
    DELIVERED = "delivered"
    DEAD = "dead"


def message_id(type: str, object_id: str, version: int) -> str:
    """Return the stable webhook id `<type>_<object id>_<version>`, legal in an HTTP header.

    Characters of the object id that are not letters, digits or `_ . - ~` are percent-encoded; an
    object id that gets longer than 128 characters by that is replaced by its SHA-256.
    """
    name = quote(object_id, safe="")
    if len(name) > _OBJECT_ID_CHARACTERS_MAX:
        name = hashlib.sha256(object_id.encode()).hexdigest()
    return f"{type}_{name}_{version}"


class JsonText(str):
    """A value of a message that is canonical JSON already, of texts, integers, booleans, nulls, lists and objects."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One thing that happened to one object, to be told to every endpoint that listens.

    `sequence` is the version of the object, counted from 1 over all types of message: receivers
    get the messages of an object in that order, and find it as `data.version`. `data` is the full
    object, its values plain or `JsonText`; amounts are integers of cents, exact numbers are text.
    `occurred_at` is aware; with no `organization_id` only endpoints that listen to all
    organizations get the message.

    Raises BillingError when the message can not be sent as it is.
    """

    type: str
    organization_id: str | None
    object_id: str
    sequence: int
    occurred_at: datetime
    data: Mapping[str, Any]

    def __post_init__(self) -> None:
        """Refuse what could only fail later, at the receiver."""
        if not _TYPE.fullmatch(self.type):
            raise BillingError(
                f"The message type {self.type!r} is not of the form `object.happened`: use lower "
                "case letters, digits and underscores, with a dot between the parts."
            )
        if not self.object_id or self.sequence < 1:
            raise BillingError(
                f"A message {self.type} needs the id of its object and a sequence of 1 or more; "
                f"got {self.object_id!r} and {self.sequence}."
            )
        if self.occurred_at.tzinfo is None:
            raise BillingError(f"Message {self.message_id}: occurred_at has no time zone.")

    @property
    def message_id(self) -> str:
        """The id under which the message is sent, however often."""
        return message_id(self.type, self.object_id, self.sequence)

    def payload(self) -> str:
        """Return the body `{type, timestamp, data}` as canonical JSON (sorted keys, no spaces).

        Raises BillingError for a body of 20 kB or more, for a number that is not an integer and
        for a value that JSON does not know.
        """
        members = {**self.data, "version": self.sequence}
        try:
            text = canonical_object(
                {
                    "type": canonical_json(self.type),
                    "timestamp": canonical_json(self.occurred_at.astimezone(UTC).isoformat().replace("+00:00", "Z")),
                    "data": canonical_object({name: self._written(value) for name, value in members.items()}),
                }
            )
            size = len(text.encode())
        except (TypeError, ValueError) as error:
            raise BillingError(
                f"Message {self.message_id} can not be written as JSON: {error}. "
                "Use text, integers, booleans, lists and objects."
            ) from error
        if size >= PAYLOAD_BYTES_MAX:
            raise BillingError(
                f"Message {self.message_id} is {size} bytes long and a webhook body must stay "
                f"below {PAYLOAD_BYTES_MAX}. Send a reference to the document in place of its "
                "lines."
            )
        return text

    def _written(self, value: Any) -> str:
        if isinstance(value, JsonText):
            return value
        text = canonical_json(value)
        json.loads(text, parse_float=self._refuse_inexact_number)
        return text

    def _refuse_inexact_number(self, number: str) -> NoReturn:
        raise ValueError(f"{number} is not an integer; send exact numbers as text")


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A receiver of webhooks as it is configured.

    `types` empty means every type; `organization_id` None means every organization. Each message is
    signed with every one of `secrets` (`whsec_...`), so that a receiver can change from one to the
    next.
    """

    endpoint_id: str
    url: str
    secrets: tuple[str, ...] = field(repr=False)
    types: tuple[str, ...] = ()
    organization_id: str | None = None

    def listens_to(self, type: str, *, organization_id: str | None) -> bool:
        """Tell whether messages of a type and an organization are for this endpoint."""
        return (not self.types or type in self.types) and (
            self.organization_id is None or self.organization_id == organization_id
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One delivery that this worker, and no other, may try until its lease ends.

    `attempt_number` counts every attempt of the delivery from 1; `try_number` counts those since
    the message was queued or last replayed, and is what the retry schedule goes by.
    """

    message_id: str
    endpoint: Endpoint
    payload: str
    attempt_number: int
    try_number: int
    endpoint_first_failed_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a claim, and what is to happen next.

    `next_attempt_at` is set exactly when `state` is pending. `paused_until` holds back the whole
    endpoint, `disabled_reason` switches it off. `answer` is the start of the body received.
    """

    state: DeliveryState
    next_attempt_at: datetime | None = None
    paused_until: datetime | None = None
    disabled_reason: str | None = None
    status_code: int | None = None
    duration_ms: int = 0
    answer: str = ""
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One attempt of a delivery; without `duration_ms` the worker stopped before it could say."""

    message_id: str
    endpoint_id: str
    number: int
    started_at: datetime
    status_code: int | None
    duration_ms: int | None
    answer: str | None
    error: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """The state of one message for one endpoint; `next_attempt_at` None means nothing is to come.

    For a delivery in flight `next_attempt_at` is the end of the worker's lease.
    """

    message_id: str
    endpoint_id: str
    object_id: str
    sequence: int
    state: DeliveryState
    attempts_count: int
    next_attempt_at: datetime | None
    claimed_at: datetime | None
    finished_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointSummary:
    """One endpoint and the count of its deliveries by state; `oldest_unsent_at` is when queued."""

    endpoint_id: str
    organization_id: str | None
    url: str
    is_enabled: bool
    disabled_reason: str | None
    first_failed_at: datetime | None
    paused_until: datetime | None
    pending_count: int
    in_flight_count: int
    delivered_count: int
    dead_count: int
    oldest_unsent_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LandingTotal:
    """What one landing batch of a warehouse took, by the marks of its files."""

    batch_id: int
    book_version: str
    files_count: int
    lines_count: int
    landed_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentTotal:
    """The rows that one landing batch left in one table of `raw`, in any order: how many, and the sum of their hashes.

    `source` is the file of the book that records came from, or the file_id of events; `month` (YYYY-MM) is that of the events,
    else empty. `columns` (a JSON array) are those hashed, by `method`.
    """

    table_name: str
    batch_id: int
    source: str
    month: str
    method: str
    columns: str
    rows_count: int
    checksum: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseSeal:
    """The hash that seals a committed close of an organisation and all its closes before."""

    close_id: int
    organization_id: str
    close_hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One file of a finalised invoice: `sha256` in hexadecimal, `bytes` its length.

    `path` is relative to the folder of documents, or absolute where the file was written elsewhere.
    """

    invoice_id: str
    organization_id: str
    number: str
    format: str
    path: str
    sha256: str
    bytes: int
    recorded_at: datetime
