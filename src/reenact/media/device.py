# SPDX-License-Identifier: Apache-2.0
"""The device that networks run on, by the name that a user gives."""

from __future__ import annotations

import torch

from .errors import InputError

_WANTED = "want cpu, or an accelerator of this machine such as cuda or mps"


def torch_device(name: str | torch.device | None = None) -> torch.device:
    """Return the device of a name.

    Args:
        name: in torch's words, such as "cuda:1", "mps" or "cpu"; None: the accelerator if there is one, else the CPU.

    Raises:
        InputError: torch knows no such device, or this machine has none.
    """
    if name is None:
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise InputError(f"torch knows no device {name}; {_WANTED}") from error
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise InputError(f"the device {name} cannot be used ({str(error).splitlines()[0]}); {_WANTED}") from error
    return device
