"""From the rows that the files hold to a checked book."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dagster_project.lib.book._book import Book, EventSource, Record
from dagster_project.lib.book._catalog import Organization
from dagster_project.lib.book._checks import check_tables
from dagster_project.lib.book._entries import MODELS, Entry, Tables
from dagster_project.lib.book._overrides import plan_variants, private_plans
from dagster_project.lib.book._places import Place, Problems, validated
from dagster_project.lib.book._problems import BookError, nearest
from dagster_project.lib.book._records import records


@dataclass(slots=True)
class Draft:
    """What the files hold: organisations and rows with the names of their tables, in order.

    `name` is the case's or the folder's.
    """

    name: str
    organizations: list[Place] = field(default_factory=list)
    rows: list[tuple[str, Place]] = field(default_factory=list)

    def organization_ids(self, replacement: str | None) -> tuple[str, ...]:
        """The ids as written; for an only organisation the replacement, its id, or `name`."""
        written = [place.at("id").value for place in self.organizations]
        if len(written) <= 1:
            only = written[0] if written and isinstance(written[0], str) else self.name
            return (replacement or only,)
        return tuple(identifier for identifier in written if isinstance(identifier, str))


def assembled(
    path: Path,
    draft: Draft,
    events: tuple[EventSource, ...],
    *,
    organization_id: str | None,
    problems: Problems,
) -> Book:
    """The book.

    Raises BookError with the problems found before and here.
    """
    parts = _organizations(draft, organization_id, problems)
    _add_rows(parts, draft, problems)
    made: list[Record] = []
    for identifier, tables in parts.items():
        check_tables(tables, problems)
        copies = private_plans(tables, problems)
        copies += plan_variants(tables, copies, problems)
        if not problems.found:
            name = tables.organization.model.name or (draft.name if len(parts) == 1 else identifier)
            made += records(identifier, name, tables, copies)
    _check_ids(made, problems)
    if problems.found:
        raise BookError(str(path), problems.found)
    return Book(
        path=path,
        organization_ids=tuple(parts),
        records=tuple(made),
        event_sources=events,
        timezones=frozenset(zone for tables in parts.values() for zone in _timezones(tables)),
    )


def _organizations(draft: Draft, replacement: str | None, problems: Problems) -> dict[str, Tables]:
    parts: dict[str, Tables] = {}
    several = len(draft.organizations) > 1
    ids = iter(draft.organization_ids(replacement))
    for place in draft.organizations:
        model = validated(Organization, place, problems)
        if several and not isinstance(place.at("id").value, str):
            problems.add(place, "an id: the book has several organisations", "id")
            continue
        identifier = next(ids)
        if identifier in parts:
            problems.add(place, "an id of its own; an earlier organisation has the same", "id")
        # a refused organisation still lets its rows be checked; no records are made then
        placeholder = Organization.model_construct(default_currency="XXX")
        parts[identifier] = Tables(Entry(model or placeholder, place, len(parts) + 1))
    if several and replacement is not None:
        problems.add(draft.organizations[1], "no second organisation, since one id was given for the book")
    return parts


def _add_rows(parts: Mapping[str, Tables], draft: Draft, problems: Problems) -> None:
    only = next(iter(parts)) if len(parts) == 1 else None
    for table, place in draft.rows:
        model = validated(MODELS[table], place, problems)
        row = place.value
        written = row.get("organization_id") if isinstance(row, dict) else None
        if only is not None and written in (None, "", _written_id(draft)):
            written = only
        tables = parts.get(written) if isinstance(written, str) else None
        if tables is not None and model is not None:
            tables.add(table, model, place)
        elif tables is not None:
            tables.add_invalid(table, place)
        elif parts:
            name = written if isinstance(written, str) else ""
            problems.add(place, f"the row's organisation: {nearest(name, parts)}", "organization_id")


def _written_id(draft: Draft) -> object:
    return draft.organizations[0].at("id").value if draft.organizations else None


def _check_ids(made: Sequence[Record], problems: Problems) -> None:
    """Rows without an id whose content is the same in two files cannot be told apart."""
    first: dict[tuple[object, ...], Record] = {}
    for record in made:
        key = (record.organization_id, record.table, *record.key)
        if key in first:
            other = f"{first[key].source_file}:{first[key].source_line}"
            wanted = f"an id of its own, or the row in one file only: {other} has the same"
            problems.file(
                record.source_file,
                wanted,
                line=record.source_line,
                value=f"a row of {record.table}",
            )
        first.setdefault(key, record)


def _timezones(tables: Tables) -> set[str]:
    organization = tables.organization.model
    zones = {organization.timezone, *(entity.timezone for entity in organization.billing_entities)}
    for customer in tables.customers:
        zones.add(customer.model.timezone)
        zones.update(change.timezone for change in customer.model.timezone_changes)
    return {zone for zone in zones if zone is not None}
