"""What the tests of the kit share: backends that are broken on purpose."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).with_name("harness")))  # test folders are no packages, the harness is one
