# SPDX-License-Identifier: Apache-2.0
"""What reaches the user's terminal: our own log lines, not those of the libraries underneath."""

import faulthandler
import logging
import os
import signal
import sys
import warnings
from types import FrameType


def configure_output(verbose: bool) -> None:
    """Send our log to stderr: warnings only and no chatter of libraries, or everything when `verbose`."""
    logging.basicConfig(
        level=logging.INFO if verbose else logging.WARNING, format="reenact: %(message)s", stream=sys.stderr
    )
    if verbose:
        logging.getLogger("reenact").setLevel(logging.DEBUG)
        return
    warnings.simplefilter("ignore")
    _discard_native_messages()


def terminate_like_interrupt() -> None:
    """Let SIGTERM (`timeout`, a closing session) unwind the stack as Ctrl-C does: partial files go."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)


def _discard_native_messages() -> None:
    """Point file descriptor 2 at nothing and Python's stderr at the terminal.

    mediapipe writes a line for each model that it opens from C++, before its log library reads any setting, the
    environment variables included. Everything Python says, tracebacks and fatal signals too, still arrives.
    """
    terminal = os.dup(2)
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 2)
    os.close(nothing)
    sys.stderr = open(terminal, "w", buffering=1, encoding="utf-8", errors="replace")  # noqa: SIM115, PTH123
    faulthandler.enable(sys.stderr)
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.StreamHandler):
            handler.setStream(sys.stderr)
