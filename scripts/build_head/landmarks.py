# SPDX-License-Identifier: Apache-2.0
"""Tie MediaPipe's 478 face landmarks to the mesh by showing the detector renders of the head.

Several people, head turns, lights and mouths are rendered; each detected point is cast onto the triangle under it and
carried to the neutral of the base person; the median over all sightings, put back on the surface, is the embedding.
The inner lip points are then slid onto the line where the lips meet, so that shut lips have landmark gap zero.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass

import numpy as np
import torch
from scipy.spatial import KDTree

from reenact.head.arkit import ACTIONS
from reenact.head.landmarks import LOWER_INNER_LIP, UPPER_INNER_LIP
from reenact.head.mesh import vertex_normals
from reenact.head.regions import EYEBALL, REGIONS, region_ids
from reenact.perception.landmark_network import LandmarkNetwork
from reenact.rendering import rasterise
from reenact.tracking.landmark_check import PALETTE, cast_landmarks

SIZE = 512
YAWS_DEG = (-40, -28, -18, -9, 0, 9, 18, 28, 40)
MOUTHS = ({}, {"jawOpen": 0.35}, {"mouthUpperUpLeft": 0.6, "mouthUpperUpRight": 0.6, "jawOpen": 0.15})
LIGHTS = np.asarray([[0.2, 0.4, 0.9], [-0.6, 0.3, 0.7], [0.6, 0.5, 0.6]])
COLOURS = PALETTE | {
    "teeth_upper": (0.92, 0.90, 0.84), "teeth_lower": (0.92, 0.90, 0.84), "tongue": (0.72, 0.36, 0.36),
    "eyelashes": (0.1, 0.08, 0.08),
}  # fmt: skip

IRIS_CENTRES = {"right": 468, "left": 473}  # subject's side; the four points after each lie on the iris' edge


@dataclass
class Sightings:
    """Where each landmark fell, carried to the base neutral: lists of positions [n, 3] by landmark."""

    points: list[list[np.ndarray]]


def _paint(t: dict[str, np.ndarray]) -> np.ndarray:
    """[F, 3] albedo; eyebrows are drawn as the detector relies on them."""
    colours = np.asarray([COLOURS[name] for name in REGIONS])[t["regions"]]
    centre = t["base_neutral"][t["faces"]].mean(axis=1)
    # An arched band 18 to 26 mm above the eyeball centre, from above the inner to beyond the outer corner of the eye.
    arch = 0.020 + 0.004 * np.cos((np.abs(centre[:, 0]) - 0.032) / 0.018)
    brow = (np.abs(centre[:, 1] - arch) < 0.0035) & (np.abs(centre[:, 0]) > 0.012) & (np.abs(centre[:, 0]) < 0.05)
    colours[brow & (centre[:, 2] > 0) & (t["regions"] == REGIONS.index("skin"))] = (0.25, 0.17, 0.12)
    return colours


def _render(vertices: np.ndarray, faces: np.ndarray, colours: np.ndarray, light: np.ndarray) -> tuple[np.ndarray, ...]:
    """Picture, triangle ids and barycentric coordinates of a head (canonical axes) seen from 0.9 m in front."""
    focal = SIZE / 0.27 * 0.9
    z = 0.9 - vertices[:, 2]
    px = np.stack([SIZE / 2 + focal * vertices[:, 0] / z, SIZE / 2 - focal * (vertices[:, 1] + 0.03) / z, z], axis=1)
    fragments = rasterise(torch.tensor(px[None], dtype=torch.float32), torch.tensor(faces), SIZE, SIZE, cull_back=False)
    face, bary = fragments.face[0].numpy(), fragments.bary[0].numpy()
    per_pixel = np.einsum("hwkc,hwk->hwc", vertex_normals(vertices, faces)[faces[face]], bary)
    shade = 0.35 + 0.65 * np.clip(np.abs(per_pixel @ (light / np.linalg.norm(light))), 0, 1)
    image = np.where((face >= 0)[..., None], colours[face] * shade[..., None], 0.55)
    return (np.clip(image, 0, 1) * 255).astype(np.uint8), face, bary


def _turn(yaw: float) -> np.ndarray:
    c, s = np.cos(yaw), np.sin(yaw)
    return np.asarray([[c, 0, s], [0, 1, 0], [-s, 0, c]])


def sight(t: dict[str, np.ndarray], people: int, seed: int) -> Sightings:
    """Show renders to the detector and cast its points back."""
    rng = np.random.default_rng(seed)
    shown = t["regions"] != REGIONS.index("eyelashes")
    faces = t["faces"][shown].astype(np.int64)
    colours = _paint(t)[shown]
    eyeball = np.isin(t["regions"][shown], region_ids(*EYEBALL))
    found: list[list[np.ndarray]] = [[] for _ in range(478)]
    with closing(LandmarkNetwork(None, video=False)) as network:
        for _ in range(people):
            person = t["mean"] + np.tensordot(rng.normal(size=len(t["identity"])) * 0.6, t["identity"], axes=1)
            for mouth in MOUTHS:
                shape = person + sum((a * t["actions"][ACTIONS.index(n)] for n, a in mouth.items()), np.zeros(3))
                for yaw in YAWS_DEG:
                    turned = shape @ _turn(np.deg2rad(yaw)).T
                    image, face, bary = _render(turned, faces, colours, LIGHTS[rng.integers(len(LIGHTS))])
                    detected = network(image)
                    if detected is not None:
                        points = detected.points.astype(np.float64) * SIZE
                        neutral = t["base_neutral"]
                        cast_landmarks(points, face, bary, faces, eyeball, turned, neutral, found, reach_px=4.0)
    return Sightings(found)


def embed(t: dict[str, np.ndarray], sightings: Sightings) -> tuple[np.ndarray, np.ndarray, float]:
    """Vertices [478, 3], weights [478, 3], and the median spread (metres) of the sightings about their median."""
    neutral = t["base_neutral"]
    skin = ~np.isin(
        t["regions"],
        region_ids(*EYEBALL, "eyelashes", "mouth_cavity", "tongue", "teeth_upper", "teeth_lower"),
    )
    faces = t["faces"][skin]
    vertices = np.zeros((478, 3), np.int32)
    weights = np.zeros((478, 3))
    spread: list[float] = []
    for i in range(468):
        seen = np.asarray(sightings.points[i])
        if len(seen) < 5:
            raise ValueError(f"landmark {i} was seen {len(seen)} times on the renders; want at least 5")
        middle = np.median(seen, axis=0)
        spread.append(float(np.median(np.linalg.norm(seen - middle, axis=1))))
        vertices[i], weights[i] = closest_on_mesh(middle, neutral, faces)
    _symmetrise(t, vertices, weights, faces)
    _inner_lips(t, vertices, weights)
    _irises(t, vertices, weights)
    return vertices, weights, float(np.median(spread))


def closest_on_mesh(point: np.ndarray, vertices: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Corners and barycentric weights of the surface point nearest to `point`."""
    import trimesh

    centre = vertices[faces].mean(axis=1)
    near = faces[np.argsort(((centre - point) ** 2).sum(axis=1))[:60]]
    candidates = trimesh.triangles.closest_point(vertices[near], np.repeat(point[None], len(near), axis=0))
    best = int(np.argmin(((candidates - point) ** 2).sum(axis=1)))
    bary = trimesh.triangles.points_to_barycentric(vertices[near[best]][None], candidates[best][None])[0]
    bary = np.clip(bary, 0, 1)
    return near[best], bary / bary.sum()


def _symmetrise(t: dict[str, np.ndarray], vertices: np.ndarray, weights: np.ndarray, faces: np.ndarray) -> None:
    """The scheme is mirror symmetric and so is the mesh: average each point with the mirror of its partner."""
    neutral = t["base_neutral"]
    position = np.einsum("lkc,lk->lc", neutral[vertices[:468]], weights[:468])
    flipped = position * np.asarray([-1.0, 1.0, 1.0])
    partner = np.asarray(KDTree(position).query(flipped)[1])
    mutual = partner[partner] == np.arange(468)
    for i in np.flatnonzero(mutual):
        vertices[i], weights[i] = closest_on_mesh(0.5 * (position[i] + flipped[partner[i]]), neutral, faces)


def _inner_lips(t: dict[str, np.ndarray], vertices: np.ndarray, weights: np.ndarray) -> None:
    order = np.argsort(t["base_neutral"][t["lip_contacts"][:, 0], 0])
    pairs = t["lip_contacts"][order]
    along = t["base_neutral"][pairs[:, 0], 0]
    position = np.einsum("lkc,lk->lc", t["base_neutral"][vertices], weights)
    # From corner to corner both rows have the same abscissae, so that an upper and a lower point meet.
    upper_x, lower_x = position[list(UPPER_INNER_LIP), 0], position[list(LOWER_INNER_LIP), 0]
    both = 0.5 * (upper_x + lower_x)
    both = np.clip(0.5 * (both - both[::-1]), along[0], along[-1])
    for row, column in ((UPPER_INNER_LIP, 0), (LOWER_INNER_LIP, 1)):
        for x, landmark in zip(both, row, strict=True):
            if landmark in (78, 308):
                continue  # the corners stay where they were seen
            k = int(np.clip(np.searchsorted(along, x), 1, len(along) - 1))
            s = float(np.clip((x - along[k - 1]) / (along[k] - along[k - 1]), 0, 1))
            vertices[landmark] = (pairs[k - 1, column], pairs[k, column], pairs[k, column])
            weights[landmark] = (1 - s, s, 0.0)


def _irises(t: dict[str, np.ndarray], vertices: np.ndarray, weights: np.ndarray) -> None:
    """Centre: the front of the eyeball.  Edge: right, top, left, bottom of the iris as the viewer sees them."""
    faces = t["faces"][np.isin(t["regions"], region_ids(*EYEBALL))]
    radius = 5.85e-3
    for side, first in IRIS_CENTRES.items():
        rows = np.unique(faces)
        rows = rows[(t["base_neutral"][rows, 0] > 0) == (side == "left")]
        ball = t["base_neutral"][rows]
        front = ball.mean(axis=0) + np.asarray([0, 0, np.linalg.norm(ball - ball.mean(axis=0), axis=1).max()])
        ring = [(0, 0), (radius, 0), (0, radius), (-radius, 0), (0, -radius)]
        for k, (dx, dy) in enumerate(ring):
            target = front + np.asarray([dx, dy, -1e-3 if k else 0.0])
            vertices[first + k], weights[first + k] = closest_on_mesh(target, t["base_neutral"], faces)
