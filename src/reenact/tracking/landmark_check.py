# SPDX-License-Identifier: Apache-2.0
"""Whether landmarks are where they should be on a head's mesh: the detector is shown renders, its points are cast back.

The open head's landmarks were found in the same way (scripts/build_head/landmarks.py). Those of a user's model come
from the shape of its template alone, on which the detector, scattering by 3 mm, could not improve; but it notices a
gross mistake.
"""

from __future__ import annotations

from contextlib import closing
from itertools import product
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial import KDTree

from reenact.head.closest import Float64, Index
from reenact.head.landmarks import FACE_LANDMARKS, LANDMARKS, LEFT_BROW, RIGHT_BROW
from reenact.head.mesh import vertex_normals
from reenact.head.model import ParametricHead, Topology
from reenact.head.regions import EYEBALL, REGIONS, region_ids
from reenact.perception.landmark_network import LandmarkNetwork
from reenact.rendering import rasterise

SIZE: Final = 384
PALETTE: Final = {
    "skin": (0.85, 0.66, 0.56), "neck": (0.80, 0.62, 0.53), "ears": (0.84, 0.62, 0.54), "eyelids": (0.78, 0.58, 0.50),
    "lips": (0.72, 0.38, 0.37), "mouth_cavity": (0.28, 0.10, 0.10), "eye_socket": (0.65, 0.40, 0.37),
    "sclera": (0.93, 0.93, 0.93), "iris": (0.25, 0.16, 0.10),
}  # fmt: skip
"""sRGB of the regions, 0 to 1; others are rendered as skin."""


def landmarks_off_mm(model: ParametricHead) -> float | None:
    """Median distance between where the detector sees landmarks on the base person and where the model has them.

    3 mm are usual on one person's renders. None: it sees no face.
    """
    neutral, topology = model.base_neutral.double().numpy(), model.topology
    own = topology.at_landmarks(model.base_neutral).numpy()
    faces, colours = topology.faces.numpy(), _painted(neutral, own, topology)
    eyeball = topology.region_faces(*region_ids(*EYEBALL)).numpy()
    found: list[list[Float64]] = [[] for _ in range(LANDMARKS)]
    with closing(LandmarkNetwork(None, video=False)) as network:
        for yaw, light in product((-36, -24, -12, 0, 12, 24, 36), ((0.2, 0.4, 0.9), (-0.5, 0.4, 0.7))):
            turned = neutral @ _turn(np.deg2rad(yaw)).T
            image, face, bary = _render(turned, faces, colours, np.asarray(light))
            face_points = network(image)
            if face_points is not None:
                cast_landmarks(
                    face_points.points.astype(np.float64) * SIZE, face, bary, faces, eyeball, turned, neutral, found
                )
    detected = [(i, np.median(np.asarray(places), axis=0)) for i, places in enumerate(found) if len(places) >= 3]
    if not detected:
        return None
    return 1e3 * float(np.median([np.linalg.norm(own[i] - place) for i, place in detected]))


def _painted(neutral: Float64, landmarks: NDArray[np.floating], topology: Topology) -> Float64:
    """[F, 3] colour of each triangle, with brows, which the detector relies on, of a neutral [V, 3]."""
    palette = np.asarray([PALETTE.get(name, PALETTE["skin"]) for name in REGIONS])
    colours = palette[topology.regions.numpy()]
    middle = neutral[topology.faces.numpy()].mean(axis=1)
    marks = landmarks[[*LEFT_BROW, *RIGHT_BROW]]
    along = np.concatenate([marks + s * (np.roll(marks, -5, axis=0) - marks) for s in (0.0, 0.5)])
    near = np.asarray(KDTree(along).query(middle)[0]) < 0.0045  # half a brow's height, metres
    colours[near & topology.region_faces(*region_ids("skin", "eyelids")).numpy()] = (0.25, 0.17, 0.12)
    return colours


def _render(
    vertices: Float64, faces: Index, colours: Float64, light: Float64
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Picture [S, S, 3] uint8, triangle [S, S] and weights [S, S, 3], of a head seen from in front."""
    # The camera is 0.9 m away and sees 0.27 m of the head's plane.
    focal, z = SIZE / 0.27 * 0.9, 0.9 - vertices[:, 2]
    px = np.stack([SIZE / 2 + focal * vertices[:, 0] / z, SIZE / 2 - focal * (vertices[:, 1] + 0.03) / z, z], axis=1)
    fragments = rasterise(torch.from_numpy(px[None]).float(), torch.from_numpy(faces), SIZE, SIZE, cull_back=True)
    face, bary = fragments.face[0].numpy(), fragments.bary[0].numpy()
    normals = np.einsum("hwkc,hwk->hwc", vertex_normals(vertices, faces)[faces[face]], bary)
    shade = 0.35 + 0.65 * np.clip(normals @ (light / np.linalg.norm(light)), 0, 1)
    image = np.where((face >= 0)[..., None], colours[face] * shade[..., None], 0.55)
    return np.rint(255 * np.clip(image, 0, 1)).astype(np.uint8), face, bary


def _turn(yaw: float) -> Float64:
    c, s = np.cos(yaw), np.sin(yaw)
    return np.asarray([[c, 0, s], [0, 1, 0], [-s, 0, c]])


def cast_landmarks(
    points: Float64, face: np.ndarray, bary: np.ndarray, faces: Index, eyeball: np.ndarray, turned: Float64,
    neutral: Float64, found: list[list[Float64]], reach_px: float = 3.0,
) -> None:  # fmt: skip
    """Carry detected landmarks from a render back to the neutral: those whose skin faces the viewer.

    Args:
        points: [478, 2] px.
        face: [S, S] triangle that each pixel shows, negative where none.
        bary: [S, S, 3] its weights.
        faces: [F, 3] vertices of the triangles.
        eyeball: [F] whether a triangle is of an eyeball; only the skin's landmarks are carried.
        turned: [V, 3] the vertices as they were rendered, z towards the camera.
        neutral: [V, 3] of the base person, metres.
        found: for each landmark the places [3] found so far, to which those of this render are added.
        reach_px: how far a point may lie from the skin that it belongs to.
    """
    rows, columns = np.nonzero((face >= 0) & ~eyeball[face])
    distance, nearest = (
        np.asarray(x) for x in KDTree(np.stack([columns, rows], axis=1) + 0.5).query(points[:FACE_LANDMARKS])
    )
    for i in np.flatnonzero(distance <= reach_px):
        row, column = rows[nearest[i]], columns[nearest[i]]
        corners = faces[face[row, column]]
        a, b, c = turned[corners]
        normal = np.cross(b - a, c - a)
        if normal[2] > 0.35 * np.linalg.norm(normal):  # else the point slides along an outline
            found[i].append(bary[row, column] @ neutral[corners])
