# SPDX-License-Identifier: Apache-2.0
"""Model files of the true shapes that are heads: a person of the open head's kind, in a mesh of another make.

The mesh is the open head's, subdivided and thinned out at random, so that no vertex has a counterpart; the person is
one the open head's identity does not hold. What is where on it is known exactly.
"""

from __future__ import annotations

import heapq
import math
import tempfile
from dataclasses import dataclass
from functools import lru_cache
from operator import mul
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.sparse import csr_matrix

from reenact.head.arkit import ACTIONS, index
from reenact.head.head_model import personalised
from reenact.head.loop import subdivide
from reenact.head.model_file import LAYOUTS, Kind
from reenact.head.open import open_head
from reenact.head.registration import open_skin
from reenact.head.smplx import SuppliedHead, supplied_head
from tests.head.made_models import TREES

Array = np.ndarray[Any, Any]
SKIN, EYE, RINGS, AROUND = 3931, 546, 17, 32  # as both models have them
MERGED = 24  # border edges, to come to FLAME's number of triangles; SMPL-X has a body to make up for it


@dataclass(frozen=True)
class MadeHead:
    """A model's arrays, and what is true of them."""

    arrays: dict[str, Array]
    skin: Array  # [SKIN] rows of the file that are skin
    mix: csr_matrix  # [SKIN, N] skin vertices from the open head's skin
    truth: Array  # [N, 3] the open head's skin vertices on this person, file's space
    actions: Array  # [52, SKIN, 3] what each action truly does to the skin


@lru_cache(maxsize=1)
def thinned() -> tuple[csr_matrix, Array]:
    """[SKIN, N] and faces: the open head's skin subdivided, then edges collapsed, shortest for their place first."""
    skin = open_skin()
    step = subdivide(skin.faces, len(skin.rows))
    shape = step.matrix @ open_head().base_neutral[skin.rows].double().numpy()
    rng = np.random.default_rng(0)
    around: list[set[int]] = [set() for _ in shape]
    for f, corners in enumerate(step.faces.tolist()):
        for v in corners:
            around[v].add(f)
    faces = step.faces.tolist()

    def ring(v: int) -> set[int]:
        return {u for f in around[v] for u in faces[f]} - {v}

    border = np.zeros(len(shape), bool)
    for v in range(len(shape)):
        border[v] = len(ring(v)) != len(around[v])
    spacing = np.asarray([np.linalg.norm(shape[list(ring(v))] - shape[v], axis=1).mean() for v in range(len(shape))])

    # Plain numbers: numpy takes ten times as long for three of them, and this is done half a million times.
    places, spaces = shape.tolist(), spacing.tolist()

    def cost(a: int, b: int) -> float:
        return math.dist(places[a], places[b]) / min(spaces[a], spaces[b]) * rng.uniform(0.8, 1.2)

    def across(corners: list[int]) -> tuple[float, float, float]:
        (ax, ay, az), (bx, by, bz), (cx, cy, cz) = (places[v] for v in corners)
        ux, uy, uz, vx, vy, vz = bx - ax, by - ay, bz - az, cx - ax, cy - ay, cz - az
        return uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx

    def turns(p: tuple[float, ...], q: tuple[float, ...]) -> bool:
        return sum(map(mul, p, q)) < 0.3 * math.hypot(*p) * math.hypot(*q)

    alive, left = np.ones(len(shape), bool), len(shape)

    def collapse(a: int, b: int, opposite: int) -> bool:
        """Let a become b, unless that folds the surface or makes it none."""
        nonlocal left
        moved = around[a] - around[b]
        after = [[b if v == a else v for v in faces[f]] for f in moved]
        before, now = [across(faces[f]) for f in moved], [across(corners) for corners in after]
        if b not in ring(a) or len(ring(a) & ring(b)) != opposite or any(map(turns, before, now)):
            return False
        for f in around[a] & around[b]:
            for v in faces[f]:
                if v != a:
                    around[v].discard(f)
        for f, corners in zip(moved, after, strict=True):
            faces[f] = corners
            around[b].add(f)
        around[a], alive[a], left = set(), False, left - 1
        return True

    rim = [v for v in np.flatnonzero(border).tolist() if v >= len(skin.rows)]  # middles of the open head's border edges
    for v in rim[:MERGED]:
        assert collapse(v, next(u for u in ring(v) if border[u]), 1)
    heap = [(cost(a, b), a, b) for a in range(len(shape)) for b in ring(a) if not border[a]]
    heapq.heapify(heap)
    while left > SKIN:
        _, a, b = heapq.heappop(heap)
        if not (alive[a] and alive[b]) or not collapse(a, b, 2):
            continue
        for u in ring(b):
            if not border[b]:
                heapq.heappush(heap, (cost(b, u), b, u))
            if not border[u]:
                heapq.heappush(heap, (cost(u, b), u, b))
    rows = np.flatnonzero(alive)
    kept = sorted({f for v in rows for f in around[v]})
    return step.matrix[rows], np.searchsorted(rows, np.asarray([faces[f] for f in kept]))


def eyeball(centre: Array, radius: float) -> tuple[Array, Array]:
    """A globe of 546 vertices and 1,088 triangles whose poles lie in front and behind."""
    polar = np.linspace(0, np.pi, RINGS + 2)[1:-1, None]
    turn = np.linspace(0, 2 * np.pi, AROUND, endpoint=False)[None]
    ball = np.stack([np.sin(polar) * np.cos(turn), np.sin(polar) * np.sin(turn), np.cos(polar) + 0 * turn], axis=2)
    points = np.concatenate([[[0, 0, 1.0]], ball.reshape(-1, 3), [[0, 0, -1.0]]])
    k, last = np.arange(AROUND), RINGS * AROUND + 1
    after = (k + 1) % AROUND
    faces = [np.stack([0 * k, 1 + k, 1 + after], 1)]
    for r in range(RINGS - 1):
        a, b, c, d = (1 + r * AROUND + x for x in (k, after, AROUND + k, AROUND + after))
        faces += [np.stack([a, c, b], 1), np.stack([b, c, d], 1)]
    a, b = (1 + (RINGS - 1) * AROUND + x for x in (k, after))
    faces.append(np.stack([a, 0 * k + last, b], 1))
    return centre + radius * points, np.concatenate(faces)


def bumps(points: Array, seed: int, size: float) -> Array:
    """[N, 3] a smooth field of offsets, about `size` metres."""
    rng = np.random.default_rng(seed)
    centres = points[rng.integers(0, len(points), 12)]
    near = np.exp(-0.5 * ((points[:, None] - centres) ** 2).sum(-1) / 0.025**2)
    return near @ rng.normal(0, size, (12, 3))


@lru_cache(maxsize=2)
def made_head(kind: Kind, seed: int = 3) -> MadeHead:
    """A model file's arrays. Its space is the canonical one, 1.5 m higher and 2 cm further on, as SMPL-X's is."""
    open_, skin, layout = open_head(), open_skin(), LAYOUTS[kind]
    rng = np.random.default_rng(seed)
    who = (0.7 * rng.normal(size=open_.identity_size)).astype(np.float32)
    own = personalised(open_, who)
    shape = own.neutral.numpy()[skin.rows].astype(np.float64)
    shape += bumps(shape, seed, 0.0025)
    away = np.asarray([0.0, 1.5, 0.02])
    mix, faces = thinned()
    balls = [eyeball(centre.astype(np.float64), 0.0148) for centre in own.eyes.numpy()]
    head = np.concatenate([mix @ shape, *(points for points, _ in balls)]) + away
    head_faces = np.concatenate([faces, *(f + SKIN + i * EYE for i, (_, f) in enumerate(balls))])
    v, j, count = layout.vertices, layout.joints, len(head)
    rows = np.r_[v - count - 0 : v] if kind == "smplx" else np.arange(count)
    template = np.zeros((v, 3))
    template[: v - count] = away + rng.normal(size=(v - count, 3)) * 0.05 - np.asarray([0, 0.6, 0])
    template[rows] = head
    f = np.concatenate([rng.integers(0, max(v - count, 1), (layout.faces - len(head_faces), 3)), rows[head_faces]])
    actions = np.stack([mix @ a[skin.rows] for a in own.actions.numpy().astype(np.float64)])
    basis = np.zeros((400, v, 3))
    identities = np.stack([mix @ b for b in open_.identity_basis()[1][:, skin.rows].numpy()])
    basis[: len(identities), rows[:SKIN]] = identities
    for i, one in enumerate(torch.eye(len(identities))):
        for side in range(2):
            move = open_.joints(one).eyes[side] - open_.joints(0 * one).eyes[side]
            basis[i, rows[SKIN + side * EYE :][:EYE]] = move
    basis[len(identities) : 300, rows[:SKIN]] = 1e-5 * rng.normal(size=(300 - len(identities), SKIN, 3))
    acting = [a for i, a in enumerate(actions) if not ACTIONS[i].startswith("jaw")]
    turned = np.linalg.qr(rng.normal(size=(len(acting), len(acting))))[0]
    basis[300 : 300 + len(acting), rows[:SKIN]] = np.tensordot(turned, np.stack(acting), axes=1)
    basis[300 + len(acting) :, rows[:SKIN]] = 1e-5 * rng.normal(size=(100 - len(acting), SKIN, 3))
    weights, joints = np.zeros((v, j)), {}
    at = layout.at
    weights[: v - count, 0] = 1.0
    turns = np.clip(mix @ open_.topology.head_weight.numpy()[skin.rows], 0, 1)
    drop = np.clip(-actions[index("jawOpen")][:, 1] / 0.02, 0, 1) * turns
    weights[rows[:SKIN], at["neck"]] = 1 - turns
    weights[rows[:SKIN], at["head"]] = turns - drop
    weights[rows[:SKIN], at["jaw"]] = drop
    for side, name in enumerate(("eye_left", "eye_right")):
        weights[rows[SKIN + side * EYE :][:EYE], at[name]] = 1.0
        joints[at[name]] = rows[SKIN + side * EYE :][:EYE]
    around, own_joints = template[rows[:SKIN]] - away, own.joints.numpy()
    for name, place in (("neck", own_joints[0]), ("head", own_joints[1]), ("jaw", (0, -0.035, -0.03))):
        joints[at[name]] = rows[:SKIN][np.argsort(((around - np.asarray(place)) ** 2).sum(1))[:40]]
    regressor = np.zeros((j, v))
    for row in range(j):
        near = joints.get(row, np.arange(10))
        regressor[row, near] = 1 / len(near)
    return MadeHead(
        {
            "v_template": template, "shapedirs": np.moveaxis(basis, 0, 2).astype(np.float32),
            "posedirs": np.zeros((v, 3, 9 * (j - 1)), np.float32), "J_regressor": regressor,
            "kintree_table": np.stack([TREES[kind], np.arange(j)]).astype(np.uint32), "weights": weights, "f": f,
        },
        rows[:SKIN], mix, shape + away, actions,
    )  # fmt: skip


@lru_cache(maxsize=1)
def supplied() -> SuppliedHead:
    """The head over the made-up FLAME file, once a process."""
    with tempfile.TemporaryDirectory() as folder:
        np.savez(Path(folder) / "made.npz", **made_head("flame").arrays)  # pyright: ignore[reportArgumentType]
        return supplied_head(Path(folder) / "made.npz")
