# SPDX-License-Identifier: Apache-2.0
"""Measures of meshes and points, and triangles cut through the middles of edges."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from reenact.head.landmarks import LEFT_LIDS, OUTER_LIPS, RIGHT_LIDS
from reenact.head.mesh import cut_faces, rms_radius, triangle_areas, triangle_normals, vertex_normals
from reenact.head.open import open_head

SQUARE = np.asarray([[0.0, 0, 0], [2, 0, 0], [2, 2, 0], [0, 2, 0]])
HALVES = np.asarray([[0, 1, 2], [0, 2, 3]])


def test_a_flat_square_looks_up_and_has_its_area() -> None:
    assert triangle_normals(SQUARE, HALVES).tolist() == [[0, 0, 4], [0, 0, 4]]
    assert triangle_areas(SQUARE, HALVES).sum() == 4.0
    alone = np.vstack([SQUARE, [[9.0, 9, 9]]])
    assert vertex_normals(alone, HALVES).tolist() == [[0, 0, 1]] * 4 + [[0, 0, 0]]
    assert vertex_normals(SQUARE.astype(np.float32), HALVES).dtype == np.float32


def test_the_radius_of_a_square_is_half_its_diagonal_wherever_it_is() -> None:
    batch = np.stack([SQUARE, 3.0 * SQUARE + 7.0])
    assert rms_radius(batch) == pytest.approx([2**0.5, 3 * 2**0.5])


@pytest.mark.parametrize("edges", [edges for n in range(4) for edges in itertools.combinations(range(3), n)])
def test_a_cut_triangle_is_covered_once_by_its_parts(edges: tuple[int, ...]) -> None:
    corners = [(0, 1), (1, 2), (2, 0)]
    middle = {frozenset(corners[e]): 3 + i for i, e in enumerate(edges)}
    faces, source = cut_faces(np.asarray([[0, 1, 2]]), lambda a, b: middle.get(frozenset((a, b)), -1))
    assert len(faces) == 1 + len(edges) and not source.any()
    places = np.asarray([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]])
    points = np.vstack([places, *[places[list(corners[e])].mean(0, keepdims=True) for e in edges]])
    normals = triangle_normals(points, faces)
    assert (normals[:, 2] > 0).all()  # the winding stays
    assert normals[:, 2].sum() == pytest.approx(1.0)
    ends = {frozenset(edge) for face in faces.tolist() for edge in zip(face, np.roll(face, 1).tolist(), strict=True)}
    assert not ends & middle.keys()  # no edge that has a middle is left whole


@pytest.mark.parametrize("ring", [OUTER_LIPS, RIGHT_LIDS, LEFT_LIDS])
def test_rings_of_landmarks_go_round_once(ring: tuple[int, ...]) -> None:
    head = open_head()
    points = head.topology.at_landmarks(head.base_neutral)[list(ring), :2].numpy()
    assert len(set(ring)) == len(ring)
    steps = np.diff(np.vstack([points, points[:1]]), axis=0)
    turns = np.unwrap(np.arctan2(steps[:, 1], steps[:, 0]), period=2 * np.pi)
    last = np.arctan2(steps[0, 1], steps[0, 0]) - np.arctan2(steps[-1, 1], steps[-1, 0])
    total = turns[-1] - turns[0] + np.arctan2(np.sin(last), np.cos(last))
    assert abs(total) == pytest.approx(2 * np.pi, abs=1e-6)
