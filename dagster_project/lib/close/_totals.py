"""The warehouse against the control totals that are kept outside of it, before anything is billed."""

import hashlib
from collections.abc import Sequence
from datetime import datetime

from dagster_project.lib.close._contents import changed_contents, unrecorded_contents
from dagster_project.lib.errors import BillingError
from dagster_project.lib.operations import CloseSeal, LandingTotal, OperationsStore
from dagster_project.lib.warehouse import Session, Warehouse
from dagster_project.lib.words import plural

_SHOWN = 5
_MAX_KEY_BYTES = 1000


def check_totals(warehouse: Warehouse, store: OperationsStore) -> None:
    """Compare the warehouse with what the operations store knows of it.

    Raises BillingError when a batch or a close on record is missing or has changed: the file was truncated, damaged or
    restored from a backup that is too old.
    """
    differences = lost_totals(warehouse, store)
    if differences:
        more = f", and {len(differences) - _SHOWN} more" if len(differences) > _SHOWN else ""
        raise BillingError(
            f"The warehouse {warehouse} does not hold what was recorded outside of it: "
            f"{'; '.join(differences[:_SHOWN])}{more}. Nothing was landed or billed. Restore the warehouse from a backup "
            "that holds it. What should read otherwise is corrected in the book and landed again, never in the rows of "
            "raw. If you replaced the warehouse on purpose, move its operations store away as well."
        )


def lost_totals(warehouse: Warehouse, store: OperationsStore, *, everything: bool = False) -> list[str]:
    """What the operations store knows of the warehouse and the warehouse does not say any more, in words.

    `everything`: rows that no close reads again are looked at, too.
    """
    landings, seals = store.landing_totals(warehouse.schema_prefix), store.close_seals(warehouse.schema_prefix)
    if not landings and not seals:
        lost = lost_store(warehouse, store) if everything else None
        return [lost] if lost else []
    with warehouse.connect(read_only=True) as session:
        landed = {total.batch_id: total for total in landing_totals(session)}
        sealed = {(seal.close_id, seal.organization_id): seal.close_hash for seal in close_seals(session)}
        changed = changed_contents(session, store, warehouse, everything=everything)
    differences = []
    for total in landings:
        found = landed.get(total.batch_id)
        if found is None:
            differences.append(
                f"landing batch {total.batch_id} ({plural(total.files_count, 'file')}, "
                f"{plural(total.landed_count, 'event')}) is missing"
            )
        elif found != total:
            differences.append(
                f"landing batch {total.batch_id} had {plural(total.files_count, 'file')} with "
                f"{plural(total.landed_count, 'event')}, now {found.files_count} with {found.landed_count:,}"
            )
    for seal in seals:
        hash_ = sealed.get((seal.close_id, seal.organization_id))
        if hash_ != seal.close_hash:
            state = "is missing" if hash_ is None else "has another seal"
            differences.append(f"close {seal.close_id} of organisation {seal.organization_id} {state}")
    unwatched = _unwatched(landings, warehouse, store) if everything else []
    return [*differences, *changed, *unwatched]


def _unwatched(landings: Sequence[LandingTotal], warehouse: Warehouse, store: OperationsStore) -> list[str]:
    """The batches on record of whose rows no sums are: an old version wrote none, this one writes both at once."""
    summed = {batch for batch, _ in store.content_batches(warehouse.schema_prefix)}
    batches = [total.batch_id for total in landings if total.batch_id not in summed]
    if not batches:
        return []
    return [
        f"the operations store has no sums of the rows of {plural(len(batches), 'landing batch', 'landing batches')} "
        f"(the first is {batches[0]}). If they were lost, restore it from a backup: nothing tells any more whether what was "
        "landed is as it was. A close makes them anew from what is there"
    ]


def lost_store(warehouse: Warehouse, store: OperationsStore) -> str | None:
    """What to say when the operations store knows nothing of a warehouse that has committed closes, else null."""
    if store.landing_totals(warehouse.schema_prefix) or store.close_seals(warehouse.schema_prefix):
        return None
    with warehouse.connect(read_only=True) as session:
        closes_count = len({seal.close_id for seal in close_seals(session)})
    if not closes_count:
        return None
    return (
        f"the operations store knows nothing of the {closes_count} committed closes of {warehouse}. If it was lost, restore "
        "it from a backup, or look at the ledger by hand: nothing tells any more whether what was landed is as it was. A close "
        "makes its totals and documents anew and queues its messages again, under the same ids"
    )


def record_totals(warehouse: Warehouse, store: OperationsStore, *, now: datetime) -> None:
    """Write down outside of the warehouse what it holds: complete batches with what their rows say, committed closes."""
    with warehouse.connect(read_only=True) as session:
        landings, seals = landing_totals(session), close_seals(session)
        contents = unrecorded_contents(session, store, warehouse)
    store.record_totals(warehouse.schema_prefix, landings=landings, seals=seals, contents=contents, now=now)


def landing_totals(session: Session) -> list[LandingTotal]:
    """The complete batches of a warehouse, by the marks of their files."""
    raw = session.schema("raw")
    return [
        LandingTotal(
            batch_id=batch_id,
            book_version=version or "",
            files_count=int(files),
            lines_count=int(lines),
            landed_count=int(landed),
        )
        for batch_id, version, files, lines, landed in session.rows(
            "select b.batch_id, b.book_version, count(f.file_id), coalesce(sum(f.lines_count), 0), "
            f"coalesce(sum(f.landed_count), 0) from {raw}.landing_batches b "
            f"left join {raw}.landed_files f on f.batch_id = b.batch_id group by b.batch_id, b.book_version order by 1"
        )
    ]


def close_seals(session: Session) -> list[CloseSeal]:
    """The seals of committed closes; closes of a version without seals have none."""
    ledger = session.schema("ledger")
    if not session.rows(
        "select 1 from information_schema.columns "
        "where table_schema = ? and table_name = 'ledger_close_organizations' and column_name = 'close_hash'",
        [ledger],
    ):
        return []
    return [
        CloseSeal(close_id=close_id, organization_id=_key(organization_id), close_hash=close_hash)
        for close_id, organization_id, close_hash in session.rows(
            f"select close_id, organization_id, close_hash from {ledger}.ledger_close_organizations "
            f"where close_hash is not null and close_id in (select close_id from {ledger}.closes) order by 1, 2"
        )
    ]


def _key(organization_id: str) -> str:
    """The id, or its hash where it is longer than an entry of an index may be."""
    text = organization_id.encode()
    return organization_id if len(text) <= _MAX_KEY_BYTES else hashlib.sha256(text).hexdigest()
