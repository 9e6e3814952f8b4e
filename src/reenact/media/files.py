# SPDX-License-Identifier: Apache-2.0
"""Finding input files and writing output files whole or not at all."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import InputError


def asset(name: str) -> Path:
    """Name a file that is shipped in the package: a network's weights, the head, the demo photo."""
    return Path(__file__).parents[1] / "assets" / name


def existing_file(path: Path | str, wanted: str) -> Path:
    """`path` as a Path, or InputError unless it is a readable file with something in it.

    `wanted` is what the file should be, with its article: "a photo", "a video".
    """
    path = Path(path)
    if path.is_dir():
        raise InputError(f"{path} is a folder; {wanted} is wanted.")
    if not path.is_file():
        raise InputError(f"{path} does not exist; {wanted} is wanted.")
    if not os.access(path, os.R_OK):
        raise InputError(f"{path} may not be read by this user; {wanted} that can be opened is wanted.")
    if path.stat().st_size == 0:
        raise InputError(f"{path} is empty (0 bytes); {wanted} is wanted.")
    return path


@contextmanager
def written_beside(path: Path | str) -> Iterator[Path]:
    """Yield a hidden path in the same folder; it replaces `path` if the block succeeds, else it is removed.

    The same folder is the same file system, so the final rename is atomic: a reader, or a user who
    interrupts, sees the old file or the whole new one. The suffix is kept, because encoders go by it.
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise InputError(f"{path} cannot be written: the folder {path.parent} does not exist.")
    if path.is_dir():
        raise InputError(f"{path} cannot be written: it is a folder, and a file name is wanted.")
    if not os.access(path.parent, os.W_OK):
        raise InputError(f"{path} cannot be written: this user may not write into {path.parent}.")
    partial = path.with_name(f".{path.stem}.{secrets.token_hex(4)}.partial{path.suffix}")
    try:
        partial.touch()
        mode = partial.stat().st_mode  # what this user's files have; safetensors would keep them from all others
        partial.unlink()
        yield partial
        partial.chmod(mode)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
