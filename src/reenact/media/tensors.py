# SPDX-License-Identifier: Apache-2.0
"""Tensors in safetensors files, and weights of networks among them: what does not fit is refused in one sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from safetensors.torch import save_file
from torch import Tensor, nn

from .arrays import read_safetensors
from .errors import InputError
from .files import written_beside


def write_tensors(path: Path, tensors: Mapping[str, Tensor], about: dict[str, str] | None = None) -> None:
    """Write a safetensors file; beside the target first, renamed when complete."""
    plain = {name: value.detach().contiguous().cpu() for name, value in tensors.items()}
    with written_beside(path) as partial:
        save_file(plain, partial, metadata=about)


def write_weights(path: Path, weights: Mapping[str, Tensor], about: dict[str, str] | None = None) -> None:
    """Write tensors in half precision. See `write_tensors`."""
    write_tensors(path, {name: value.half() for name, value in weights.items()}, about)


def read_tensors(path: Path, what: str, written_by: str = "") -> tuple[dict[str, Tensor], dict[str, str]]:
    """Read all tensors of a safetensors file, and what it says about itself. See `arrays.read_arrays`."""
    return read_safetensors(path, what, written_by, "pt")


def load_weights(
    net: nn.Module, path: Path, what: str, written_by: str, beside: Sequence[str] = ()
) -> dict[str, Tensor]:
    """Load the state of a network and return what the file holds beside it.

    Args:
        net: takes the tensors.
        path: of a safetensors file.
        what: it holds weights of: "transfer network".
        written_by: the command that writes such files.
        beside: names of tensors that the file holds beside the network's own.

    Returns:
        The tensors named in `beside`.

    Raises:
        InputError: the file cannot be read, or its tensors do not fit the network.
    """
    tensors, _ = read_tensors(path, f"file of weights of the {what}", written_by)
    fill(net, tensors, path, what, written_by, beside)
    return {name: tensors[name] for name in beside}


def fill(
    net: nn.Module,
    tensors: Mapping[str, Tensor],
    path: Path,
    what: str,
    written_by: str,
    beside: Sequence[str] = (),
) -> None:
    """Load tensors that `path` holds into a network. Arguments and errors are those of `load_weights`."""
    if said := misfits(net, tensors, beside):
        raise InputError(f"{path} holds no weights of the {what} ({said}); want a file that `{written_by}` wrote")
    net.load_state_dict({name: value for name, value in tensors.items() if name not in beside})


def misfits(net: nn.Module, tensors: Mapping[str, Tensor], beside: Sequence[str] = ()) -> str:
    """Say which tensors are none of a network's own nor named in `beside`, missing, or of another shape.

    Returns:
        Text for a message, with up to three names of each kind; empty if all fit.
    """
    shapes = {name: value.shape for name, value in net.state_dict().items()}
    found = {
        "unknown": [name for name in tensors if name not in shapes and name not in beside],
        "missing": [name for name in (*shapes, *beside) if name not in tensors],
        "of another shape": [n for n, shape in shapes.items() if n in tensors and tensors[n].shape != shape],
    }
    return "; ".join(f"{how}: {', '.join(names[:3])}" for how, names in found.items() if names)
