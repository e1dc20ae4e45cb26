"""The `meterhouse` command."""

import errno
import gc
import io
import sys

import duckdb
import psycopg2
from sqlalchemy.exc import SQLAlchemyError

from dagster_project.command import cli
from dagster_project.lib.errors import BillingError, InputError, MeterhouseError


def main() -> None:
    """Run the command; errors of the user's input or of billing are one paragraph, without a traceback."""
    # dbt's manifest is some million objects that live as long as the command: going through them again and again for
    # garbage is a tenth of an empty close
    gc.set_threshold(200_000, 50, 1000)
    # what a file says wrongly is shown as it is, also where the terminal has no letter for it
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        cli(standalone_mode=True)
    except MeterhouseError as error:
        sys.stdout.flush()
        print(f"meterhouse: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except (duckdb.Error, psycopg2.Error, SQLAlchemyError) as error:
        # a lost connection, a damaged file, a full disk: no step of a close is half done for any reader
        sys.stdout.flush()
        if isinstance(getattr(error, "orig", error), psycopg2.errors.InsufficientPrivilege):
            what = (
                "Give that right to the user of the warehouse's address, who creates and owns the schemas of the house,"
            )
        else:
            what = "Check the server or the disk (a file that is damaged is restored from a backup)"
        print(
            f"meterhouse: the database stopped the work: {' '.join(str(error).split())}. {what} "
            "and run the command again: what a close has committed is kept, the rest is made then.",
            file=sys.stderr,
        )
        sys.exit(BillingError.exit_code)
    except OSError as error:
        # a folder that is not there or may not be written, a full disk: what a library says of it is readable
        sys.stdout.flush()
        place = f"{error.filename}: " if error.filename else ""
        print(
            f"meterhouse: {place}{error.strerror or error}. Check that the path exists, may be written and has room, "
            "and run the command again: what a close has committed is kept, the rest is made then.",
            file=sys.stderr,
        )
        is_full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        sys.exit((BillingError if is_full else InputError).exit_code)


if __name__ == "__main__":
    main()
