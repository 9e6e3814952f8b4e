# SPDX-License-Identifier: Apache-2.0
"""What the fit expects of a face before it has seen it: identity = mean + factor z, z standard normal.

For the open head the numbers are learnt from real scans and from anny's people of all ages (assets/identity_prior.md);
any other head model is taken at its word: its coefficients are standard normal.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from reenact.head.model import ParametricHead
from reenact.head.open import OpenHead
from reenact.media.arrays import read_arrays
from reenact.media.files import asset

PRIOR_ASSET = asset("identity_prior.safetensors")


@dataclass(frozen=True)
class IdentityPrior:
    """A normal distribution of identity coefficients."""

    mean: NDArray[np.float32]  # [K]
    factor: NDArray[np.float32]  # [K, K], columns by falling variance of the landmarks

    def identity(self, z: NDArray[np.float32]) -> NDArray[np.float32]:
        """[K] standard normal -> [K] coefficients."""
        return np.asarray(self.mean + self.factor @ z, np.float32)


def unit_prior(size: int) -> IdentityPrior:
    """Standard normal coefficients."""
    return IdentityPrior(np.zeros(size, np.float32), np.eye(size, dtype=np.float32))


def identity_prior(model: ParametricHead) -> IdentityPrior:
    """The shipped prior for the open head, the unit prior for any other."""
    return _shipped() if model.name == OpenHead.name else unit_prior(model.identity_size)


@lru_cache(maxsize=1)
def _shipped() -> IdentityPrior:
    tensors, _ = read_arrays(PRIOR_ASSET, "identity prior")
    return IdentityPrior(tensors["mean"], tensors["factor"])
