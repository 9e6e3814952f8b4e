# SPDX-License-Identifier: Apache-2.0
"""How badly a head with its offsets explains what was observed: the terms of the joint fit (paper, section 1).

Each term is a mean, of order one where the coarse head is as wrong as it usually is, so that weights compare.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, grid_sample, huber_loss, normalize

from reenact.head.levels import Level
from reenact.head.model import Topology
from reenact.head.regions import EMPTY, REGIONS, in_regions, region_ids
from reenact.perception.dense.network import CLASSES
from reenact.rendering import Fragments, PixelInterpolation, VertexNormals, face_labels, rasterise

from .observation import Observation
from .offsets import Offsets, Posed, Static

_ANGLE = 0.02  # 1 - cos of 11 degrees
_DEPTH_MM = 3.0
_LANDMARK_PX = 1.5
_OUTLINE_PX = 2.0
_MAGNITUDE_MM, _BEND_MM = 3.0, 0.3
_FINE_BEND_MM = 0.1
"""Fine offsets are stiffer than the dense network errs, or they are of its errors: at .3, with the last stage as loose,
noses and lids of photos have ragged creases, and normals of four synthetic people err by 19.1 degrees, not by 18.3."""
_AT_REST_MM = 1.0
"""Displacement by the actions at which a static offset costs twice as much. With it, photos of smiles give neutrals
with shut lips and no folds; of synthetic people's clips, which show each part at rest, the error is .02 mm more."""
_CONTOUR = 0.25  # cosine between normal and line of sight below which a vertex may be on the outline
_SAME_SURFACE_M = (0.010, 0.016)
"""Difference in depth up to which two pixels surely show one surface, and from which they surely do not. With true
maps of a synthetic person whose chin is fitted too low over the neck, the median error is .47 mm; .69 without."""
_REACH_PX = 10.0  # an outline farther away is of hair that stands off the head
# Which class of the picture is evidence about which region of the mesh, and how good. Hair stands off, and is none.
_EVIDENCE = {("skin", "skin"): 1.0, ("ears", "skin"): 1.0}
_EVIDENCE |= {("eyelids", "skin"): 1.0, ("lips", "lips"): 1.0, ("lips", "skin"): 0.3, ("skin", "lips"): 0.3}


@dataclass(frozen=True)
class Weights:
    """Of the terms; 0 leaves one out."""

    normal: float = 1.0
    depth: float = 0.1
    landmark: float = 1.0
    """Normals of three synthetic people err by 18.5, 18.3 and 18.5 degrees at .3, 1 and 3 (`benchmarks.head_fit`)."""
    outline: float = 0.3
    identity: float = 1.0
    magnitude: float = 3.0
    """Of offsets beyond the basis. At .3, 3 and 10, normals of four synthetic people err by 18.4, 18.3 and 18.3
    degrees, of twelve single photos by 18.4, 18.2 and 18.2; neutrals of one person are .56, .51 and .49 mm apart."""
    bend: float = 4.0
    dynamic_magnitude: float = 6.0
    dynamic_bend: float = 6.0
    dynamic_change: float = 0.2
    pose: float = 1.0
    distance: float = 0.03


@dataclass(frozen=True)
class Rasterised:
    """Which triangle every pixel shows: found now and then, not at every step."""

    fragments: Fragments  # [n, S, S]
    evidence: Tensor  # [n, S, S] weight of each pixel
    pooled: PixelInterpolation  # to [n, S/2, S/2]: means, weighted by the evidence, times `weight`
    weight: Tensor  # [n, S/2, S/2] mean evidence of four pixels
    normals: Tensor  # [n, S/2, S/2, 3] what the estimator sees there, unit
    depth: Tensor  # [n, S/2, S/2] sides of the crop; NaN where it is not known of one of the pixels


class Energy:
    """The terms for one head model."""

    def __init__(self, topology: Topology, fit: Level, size: int) -> None:
        self._faces, self._upsample = fit.faces, fit.upsample
        self._normals = VertexNormals(self._faces, len(fit))
        self._regions = fit.regions
        self._size = size
        self._topology = topology
        turns = (fit.head_weight > 0.5) & (fit.soft > 0.5)
        # Hair covers ears or stands off behind them: drawn to its outline they would be an elephant's.
        turns[fit.faces[in_regions(fit.regions, *region_ids("ears"))]] = False
        self._outer = torch.nonzero(turns)[:, 0]
        table = torch.zeros(256, len(CLASSES))
        for (region, shown), worth in _EVIDENCE.items():
            table[REGIONS.index(region), CLASSES.index(shown)] = worth
        self._table = table

    @torch.no_grad()
    def rasterise(self, posed: Posed, observation: Observation) -> Rasterised:
        """Rasterise the fit mesh in the crops."""
        px = project(posed.fine, posed.camera)
        px[..., 2:] += self._upsample(posed.hidden_depth[..., None])
        fragments = rasterise(px, self._faces, self._size, self._size, cull_back=True)
        regions = face_labels(self._regions, EMPTY, fragments)
        evidence = self._table[regions.long(), observation.classes.long()] * observation.certainty
        evidence = evidence * _same_surface(fragments, observation, evidence)
        pooled = PixelInterpolation(self._faces, fragments, posed.fine.shape[1], 0.25 * evidence, 2)
        weight, both = _pooled(evidence), torch.cat([observation.normals, observation.depth[..., None]], -1)
        both = _pooled(both, evidence)
        depth = both[..., 3] / weight.clamp(min=1e-6)
        return Rasterised(fragments, evidence, pooled, weight, normalize(both[..., :3], dim=-1, eps=1e-6), depth)

    def terms(self, posed: Posed, observation: Observation, rasterised: Rasterised) -> dict[str, Tensor]:
        """normal, depth, landmark, and outline where it was looked for: scalars with their gradients to the vertices.

        Normals and depth are compared as means over squares of four pixels: the shipped estimator is no finer, and a
        quarter of the pixels is a quarter of the work.
        """
        normals = self._normals(posed.fine)
        shown, depth = rasterised.pooled(torch.cat([normals, posed.fine[..., 2:]], -1)).split([3, 1], -1)
        weight = rasterised.weight
        angle = 1.0 - (normalize(shown, dim=-1, eps=1e-6) * rasterised.normals).sum(-1)
        out = {
            "normal": (weight * _robust(angle / _ANGLE)).sum() / weight.sum().clamp(min=0.25),
            "depth": self._depth(depth[..., 0] / weight.clamp(min=1e-6), observation, rasterised),
            "landmark": self._landmarks(posed, observation),
        }
        if observation.outline is not None and observation.loose is not None:
            seen = observation.outline, observation.loose
            out["outline"] = self._outline(posed, normals, seen, rasterised)
        return out

    def _depth(self, found: Tensor, observation: Observation, rasterised: Rasterised) -> Tensor:
        worth = torch.where(rasterised.depth.isnan(), 0.0, rasterised.weight)
        total = worth.sum((1, 2)).clamp(min=0.25)
        # A side of the crop at the head's distance, in mm.
        side = 1000.0 * observation.t_cam_head[:, 2] * self._size / observation.camera[:, 0]
        error = 1000.0 * found - torch.nan_to_num(rasterised.depth) * side[:, None, None]
        error = error - ((worth * error).sum((1, 2)) / total)[:, None, None]
        return (worth * _robust((error / _DEPTH_MM) ** 2)).sum() / worth.sum().clamp(min=0.25)

    def landmarks_px(self, posed: Posed, observation: Observation) -> Tensor:
        """[n, 478, 2] where the landmarks of the posed head are, px of the crops."""
        points = self._topology.at_landmarks(posed.control)
        points = points + observation.placement @ posed.rotation.transpose(1, 2)
        return project(points, posed.camera)[..., :2]

    def _landmarks(self, posed: Posed, observation: Observation) -> Tensor:
        error = (self.landmarks_px(posed, observation) - observation.landmarks) / _LANDMARK_PX
        known = ~observation.landmarks.isnan().any(-1)
        if not known.any():
            return posed.control.new_zeros(())
        return _robust((error[known] ** 2).sum(-1)).mean()

    def _outline(self, posed: Posed, normals: Tensor, seen: tuple[Tensor, Tensor], rasterised: Rasterised) -> Tensor:
        """seen: `Observation.outline` and `Observation.loose`."""
        points, lie = posed.fine[:, self._outer], normals[:, self._outer]
        px = project(points, posed.camera)
        with torch.no_grad():
            ray = normalize(points, dim=-1)
            beside = px[..., :2] + 2.5 * normalize(lie[..., :2], dim=-1)
            covered = _sample((rasterised.fragments.face >= 0).float(), beside, self._size)
            edge = ((lie * ray).sum(-1).abs() < _CONTOUR) & (covered < 0.5)
            inside = (px[..., :2] > 1).all(-1) & (px[..., :2] < self._size - 1).all(-1)
        away = _sample(seen[0], px[..., :2], self._size)
        with torch.no_grad():
            loose = _sample(seen[1], px[..., :2], self._size) > 0.25
            near = edge & inside & (away.abs() < _REACH_PX) & ((away > 0) | ~loose)
        if not near.any():
            return px.new_zeros(())
        return huber_loss(away[near] / _OUTLINE_PX, torch.zeros_like(away[near]))


def never_at_rest(offsets: Offsets, observation: Observation) -> tuple[Tensor, Tensor]:
    """How much static offsets cost where no frame shows the face at rest, over what they cost elsewhere.

    What a photo of a smile shows of a cheek is the smile, as the actions have it or not: hardly of who somebody is.

    Returns:
        [V] on the control mesh and [W] on the fit mesh, at least 1.
    """
    head = offsets.subject.head
    with torch.no_grad():
        moved = (head.deform(observation.expression, observation.gaze) - head.neutral).norm(dim=-1)
        least_mm = moved.amin(0) * (1000.0 / offsets.scale)
        cost = 1.0 + (least_mm / _AT_REST_MM) ** 2
    return cost, offsets.levels[1].upsample(cost[:, None])[:, 0]


def regularity(
    offsets: Offsets, rows: Tensor, static: Static, dynamic: Tensor, cost: tuple[Tensor, Tensor]
) -> dict[str, Tensor]:
    """How unusual the identity is (its coefficients are of unit variance, head/model.py), how large, bent and changing
    the offsets are, and how far the poses have gone from the tracked ones.

    cost: of static offsets, see `never_at_rest`.
    """
    mm = 1000.0 / offsets.scale
    coarse, fine = static.coarse * mm, static.fine * mm
    sizes = [(field / _MAGNITUDE_MM).pow(2).sum(-1) for field in (coarse, fine)]
    bends = [
        stiffness * (field - near.mean(field)) / bend_mm
        for field, near, stiffness, bend_mm in zip(
            (coarse, fine), offsets.spread, offsets.stiffness, (_BEND_MM, _FINE_BEND_MM), strict=True
        )
    ]
    scaled, turned, moved = dynamic * mm, offsets.rotation[rows] / 0.05, offsets.translation[rows] / 0.01
    out = {
        "identity": (offsets.person.subject.shape + offsets.identity).pow(2).mean(),
        "magnitude": (cost[0] * sizes[0]).mean() + (cost[1] * sizes[1]).mean(),
        "bend": sum((b.pow(2).sum(-1).mean() for b in bends), start=scaled.new_zeros(())),
        "dynamic_magnitude": (scaled / _MAGNITUDE_MM).pow(2).sum(-1).mean(),
        "dynamic_bend": ((scaled - offsets.spread[0].mean(scaled)) / _BEND_MM).pow(2).sum(-1).mean(),
        "pose": turned.pow(2).sum(-1).mean() + moved.pow(2).sum(-1).mean(),
        "distance": (offsets.log_distance / 0.2).pow(2),
    }
    if len(rows) > 1:
        out["dynamic_change"] = ((scaled[1:] - scaled[:-1]) / _MAGNITUDE_MM).pow(2).sum(-1).mean()
    return out


def project(points: Tensor, camera: Tensor) -> Tensor:
    """[n, N, 3] camera space, metres -> x px, y px of the crops, z m."""
    x, y, z = points.unbind(-1)
    focal, cx, cy = (c[:, None] for c in camera.unbind(1))
    return torch.stack([x / z * focal + cx, y / z * focal + cy, z], -1)


def _same_surface(fragments: Fragments, observation: Observation, evidence: Tensor) -> Tensor:
    """[n, S, S] from 0 to 1: 0 where the picture shows something else than the mesh, such as a neck below a chin.

    Depth is observed up to a shift, which is that of the median pixel of those with evidence.
    """
    side = observation.t_cam_head[:, 2] * observation.normals.shape[1] / observation.camera[:, 0]  # metres
    error = fragments.depth - observation.depth * side[:, None, None]
    known = error.isfinite() & (evidence > 0)
    shift = torch.where(known, error, torch.nan).flatten(1).nanmedian(dim=1).values.nan_to_num()
    low, high = _SAME_SURFACE_M
    share = (high - (error - shift[:, None, None]).abs()) / (high - low)
    return torch.where(known, share.clamp(0.0, 1.0), 1.0)


def _pooled(values: Tensor, weight: Tensor | None = None) -> Tensor:
    """[n, S, S] or [n, S, S, C], perhaps times [n, S, S] -> means over squares of four pixels."""
    if weight is not None:
        values = values * weight[..., None]
    whole = values if values.ndim == 4 else values[..., None]
    pooled = avg_pool2d(whole.permute(0, 3, 1, 2), 2).permute(0, 2, 3, 1)
    return pooled if values.ndim == 4 else pooled[..., 0]


def _robust(square: Tensor) -> Tensor:
    """Squares that stop growing so fast beyond one (Charbonnier)."""
    return 2.0 * (torch.sqrt(1.0 + square.clamp(min=0.0)) - 1.0)


def _sample(picture: Tensor, px: Tensor, size: int) -> Tensor:
    """[n, S, S] at px [n, N, 2] -> [n, N]; the border goes on outside."""
    grid = (px / size * 2.0 - 1.0)[:, None]
    return grid_sample(picture[:, None], grid, padding_mode="border", align_corners=False)[:, 0, 0]
