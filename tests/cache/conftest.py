"""Makes the caches that are wrong on purpose importable."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).with_name("harness")))  # test folders are no packages
