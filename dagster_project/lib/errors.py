"""The exceptions of the orchestrator.

MeterhouseError
├── InputError        the user's input is wrong            (exit code 2)
│   └── BookError     problems of a book, all at once
└── BillingError      billing or a check failed            (exit code 1)
    └── WarehouseBusyError   another process holds the warehouse
"""


class MeterhouseError(Exception):
    """Base of all errors shown to a user: one paragraph that says what, where and what to do."""

    exit_code = 1


class InputError(MeterhouseError):
    """The input (a path, an option, a book, a case) is wrong; nothing was changed."""

    exit_code = 2


class BillingError(MeterhouseError):
    """Billing stopped or a check failed; the ledger is as it was after the last committed close."""


class WarehouseBusyError(BillingError):
    """Another process holds the warehouse; the message names it."""
