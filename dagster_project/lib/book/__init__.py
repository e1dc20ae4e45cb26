"""The billing book: the input contract, read and validated as a whole (docs/book.md)."""

from dagster_project.lib.book._book import Book, Case, EventSource, Record
from dagster_project.lib.book._problems import BookError, Problem
from dagster_project.lib.book._reader import read_book, read_case

__all__ = [
    "Book",
    "BookError",
    "Case",
    "EventSource",
    "Problem",
    "Record",
    "read_book",
    "read_case",
]
