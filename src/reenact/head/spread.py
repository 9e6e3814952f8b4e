# SPDX-License-Identifier: Apache-2.0
"""Values known at some vertices, spread smoothly over the mesh to the others."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import splu

from .model import Float, Int

_HOLD = 10.0  # how firmly a known vertex keeps its value against the pull of its neighbours


def spread(values: Float, known: Float, faces: Int) -> Float:
    """Least-squares smooth values over a mesh, held where they are known (a screened Laplace equation).

    values: [V, C]. known: [V] trust in each, 0 to 1. faces: [F, 3] of the part of the mesh over which to
    spread; vertices outside of it, and pieces without any known vertex, keep what they have.
    """
    used, flat = np.unique(faces, return_inverse=True)
    local = flat.reshape(-1, 3)
    links = np.concatenate([local[:, [0, 1]], local[:, [1, 2]], local[:, [2, 0]]])
    ones = np.ones(len(links), np.float32)
    adjacency = sp.coo_matrix((ones, (links[:, 0], links[:, 1])), shape=(len(used), len(used)))
    adjacency = ((adjacency + adjacency.T) > 0).astype(np.float64)
    pieces, label = sp.csgraph.connected_components(adjacency, directed=False)
    rooted = np.bincount(label, weights=known[used], minlength=pieces)[label] > 0
    hold = _HOLD * known[used].astype(np.float64) + np.where(rooted, 1e-6, 1.0)
    laplacian = sp.diags(np.asarray(adjacency.sum(axis=1)).ravel()) - adjacency
    system = sp.csc_matrix(laplacian.multiply(rooted[:, None]) + sp.diags(hold))
    out = values.astype(np.float32, copy=True)
    out[used] = splu(system).solve(hold[:, None] * values[used])
    return out
