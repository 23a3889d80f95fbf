"""`python -m polaris_core` is `polaris-kg`."""

from __future__ import annotations

import sys

from polaris_core.cli import main

if __name__ == "__main__":
    sys.exit(main())
