# SPDX-License-Identifier: Apache-2.0
"""`reenact doctor`: what is installed, what is missing, and the command that mends it."""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from reenact import __version__

from . import checks
from .arguments import Verbose
from .checks import Check

GROUPS: tuple[Callable[[], Iterator[Check]], ...] = (
    checks.python,
    checks.packages,
    checks.single_opencv,
    checks.face_models,
    checks.encoders,
    checks.devices,
    checks.head_asset,
    checks.performances,
    checks.extras,
)


@dataclass(frozen=True)
class Doctor:
    """Look at this installation and say what works, what is missing, and the command that mends it.

    Leaves with exit code 0 if `reenact animate` can run, 1 if something it needs is missing.
    """

    verbose: Verbose = False

    def run(self) -> int:
        """Print one line a check, the remedies below; returns the exit code."""
        print(f"reenact {__version__} on {sys.platform}\n")
        failures = 0
        for group in GROUPS:
            for check in group():
                print(_line(check), flush=True)
                failures += check.failed
        print("\nReady." if not failures else f"\n{failures} missing: run the commands above, then `reenact doctor`.")
        return 1 if failures else 0


def _line(check: Check) -> str:
    state = "ok" if check.ok else "MISSING" if check.needed else "not used"
    line = f"{state:9}{check.name:20}{check.found}"
    return line if check.ok else f"{line}\n{'':9}{'':20}-> {check.remedy}"
