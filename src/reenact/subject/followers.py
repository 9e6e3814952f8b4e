# SPDX-License-Identifier: Apache-2.0
"""What is rigid goes along with the skin about it: eyeballs with their lids, teeth and tongue with the lips.

The offset field acts on skin alone. Left where it was, an eyeball shines through lids that were moved back, and lashes
hang in the air before lids that were moved up.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.spatial import KDTree
from torch import Tensor

from reenact.head.model import ParametricHead
from reenact.head.regions import region_ids
from reenact.head.shape import eyeball_vertices
from reenact.head.sparse import Sparse

_NEAR = 6  # skin vertices whose mean a vertex of a lash, a socket or the inside of a cheek takes


def followers(model: ParametricHead, soft: Tensor) -> Sparse:
    """[V, V] from offsets that are zero but on skin (`soft` [V] of the control mesh is 1 there) to offsets of all.

    Skin keeps its own; an eyeball is moved as a whole by the mean of its lids, teeth and tongue by that of the lips.
    """
    top, base = model.topology, model.base_neutral.numpy()
    skin = np.flatnonzero(soft.numpy() > 0.0)
    rows: list[NDArray[np.integer]] = [skin]
    columns: list[NDArray[np.integer]] = [skin]
    values = [np.ones(len(skin))]

    def follow(who: NDArray[np.integer], whom: NDArray[np.integer]) -> None:
        """Every one of `who` takes the mean of all or, if that is a row of neighbours each, of its own."""
        whom = np.broadcast_to(whom, (len(who), whom.shape[-1]))
        rows.append(np.repeat(who, whom.shape[1]))
        columns.append(whom.ravel())
        values.append(np.full(whom.size, 1.0 / whom.shape[1]))

    lids, lips = (np.intersect1d(top.region_vertices(*region_ids(n)).numpy(), skin) for n in ("eyelids", "lips"))
    taken = np.zeros(len(base), bool)
    for ball in (rows.numpy() for rows in eyeball_vertices(top, model.base_neutral)):
        if len(ball) and len(lids):
            follow(ball, lids[(base[lids, 0] > 0) == (base[ball[0], 0] > 0)])
            taken[ball] = True
    inside = top.region_vertices(*region_ids("teeth_upper", "teeth_lower", "tongue")).numpy()
    if len(inside) and len(lips):
        follow(inside, lips)
        taken[inside] = True
    rest = np.flatnonzero((soft.numpy() == 0.0) & ~taken)
    if len(rest):
        follow(rest, skin[KDTree(base[skin]).query(base[rest], k=_NEAR)[1]])
    entries = np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))
    return Sparse(csr_matrix(entries, (len(base), len(base)), dtype=np.float32))
