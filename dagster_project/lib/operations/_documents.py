"""The register of documents of finalised invoices."""

from collections.abc import Iterable

from sqlalchemy import select, update

from dagster_project.lib.errors import BillingError
from dagster_project.lib.operations import _tables as tables
from dagster_project.lib.operations._base import Store
from dagster_project.lib.operations._records import Document

_document = tables.documents.c


class Documents(Store):
    """The part of the store that knows which files were issued, by their hash."""

    def record_documents(self, documents: Iterable[Document]) -> int:
        """Record the documents of finalised invoices, all or none; return how many were new.

        The same invoice, format and hash again changes nothing. Raises BillingError when another
        hash is on record: a finalised document never changes.
        """
        new_count = 0
        with self._engine.begin() as connection:
            for document in documents:
                new = connection.execute(
                    self._insert_new(tables.documents).values(
                        {column.name: getattr(document, column.name) for column in tables.documents.columns}
                    )
                )
                if new.rowcount:
                    new_count += 1
                    continue
                recorded: str = connection.execute(
                    select(_document.sha256).where(
                        _document.invoice_id == document.invoice_id,
                        _document.format == document.format,
                    )
                ).scalar_one()
                if recorded != document.sha256:
                    raise BillingError(
                        f"The {document.format} document of invoice {document.number} "
                        f"({document.path}) has the hash {document.sha256}, but {recorded} is on "
                        "record since it was first issued, and a finalised document never "
                        "changes. Restore the first file from its backup, or find out what "
                        "changed in the template or the renderer."
                    )
        return new_count

    def place_documents(self, documents: Iterable[Document]) -> None:
        """Record where documents are now, by the `path` of each; all or none."""
        with self._engine.begin() as connection:
            for document in documents:
                connection.execute(
                    update(tables.documents)
                    .where(_document.invoice_id == document.invoice_id, _document.format == document.format)
                    .values(path=document.path)
                )

    def documents(
        self,
        *,
        organization_id: str | None = None,
        invoice_id: str | None = None,
        number: str | None = None,
    ) -> list[Document]:
        """Return recorded documents by organization, number and format; every argument narrows."""
        query = select(tables.documents).order_by(
            _document.organization_id, _document.number, _document.invoice_id, _document.format
        )
        for column, value in (
            (_document.organization_id, organization_id),
            (_document.invoice_id, invoice_id),
            (_document.number, number),
        ):
            if value is not None:
                query = query.where(column == value)
        with self._engine.begin() as connection:
            return [Document(**row._mapping) for row in connection.execute(query)]
