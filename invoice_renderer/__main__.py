"""``python -m invoice_renderer``."""

import sys

from invoice_renderer._cli import main

if __name__ == "__main__":
    sys.exit(main())
