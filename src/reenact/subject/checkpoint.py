# SPDX-License-Identifier: Apache-2.0
"""What a fit has found so far, in a folder beside its output: an interrupted fit goes on where it was."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Final

from torch import Tensor

from reenact.media.errors import InputError
from reenact.media.tensors import read_tensors, write_tensors

_OF: Final = "of.json"
_FORMAT: Final = 2
"""Of the tensors: what another version of this package kept is thrown away."""


class FitCheckpoint:
    """Tensors by name. Those of another fit (other files, other settings) are thrown away."""

    def __init__(self, folder: Path, of: object) -> None:
        """of: what the fit depends on, as plain types. Nothing is written yet."""
        self.folder = folder
        self._of = hashlib.sha256(json.dumps([_FORMAT, of], sort_keys=True).encode()).hexdigest()
        if folder.is_dir() and self._known() != self._of:
            shutil.rmtree(folder)

    def load(self, name: str) -> dict[str, Tensor] | None:
        """None: not there, or not whole."""
        try:
            return read_tensors(self.folder / f"{name}.safetensors", "part of a fit")[0]
        except InputError:
            return None

    def save(self, name: str, tensors: dict[str, Tensor]) -> None:
        """Raises InputError if the folder cannot be written."""
        if not self.folder.is_dir():
            self.folder.mkdir()
            (self.folder / _OF).write_text(json.dumps(self._of), encoding="utf-8")
        write_tensors(self.folder / f"{name}.safetensors", tensors)

    def remove(self) -> None:
        """The fit is done."""
        if self.folder.is_dir():
            shutil.rmtree(self.folder)

    def _known(self) -> str | None:
        try:
            return json.loads((self.folder / _OF).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None


def stamp(path: Path) -> list[str]:
    """What tells a file, or the files of a folder, from another: name, size, time of change."""
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    stats = [(f.name, f.stat()) for f in files if f.is_file()]
    told = repr([(name, s.st_size, s.st_mtime_ns) for name, s in stats])
    return [str(path.absolute()), hashlib.sha256(told.encode()).hexdigest()]
