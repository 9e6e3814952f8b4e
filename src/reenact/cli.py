# SPDX-License-Identifier: Apache-2.0
"""The entry point: parse, run, and turn what went wrong into one sentence and an exit code."""

import faulthandler
import logging
import os
import signal
import sys
import warnings
from collections.abc import Sequence
from types import FrameType

import tyro

from reenact import __version__
from reenact.app.animate import Animate
from reenact.app.arguments import BadArgument
from reenact.app.doctor import Doctor
from reenact.app.edit import Edit
from reenact.app.export import Export
from reenact.app.head import Head
from reenact.app.track import Track
from reenact.lab.commands.evaluate import Compare, Run, Score, Synth
from reenact.lab.commands.train import TrainActionCorrections, TrainDense, TrainExpression, Training, TrainTransfer
from reenact.lab.commands.train_generator import TrainGenerator

COMMANDS = {"animate": Animate, "track": Track, "head": Head, "edit": Edit, "export": Export, "doctor": Doctor}
EVALUATE = {"run": Run, "synth": Synth, "score": Score, "compare": Compare}
TRAIN = {
    "dense": TrainDense,
    "expression": TrainExpression,
    "generator": TrainGenerator,
    "action-corrections": TrainActionCorrections,
    "transfer": TrainTransfer,
}
"""One verb a command: a dataclass whose fields are the arguments and whose `run` returns the exit code."""

EXIT_BAD_INPUT = 2
EXIT_INTERRUPTED = 130

DESCRIPTION = """Portrait reenactment: a source photo and a driving motion make a video.

Try:  reenact animate photo.jpg talking -o out.mp4

Help for one command:  reenact animate --help
To measure:            reenact evaluate --help
To train:              reenact train --help"""

EVALUATE_DESCRIPTION = (
    "Measure: run this project and baselines on real or synthetic people, score any system's videos, "
    "compare two results."
)
TRAIN_DESCRIPTION = "Train: make the shipped weights again, or better ones."
GROUPS = {"evaluate": (EVALUATE, EVALUATE_DESCRIPTION), "train": (TRAIN, TRAIN_DESCRIPTION)}

REMOVED = (
    ("animate", "--detail copied", "want own, the source person's own detail, or none"),
    ("train generator", "--control", "the driven head is shown by its normals, as it was without the option"),
)
"""Verb, option of earlier versions, and what to use now."""


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line and leave with its exit code.

    0: done. 1: `doctor` found something missing. 2: the arguments or the files are not usable; one line on
    stderr says why. 130: interrupted, nothing half-written. Anything unforeseen keeps its traceback.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments == ["--version"]:
        print(f"reenact {__version__}")
        sys.exit(0)
    try:
        command = parse(arguments or ["--help"])
        _configure_output(command.verbose)
        _terminate_like_interrupt()
        sys.exit(command.run())
    except KeyboardInterrupt as stop:
        print(f"reenact: interrupted; {str(stop) or 'nothing was written'}", file=sys.stderr)
        sys.exit(EXIT_INTERRUPTED)
    except ValueError as error:
        if not is_for_the_user(error):
            raise
        print(f"reenact: {error}", file=sys.stderr)
        sys.exit(EXIT_BAD_INPUT)


def is_for_the_user(error: ValueError) -> bool:
    """Whether the error's message is a sentence about the user's input, and not a fault of the program."""
    if isinstance(error, BadArgument):
        return True
    from reenact.media.errors import InputError

    return isinstance(error, InputError)


Command = (
    Animate | Track | Head | Edit | Export | Doctor | Run | Synth | Score | Compare | Training | TrainActionCorrections
)


def parse(arguments: Sequence[str]) -> Command:
    """The command that the arguments ask for; leaves with exit code 2 when they make no sense.

    Raises BadArgument for an option of earlier versions.
    """
    _check_removed(arguments)
    if arguments[0] in GROUPS:
        commands, description = GROUPS[arguments[0]]
        return tyro.extras.subcommand_cli_from_dict(
            commands,
            prog=f"reenact {arguments[0]}",
            description=description,
            args=list(arguments[1:]) or ["--help"],
            config=(tyro.conf.FlagCreatePairsOff,),
        )
    return tyro.extras.subcommand_cli_from_dict(
        COMMANDS,
        prog="reenact",
        description=DESCRIPTION,
        args=arguments,
        config=(tyro.conf.FlagCreatePairsOff,),
    )


def _check_removed(arguments: Sequence[str]) -> None:
    line = " ".join(word for argument in arguments for word in argument.split("=", 1)) + " "
    for verb, option, wanted in REMOVED:
        if line.startswith(f"{verb} ") and f" {option} " in line:
            raise BadArgument(f"{option} was removed; {wanted}")


def _configure_output(verbose: bool) -> None:
    """Send our log to stderr: warnings only and no chatter of libraries, or everything when `verbose`."""
    logging.basicConfig(
        level=logging.INFO if verbose else logging.WARNING, format="reenact: %(message)s", stream=sys.stderr
    )
    if verbose:
        logging.getLogger("reenact").setLevel(logging.DEBUG)
        return
    warnings.simplefilter("ignore")
    _discard_native_messages()


def _terminate_like_interrupt() -> None:
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
