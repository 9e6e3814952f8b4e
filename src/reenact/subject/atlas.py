# SPDX-License-Identifier: Apache-2.0
"""Where each triangle of a head has its place in a texture.

A head model's own layout is made for a whole body: the open head's leaves four fifths of the picture empty and gives a
lip forty texels. So its islands, cut where the model cuts them, are placed anew: the one with the face upright, as
large as it fits, and the face in it enlarged; the others on shelves below, each as large as what it shows deserves.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from reenact.head.mesh import triangle_areas
from reenact.head.model import Float, ParametricHead
from reenact.head.regions import REGIONS

_GAP = 0.006  # of the texture's side, around every island
_SHELVES = 0.20  # height of the lower part, where the islands without a face are
_ENLARGED = 2.0  # the face is drawn 1 + this times as large as the rest of its island
_BINS = 64
_DESERVES = {"iris": 8.0, "teeth_upper": 3.0, "teeth_lower": 3.0, "tongue": 0.6, "eyelashes": 2.0, "neck": 0.6}
_PLAIN = 0.12  # what no one looks at: cavity, socket, back of the eyeball


@dataclass(frozen=True)
class Atlas:
    """Texture coordinates of a mesh with F triangles; u to the right, v up, both in [0, 1]."""

    uv: Float  # [T, 2]
    faces: NDArray[np.int64]  # [F, 3] into uv, corner by corner as the mesh's own faces

    def divided(self) -> Atlas:
        """Of the mesh after a round of Loop subdivision: the same places, for the triangles loop.subdivide makes."""
        a, b, c = self.faces.T
        edges = np.sort(np.concatenate([np.stack(e, 1) for e in ((a, b), (b, c), (c, a))]), axis=1)
        unique, where = np.unique(edges, axis=0, return_inverse=True)
        ab, bc, ca = where.reshape(3, -1) + len(self.uv)
        faces = np.stack([np.stack(t, 1) for t in ((a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca))], axis=1)
        return Atlas(np.concatenate([self.uv, self.uv[unique].mean(axis=1)]), faces.reshape(-1, 3))

    def pixels(self, size: int) -> Float:
        """[T, 2] x right, y down in a texture of `size` px."""
        return np.stack([self.uv[:, 0], 1.0 - self.uv[:, 1]], axis=1).astype(np.float32) * np.float32(size)


def head_atlas(model: ParametricHead) -> Atlas:
    """The layout of a head model's control mesh: the same for all its people.

    The model's own, where its islands find no room beside the face (a user's model may have hundreds).
    """
    top, faces, given = model.topology, model.topology.uv_faces.numpy(), model.topology.uv.numpy()
    island = _islands(faces, len(given))
    owner = island[faces[:, 0]]
    face_weight = np.zeros(len(given), np.float32)
    face_weight[faces] = top.face_weight[top.faces].numpy()
    main = int(np.argmax(np.bincount(island, weights=face_weight)))
    uv = np.zeros_like(given)
    own = island == main
    upright = given[own] @ _upright(model, faces, owner == main).T
    low, high = (_GAP, _SHELVES + _GAP), (1.0 - _GAP, 1.0 - _GAP)
    for axis in range(2):
        uv[own, axis] = _enlarged(upright[:, axis], face_weight[own], low[axis], high[axis])
    others = [i for i in range(island.max() + 1) if i != main]
    shelved = _shelved(model, faces, island, others)
    if shelved is None:
        return Atlas(given, faces)
    for number, (place, scale) in zip(others, shelved, strict=True):
        rows = island == number
        uv[rows] = (given[rows] - given[rows].min(axis=0)) * scale + place
    return Atlas(uv.astype(np.float32), faces)


def _islands(faces: NDArray[np.int64], count: int) -> NDArray[np.int32]:
    """[T] number of the island of each place."""
    links = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]]])
    graph = sp.coo_matrix((np.ones(len(links)), links.T), shape=(count, count))
    return sp.csgraph.connected_components(graph, directed=False)[1]


def _upright(model: ParametricHead, faces: NDArray[np.int64], main: NDArray[np.bool_]) -> NDArray[np.float64]:
    """[2, 2] the quarter turn that makes the face stand upright."""
    top = model.topology
    rows = main & (top.face_weight[top.faces].amin(1) > 0.5).numpy()
    height = model.base_neutral.numpy()[top.faces.numpy()[rows].ravel(), 1]
    places = top.uv.numpy()[faces[rows].ravel()]
    u, v = ((places - places.mean(axis=0)) * (height - height.mean())[:, None]).sum(axis=0)
    quarter = round(np.arctan2(u, v) / (np.pi / 2))
    sine, cosine = (int(x) for x in np.round([np.sin(quarter * np.pi / 2), np.cos(quarter * np.pi / 2)]))
    return np.asarray([[cosine, -sine], [sine, cosine]], np.float64)


def _enlarged(values: NDArray[np.float64], face_weight: Float, low: float, high: float) -> NDArray[np.float64]:
    """Coordinates along one axis stretched to low..high, more where the face is."""
    start, width = values.min(), np.ptp(values)
    bins = np.clip(((values - start) / width * _BINS).astype(int), 0, _BINS - 1)
    weight = np.zeros(_BINS)
    np.maximum.at(weight, bins, face_weight)
    padded = np.pad(weight, 4, mode="edge")
    smooth = np.convolve(padded, np.full(9, 1 / 9), mode="valid")
    edges = np.concatenate([[0.0], np.cumsum(1.0 + _ENLARGED * smooth)])
    return low + (high - low) * np.interp((values - start) / width * _BINS, np.arange(_BINS + 1), edges / edges[-1])


def _shelved(
    model: ParametricHead, faces: NDArray[np.int64], island: NDArray[np.int32], others: list[int]
) -> list[tuple[NDArray[np.float64], float]] | None:
    """Lower left corner and scale of each island on the shelves; None if they find no room."""
    top, vertices = model.topology, model.base_neutral.numpy()
    uv, triangles, regions = top.uv.numpy(), top.faces.numpy(), top.regions.numpy()
    sizes, wanted = [], []
    for number in others:
        rows = island[faces[:, 0]] == number
        flat = uv[faces[rows]]
        solid = 2.0 * triangle_areas(vertices, triangles[rows]).sum()
        a, b = flat[:, 1] - flat[:, 0], flat[:, 2] - flat[:, 0]
        names = {REGIONS[i] for i in np.unique(regions[rows])}
        deserves = max(_DESERVES.get(name, _PLAIN) for name in names)
        wanted.append(float(np.sqrt(deserves * solid / np.abs(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum())))
        sizes.append(np.ptp(uv[island == number], axis=0))
    for size in np.geomspace(100.0, 0.1, 200):
        scales = [w * size for w in wanted]
        places = _packed([s * k for s, k in zip(sizes, scales, strict=True)])
        if places is not None:
            return list(zip(places, scales, strict=True))
    return None


def _packed(sizes: list[NDArray[np.float64]]) -> list[NDArray[np.float64]] | None:
    """Lower left corners of boxes on shelves, the tallest first; None if they are too many."""
    places: list[NDArray[np.float64]] = [np.zeros(2)] * len(sizes)
    x, y, tall = _GAP, _GAP, 0.0
    for i in sorted(range(len(sizes)), key=lambda i: -sizes[i][1]):
        width, height = sizes[i]
        if x + width + _GAP > 1.0:
            x, y, tall = _GAP, y + tall + _GAP, 0.0
        if x + width + _GAP > 1.0 or y + height + _GAP > _SHELVES:
            return None
        places[i] = np.asarray([x, y])
        x, tall = x + width + _GAP, max(tall, height)
    return places
