"""The `meterhouse` command."""

import sys

from dagster_project.command import cli
from dagster_project.lib.errors import MeterhouseError


def main() -> None:
    """Run the command; errors of the user's input or of billing are one paragraph, without a traceback."""
    try:
        cli(standalone_mode=True)
    except MeterhouseError as error:
        sys.stdout.flush()
        print(f"meterhouse: {error}", file=sys.stderr)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
