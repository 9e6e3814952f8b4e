# SPDX-License-Identifier: Apache-2.0
"""Deformation transfer: exactness, equivariance, and behaviour on heads that differ."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch
import trimesh
from scipy.spatial.distance import pdist
from scipy.spatial.transform import Rotation

from reenact.head.deformation import DeformationSource

TURN = Rotation.from_rotvec([0.4, -0.9, 0.7]).as_matrix()


def sphere(subdivisions: int = 3) -> trimesh.Trimesh:
    return trimesh.creation.icosphere(subdivisions=subdivisions, radius=0.1)


def smooth_offsets(vertices: np.ndarray, count: int, size: float, seed: int = 0) -> np.ndarray:
    """[count, V, 3] bumps that vanish on the lower half of the vertices, nonlinear enough to turn normals."""
    rng = np.random.default_rng(seed)
    centred = vertices - vertices.mean(axis=0)
    radius = np.abs(centred).max()
    fade = np.clip(centred[:, 1] / radius, 0, None) ** 2
    waves = np.sin(centred / radius @ rng.normal(size=(count, 3, 3)) + rng.normal(size=(count, 1, 3)))
    return size * fade[:, None] * waves


def warped(vertices: np.ndarray) -> np.ndarray:
    """Another head: stretched unequally and bent."""
    out = vertices * [1.3, 0.8, 1.1]
    out[:, 2] += 3 * out[:, 0] ** 2
    return out


def normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    corner = vertices[faces]
    return np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])


@pytest.fixture(scope="module")
def head() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Neutral, faces, anchors, offsets of a sphere with a loose patch (lash) and a solid (tooth) above it."""
    skin, tooth = sphere(), trimesh.creation.box(extents=[0.02, 0.01, 0.015])
    tooth.apply_translation([0.0, 0.12, 0.01])
    lash = trimesh.Trimesh(
        [[0.03, 0.1, 0], [0.05, 0.1, 0], [0.03, 0.11, 0.02], [0.05, 0.11, 0.02]], [[0, 1, 2], [1, 3, 2]]
    )
    whole = skin + lash + tooth
    neutral, faces = np.asarray(whole.vertices), np.asarray(whole.faces)
    offsets = smooth_offsets(neutral, 4, 0.02)
    body = neutral[-8:] - neutral[-8:].mean(axis=0)
    for action, turn in enumerate(Rotation.from_rotvec(np.linspace([0, 0, 0.1], [0.5, -0.4, 0.2], 4)).as_matrix()):
        offsets[action, -8:] = body @ turn.T - body + [0.001 * action, 0.02, -0.01]
    return neutral, faces, (offsets == 0).all(axis=(0, 2)), offsets


TOOTH = slice(-8, None)


Transfer = Callable[[np.ndarray], np.ndarray]


def onto(target: np.ndarray, neutral: np.ndarray, faces: np.ndarray, **options) -> Transfer:
    """Offsets of a neutral head -> those of the target."""
    transfer = source_of(neutral, faces, **options).onto(torch.from_numpy(target))
    return lambda offsets: transfer.transfer(torch.from_numpy(offsets)).numpy()


def source_of(
    neutral: np.ndarray,
    faces: np.ndarray,
    *,
    anchors: np.ndarray,
    rigid_parts: Sequence[np.ndarray] = (),
    contact_pairs: np.ndarray | None = None,
) -> DeformationSource:
    return DeformationSource(
        torch.from_numpy(neutral),
        torch.from_numpy(faces),
        anchors=torch.from_numpy(anchors),
        rigid_parts=[torch.from_numpy(part) for part in rigid_parts],
        contact_pairs=None if contact_pairs is None else torch.from_numpy(contact_pairs),
    )


def build(head, target: np.ndarray, **options) -> Transfer:
    neutral, faces, anchors, _ = head
    tooth = np.arange(len(neutral))[TOOTH]
    return onto(target, neutral, faces, anchors=anchors, rigid_parts=[tooth], **options)


def pairs_near_pole(neutral: np.ndarray) -> np.ndarray:
    high = np.argsort(-neutral[:-12, 1])[:6]
    return high.reshape(3, 2)


@pytest.mark.parametrize("contacts", [False, True])
@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-11), (np.float32, 1e-8)])
def test_same_head_returns_the_same_offsets(head, contacts: bool, dtype: type, tolerance: float) -> None:
    neutral, _, _, offsets = head
    transfer = build(head, neutral, contact_pairs=pairs_near_pole(neutral) if contacts else None)
    out = transfer(offsets.astype(dtype))
    np.testing.assert_allclose(out, offsets.astype(dtype), atol=tolerance)


def test_offsets_scale_with_the_head(head) -> None:
    neutral, _, _, offsets = head
    pairs = pairs_near_pole(neutral)
    out = build(head, 0.37 * neutral, contact_pairs=pairs)(offsets)
    np.testing.assert_allclose(out, 0.37 * offsets, atol=1e-11)


def test_turning_both_heads_turns_the_offsets(head) -> None:
    neutral, faces, anchors, offsets = head
    target, pairs = warped(neutral), pairs_near_pole(neutral)
    plain = build(head, target, contact_pairs=pairs)(offsets)
    turned = build((neutral @ TURN.T, faces, anchors, offsets), target @ TURN.T, contact_pairs=pairs)
    np.testing.assert_allclose(turned(offsets @ TURN.T), plain @ TURN.T, atol=1e-11)


def test_place_of_either_head_does_not_matter(head) -> None:
    neutral, faces, anchors, offsets = head
    target, pairs = warped(neutral), pairs_near_pole(neutral)
    plain = build(head, target, contact_pairs=pairs)(offsets)
    moved = build((neutral - 0.5, faces, anchors, offsets), target + np.array([1, -2, 3]), contact_pairs=pairs)
    np.testing.assert_allclose(moved(offsets), plain, atol=1e-11)


def test_rest_stays_at_rest_and_anchors_stay_fixed(head) -> None:
    neutral, _, anchors, offsets = head
    transfer = build(head, warped(neutral), contact_pairs=pairs_near_pole(neutral))
    both = transfer(np.stack([np.zeros_like(neutral), offsets[1]]))
    assert (both[0] == 0).all()
    assert anchors.sum() > 100 and (both[1][anchors] == 0).all()


def test_each_action_is_transferred_alone(head) -> None:
    neutral, _, _, offsets = head
    transfer = build(head, warped(neutral))
    together = transfer(offsets)
    np.testing.assert_allclose(transfer(offsets[2:3])[0], together[2], atol=1e-14)


def test_gradients_agree_with_the_published_four_vertex_formulation() -> None:
    """Sumner and Popovic's own least squares, fourth vertices and all, done densely."""
    mesh = sphere(1)
    neutral, faces = np.asarray(mesh.vertices), np.asarray(mesh.faces)
    offsets, target = smooth_offsets(neutral, 1, 0.03), warped(neutral)
    anchors = (offsets == 0).all(axis=(0, 2))
    out = onto(target, neutral, faces, anchors=anchors)(offsets)[0]

    def frames(vertices: np.ndarray) -> np.ndarray:
        corner, cross = vertices[faces], normals(vertices, faces)
        fourth = cross / np.sqrt(np.linalg.norm(cross, axis=1))[:, None]
        return np.stack([corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0], fourth], axis=2)

    gradient = frames(neutral + offsets[0]) @ np.linalg.inv(frames(neutral))
    inverse = np.linalg.inv(frames(target))
    area = 0.5 * np.linalg.norm(normals(target, faces), axis=1)
    count = len(neutral)
    rows, wanted = [], []
    for t, (a, b, c) in enumerate(faces):
        for k in range(3):
            row = np.zeros(count + len(faces))
            row[[b, c, count + t]] = inverse[t, :, k]  # unknown fourth vertices count from corner a
            row[a] = -inverse[t, 0, k] - inverse[t, 1, k]
            rows.append(np.sqrt(area[t]) * row)
            wanted.append(np.sqrt(area[t]) * gradient[t, :, k])
    matrix, right = np.array(rows), np.array(wanted)
    right = right - matrix[:, :count][:, anchors] @ target[anchors]
    free = np.r_[~anchors, np.ones(len(faces), bool)]
    solved = np.linalg.lstsq(matrix[:, free], right, rcond=None)[0][: (~anchors).sum()]
    np.testing.assert_allclose(target[~anchors] + out[~anchors], solved, atol=1e-10)


def test_stretched_head_gets_smooth_offsets_and_no_inverted_triangle() -> None:
    mesh = sphere(4)
    neutral, faces = np.asarray(mesh.vertices), np.asarray(mesh.faces)
    offsets, target = smooth_offsets(neutral, 6, 0.03), neutral * [1.5, 1.0, 0.7]
    transfer = onto(target, neutral, faces, anchors=(offsets == 0).all(axis=(0, 2)))
    out = transfer(offsets)
    edges = mesh.edges_unique

    def steepest(field: np.ndarray, vertices: np.ndarray) -> float:
        step = np.linalg.norm(field[:, edges[:, 0]] - field[:, edges[:, 1]], axis=2)
        return float((step / np.linalg.norm(vertices[edges[:, 0]] - vertices[edges[:, 1]], axis=1)).max())

    upright = normals(neutral, faces)
    assert all(((normals(neutral + o, faces) * upright).sum(axis=1) > 0).all() for o in offsets)
    upright = normals(target, faces)
    assert all(((normals(target + o, faces) * upright).sum(axis=1) > 0).all() for o in out)
    assert steepest(out, target) < 1.5 * steepest(offsets, neutral)


def test_rigid_part_stays_rigid_turns_alike_and_moves_by_its_size(head) -> None:
    neutral, _, _, offsets = head
    target = warped(neutral)
    target[TOOTH] = 0.6 * neutral[TOOTH] + [0.0, 0.05, 0.02]
    out = build(head, target)(offsets)
    for action, moved in enumerate(target[TOOTH] + out[:, TOOTH]):
        np.testing.assert_allclose(pdist(moved), pdist(target[TOOTH]), atol=1e-12)
        np.testing.assert_allclose(out[action, TOOTH], 0.6 * offsets[action, TOOTH], atol=1e-12)


def test_unanchored_part_follows_the_skin_without_pulling_it(head) -> None:
    neutral, faces, anchors, offsets = head
    target = warped(neutral)
    out = build(head, target)(offsets)
    skin_faces = faces[(faces < len(neutral) - 12).all(axis=1)]
    skin = np.arange(len(neutral) - 12)
    alone = onto(target[skin], neutral[skin], skin_faces, anchors=anchors[skin])
    np.testing.assert_allclose(out[:, skin], alone(offsets[:, skin]), atol=1e-11)
    lash = np.arange(len(neutral))[-12:-8]
    stiff = offsets[:1].copy()
    stiff[0, lash] = stiff[0, root_of(neutral, lash, skin)]
    carried = build(head, target)(stiff)[0]
    wanted = np.broadcast_to(carried[root_of(neutral, lash, skin)], (4, 3))
    assert np.linalg.norm(wanted[0]) > 0.001
    np.testing.assert_allclose(carried[lash], wanted, atol=1e-11)


def root_of(neutral: np.ndarray, lash: np.ndarray, skin: np.ndarray) -> int:
    """The skin vertex that the lash hangs from."""
    distance = np.linalg.norm(neutral[lash, None] - neutral[skin], axis=2)
    return int(skin[distance.min(axis=0).argmin()])


def eye() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """A plate with a lens-shaped slit: neutral, faces, pairs over the slit, offsets that close it."""
    across, along = np.linspace(-1, 1, 25), np.linspace(-1, 1, 24)
    x, y = np.meshgrid(across, along)
    half = len(along) // 2
    opening = 0.2 * np.clip(1 - (x / 0.7) ** 2, 0, None)
    lift = np.sign(y) * opening * (1 - np.abs(y))
    z = -0.3 * (x**2 + y**2)
    neutral = np.stack([x, y + lift - np.sign(y) * along[half], z], axis=-1).reshape(-1, 3) * 0.05
    grid = np.arange(x.size).reshape(x.shape)
    quads = np.stack([grid[:-1, :-1], grid[:-1, 1:], grid[1:, 1:], grid[1:, :-1]], axis=-1)
    open_row = (np.abs(across) < 0.7)[:-1] & (np.abs(across) < 0.7)[1:]
    keep = np.ones(quads.shape[:2], bool)
    keep[half - 1, open_row] = False
    quads = quads[keep]
    faces = np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])
    inside = np.flatnonzero(np.abs(across) < 0.7)
    pairs = np.stack([grid[half, inside], grid[half - 1, inside]], axis=1)
    close = np.zeros_like(neutral)
    close[:, 1] = -0.05 * (lift * (1 - np.abs(y)) ** 1).ravel()
    top = neutral[pairs[:, 0], 1] - neutral[pairs[:, 1], 1]
    close[pairs[:, 0], 1], close[pairs[:, 1], 1] = -0.9 * top, 0.1 * top
    return neutral, faces, pairs, close[None]


def test_what_closes_on_the_source_closes_on_the_target() -> None:
    neutral, faces, pairs, close = eye()
    target = neutral * [1.0, 1.7, 1.2]
    target[:, 1] += 0.2 * target[:, 0]
    anchors = (close == 0).all(axis=(0, 2))

    def widest(offsets: np.ndarray) -> float:
        placed = target + offsets[0]
        gaps = np.linalg.norm(placed[pairs[:, 0]] - placed[pairs[:, 1]], axis=1)
        return float(gaps.max() / np.linalg.norm(target[pairs[:, 0]] - target[pairs[:, 1]], axis=1).max())

    plain = onto(target, neutral, faces, anchors=anchors)
    closing = onto(target, neutral, faces, anchors=anchors, contact_pairs=pairs)
    assert widest(plain(close)) > 0.1
    assert widest(closing(close)) < 0.01
    half = closing(0.5 * close)
    assert widest(half) == pytest.approx(0.5, abs=0.03)


def test_degenerate_triangles_do_no_harm() -> None:
    mesh = sphere(2)
    neutral, faces = np.asarray(mesh.vertices), np.asarray(mesh.faces)
    offsets, target = smooth_offsets(neutral, 2, 0.02), warped(neutral)
    a, b, c = faces[0]
    broken = np.concatenate([faces, [[a, b, b], [a, a, a]]])
    anchors = (offsets == 0).all(axis=(0, 2))
    plain = onto(target, neutral, faces, anchors=anchors)(offsets)
    np.testing.assert_allclose(onto(target, neutral, broken, anchors=anchors)(offsets), plain, atol=1e-12)
    crushed = offsets.copy()
    crushed[0, [a, b, c]] = neutral[a] - neutral[[a, b, c]]
    assert np.isfinite(onto(target, neutral, faces, anchors=anchors)(crushed)).all()


def test_wrong_input_is_refused(head) -> None:
    neutral, faces, anchors, offsets = head
    with pytest.raises(ValueError, match="target_neutral"):
        onto(neutral[:-1], neutral, faces, anchors=anchors)
    with pytest.raises(ValueError, match="nothing to hold"):
        onto(neutral, neutral, faces, anchors=np.zeros_like(anchors))
    with pytest.raises(ValueError, match="vertex indices"):
        onto(neutral, neutral, faces, anchors=anchors, contact_pairs=np.asarray([[0, len(neutral)]]))
    with pytest.raises(ValueError, match="source_offsets"):
        build(head, neutral)(offsets[0])
    bad = offsets.copy()
    bad[0, 0, 0] = np.nan
    with pytest.raises(ValueError, match="source_offsets"):
        build(head, neutral)(bad)


@pytest.mark.parametrize("contacts", [False, True])
def test_gradients_reach_the_target(head, contacts: bool) -> None:
    neutral, faces, anchors, offsets = head
    tooth = np.arange(len(neutral))[TOOTH]
    options = {"contact_pairs": pairs_near_pole(neutral)} if contacts else {}
    source = source_of(neutral, faces, anchors=anchors, rigid_parts=[tooth], **options)
    motion = source.motion(torch.from_numpy(offsets[:2]))
    target = torch.from_numpy(warped(neutral)).requires_grad_()

    assert torch.autograd.gradcheck(
        lambda x: source.onto(x).transfer(motion), (target,), eps=1e-7, atol=1e-5, fast_mode=True
    )
