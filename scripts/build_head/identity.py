# SPDX-License-Identifier: Apache-2.0
"""A statistical identity basis: principal components of people sampled from anny's whole range.

anny describes a person by eleven phenotypes (age from newborn to elder, sex, weight, ancestry, ...) that interact
non-linearly, and by local changes.  A fit wants a linear basis with a Gaussian prior; principal components of a large
sample give both, and put babies and elders inside the same space.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

LOCAL_PREFIXES = ("cheek", "chin", "ear-", "eye-", "eyebrows", "forehead", "head-", "mouth", "neck", "nose")
LOCAL_SIGMA = 0.33  # anny's local changes are drawn at their extremes at +-1; people seldom are extreme in many at once


def head_local_changes(labels: list[str]) -> list[str]:
    """The local changes that reshape a head: name starts, after an optional ``l-``/``r-``, with a head part."""
    return [n for n in labels if n.removeprefix("l-").removeprefix("r-").startswith(LOCAL_PREFIXES)]


def sample_people(model: Any, count: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Phenotypes [count, P] and local changes [count, L] of random people, ages 0 to 90 evenly."""
    from anny.shape_distribution import SimpleShapeDistribution

    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    _, phenotype = SimpleShapeDistribution(model).sample(count)
    races = torch.distributions.Dirichlet(torch.full((3,), 0.6)).sample((count,))
    for i, race in enumerate(("african", "asian", "caucasian")):
        phenotype[race] = races[:, i]
    phenotypes = torch.stack([phenotype[n].double() for n in model.phenotype_labels], dim=1)
    local = torch.zeros(count, len(model.local_change_labels), dtype=torch.float64)
    index = {n: i for i, n in enumerate(model.local_change_labels)}
    for name in head_local_changes(model.local_change_labels):
        if name.startswith("r-"):
            continue
        draw = torch.randn(count, generator=generator, dtype=torch.float64) * LOCAL_SIGMA
        local[:, index[name]] = draw.clamp(-1, 1)
        if name.startswith("l-"):  # faces are nearly, not exactly, symmetric
            other = draw + 0.12 * torch.randn(count, generator=generator, dtype=torch.float64)
            local[:, index["r-" + name[2:]]] = other.clamp(-1, 1)
    return phenotypes, local


def rest_shapes(model: Any, phenotypes: torch.Tensor, local: torch.Tensor, rows: np.ndarray) -> np.ndarray:
    """Rest positions [N, len(rows), 3] (anny axes, metres) of the given base vertices, in batches of modest memory."""
    coefficients = model._get_phenotype_blendshape_coefficients(
        phenotypes, local, torch.zeros(len(phenotypes), len(model.facial_action_labels), dtype=torch.float64)
    )
    template = model.template_vertices[rows]
    shapes = model.blendshapes[:, rows].reshape(model.blendshapes.shape[0], -1)
    out = [
        (template.reshape(1, -1) + part @ shapes).reshape(-1, len(rows), 3).float().numpy()
        for part in coefficients.split(256)
    ]
    return np.concatenate(out)


@dataclass
class Basis:
    mean: np.ndarray  # [N, 3]
    components: np.ndarray  # [K, N, 3], one standard deviation each
    explained: float


def principal_components(shapes: np.ndarray, weights: np.ndarray, count: int) -> Basis:
    """Weighted PCA of shapes [S, N, 3] by the Gram matrix (S << 3N); `weights` [N] multiply the squared error."""
    mean = shapes.mean(axis=0)
    centred = (shapes - mean).astype(np.float64)
    scaled = (centred * np.sqrt(weights)[None, :, None]).reshape(len(shapes), -1)
    values, vectors = np.linalg.eigh(scaled @ scaled.T)
    values, vectors = values[::-1], vectors[:, ::-1]
    scores = vectors[:, :count] * np.sqrt(len(shapes))  # unit variance over the sample
    components = np.einsum("sk,snc->knc", scores, centred) / len(shapes)
    return Basis(mean, components, float(values[:count].sum() / values.sum()))
