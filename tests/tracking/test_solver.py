# SPDX-License-Identifier: Apache-2.0
"""The fit on truth that the head model itself makes, and its derivatives against finite differences."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from reenact.head.arkit import index
from reenact.head.head_model import personalised
from reenact.head.landmarks import LEFT_BROW, LIPS, NOSE, RIGHT_BROW
from reenact.head.motion import Motion
from reenact.head.open import open_head
from reenact.head.state import codes_of
from reenact.head.subject import Subject
from reenact.rendering import Camera
from reenact.tracking.face_model import LandmarkModel, identity_landmarks, landmark_model
from reenact.tracking.fit import fit_frames, fit_identity
from reenact.tracking.flow import Shot
from reenact.tracking.normal_equations import (
    Observations,
    frame_equations,
    joint_equations,
    linearise,
    project,
    stepped,
)
from reenact.tracking.placement import mean_placement, placement_modes
from reenact.tracking.priors import ANTAGONISTS, antagonism
from reenact.tracking.scheme import DIFFERENCES
from reenact.tracking.solve import BOUNDS, FREE
from reenact.tracking.start import observations

HEAD = open_head()
AHEAD = np.diag([1.0, -1.0, -1.0])
FOCAL, SIDE = 1400.0, 512


def someone(seed: int) -> np.ndarray:
    identity = np.random.default_rng(seed).normal(size=HEAD.identity_size).astype(np.float32)
    identity[60:] = 0
    return identity


def performance(frames: int, seed: int) -> Motion:
    """A smooth, lively act: blinks, speech, smiles, brows, glances, turns of the head."""
    rng = np.random.default_rng(seed)
    t = np.linspace(0, 2 * np.pi, frames)
    expression = np.zeros((frames, 52), np.float32)
    for name, cycles, size in (
        ("jawOpen", 3, 0.8), ("mouthSmileLeft", 1, 0.8), ("mouthSmileRight", 1, 0.8), ("browInnerUp", 2, 0.8),
        ("eyeBlinkLeft", 4, 0.9), ("eyeBlinkRight", 4, 0.9), ("mouthPucker", 1.5, 0.6),
    ):  # fmt: skip
        expression[:, index(name)] = size * np.clip(np.sin(cycles * t + rng.uniform(0, 6)), 0, None)
    angles = np.stack([0.15 * np.sin(t), 0.3 * np.sin(1.3 * t), 0.1 * np.cos(t)], axis=1)
    rotation = Rotation.from_euler("xyz", angles).as_matrix() @ AHEAD
    gaze = np.zeros((frames, 2, 2), np.float32)
    gaze[:, :, 0] = 0.15 * np.sin(2 * t)[:, None]
    place = np.asarray([0, 0.02, 0.75]) + 0.02 * np.stack([np.sin(t), np.cos(t), np.sin(2 * t)], axis=1)
    return Motion(expression, gaze, rotation, place)


PLACEMENT = mean_placement(HEAD)
CAMERA = Camera(FOCAL, SIDE / 2, SIDE / 2, SIDE, SIDE)


def seen(identity: np.ndarray, act: Motion, noise_px: float = 0.0) -> np.ndarray:
    """Landmarks [F, 478, 2] px as the network would see them."""
    lm = landmark_model(personalised(HEAD, identity), PLACEMENT)
    points = project(lm, act, FOCAL).numpy() + SIDE / 2
    return (points + np.random.default_rng(5).normal(size=points.shape) * noise_px).astype(np.float32)


FREELY = BOUNDS + 10  # bounds out of reach


def half_played() -> tuple[LandmarkModel, Motion, Observations]:
    """Somebody's landmarks, codes that rest on no bound, and what another performance shows."""
    act = performance(4, 1)
    act = act.replace(expression=act.expression + 0.1)
    obs = observations(seen(someone(0), performance(4, 2)), (SIDE / 2, SIDE / 2))
    return landmark_model(personalised(HEAD, someone(0)), PLACEMENT), act, obs


def test_jacobians_are_the_derivatives() -> None:
    lm, act, obs = half_played()
    step = 2e-3
    lin = linearise(lm, act, obs, FOCAL, FREE)
    for column in (0, 1, 2, 3, 5, 6 + FREE.index(index("jawOpen")), 6 + len(FREE), 6 + len(FREE) + 3):
        d = torch.zeros(4, 6 + len(FREE) + 4)
        d[:, column] = step * (0.1 if 3 <= column < 6 else 1)
        ahead = linearise(lm, stepped(act, d, FREE, FREELY), obs, FOCAL, FREE).residual
        back = linearise(lm, stepped(act, -d, FREE, FREELY), obs, FOCAL, FREE).residual
        numeric = (ahead - back) / (2 * d[0, column])
        exact = lin.by_frame[:, column]
        assert float((numeric - exact).abs().median()) < 0.02 * float(exact.abs().max())
    longer = linearise(lm, act, obs, FOCAL * np.exp(step), FREE).residual
    torch.testing.assert_close((longer - lin.residual) / step, lin.by_focal, atol=0.01, rtol=0.01)


def test_normal_equations_are_those_of_all_weighted_rows() -> None:
    """Each landmark's and each difference's row is written out here; joint_equations never makes them."""
    lm, act, obs = half_played()
    basis = identity_landmarks(HEAD, 7)
    lin = linearise(lm, act, obs, FOCAL, FREE)
    shared = torch.cat([torch.einsum("fcil,klc->fkil", lin.by_place, basis), lin.by_focal[:, None]], dim=1)
    columns = torch.cat([lin.by_frame, shared, lin.residual[:, None]], dim=1).double()
    a, b = DIFFERENCES.unbind(1)
    apart = (columns[..., a] - columns[..., b]) * lin.difference_precision.sqrt()[:, None, None]
    rows = torch.cat([columns * lin.point_precision.sqrt()[:, None, None], apart], dim=3).flatten(2).transpose(1, 2)
    wanted = rows.transpose(1, 2) @ rows
    n = lin.by_frame.shape[1]
    found, (alone_gradient, alone_hessian) = joint_equations(lin, basis), frame_equations(lin)
    for mine, yours in (
        (found.hessian, wanted[:, :n, :n]),
        (found.gradient, wanted[:, :n, -1]),
        (found.cross, wanted[:, :n, n:-1]),
        (found.shared_hessian, wanted[:, n:-1, n:-1].sum(dim=0)),
        (found.shared_gradient, wanted[:, n:-1, -1].sum(dim=0)),
        (alone_hessian, wanted[:, :n, :n]),
        (alone_gradient, wanted[:, :n, -1]),
    ):
        torch.testing.assert_close(mine.double(), yours, rtol=0, atol=1e-5 * float(yours.abs().max()))
    assert float(lin.difference_precision.min()) > 0


@pytest.mark.parametrize("seed", [0, 1])
def test_a_known_performance_is_found_again(seed: int) -> None:
    truth, identity = performance(60, seed), someone(seed)
    subject = Subject(HEAD, torch.from_numpy(identity), CAMERA, PLACEMENT)
    found = fit_frames(subject, seen(identity, truth), np.ones(59, bool))
    turn = Rotation.from_matrix((found.rotation @ truth.rotation.mT).numpy()).magnitude()
    assert np.degrees(np.median(turn)) < 0.5
    for name in ("jawOpen", "mouthSmileLeft", "browInnerUp", "eyeBlinkLeft", "mouthPucker"):
        mine, yours = (motion.expression[:, index(name)].numpy() for motion in (found, truth))
        assert np.corrcoef(mine, yours)[0, 1] > 0.97, name
        assert 0.8 < mine.std() / yours.std() < 1.2, name
    assert np.degrees(float((found.gaze - truth.gaze).abs().mean())) < 2


def test_person_and_camera_come_from_the_landmarks_alone() -> None:
    truth, identity = performance(40, 3), someone(3)
    points = seen(identity, truth, noise_px=0.3)
    subject = fit_identity(HEAD, points, SIDE, SIDE)
    found = fit_frames(subject, points, np.ones(39, bool))
    face_px = np.ptp(points[:, :468, 1], axis=1).mean()
    assert np.median(Shot(subject, points, found, np.arange(40)).residual_px) < 0.004 * face_px
    top = HEAD.topology
    mine, yours = (top.at_landmarks(HEAD.neutral(i))[:468].numpy() for i in (subject.shape, torch.from_numpy(identity)))
    mine, yours = (x - x.mean(axis=0) for x in (mine, yours))
    # size and distance cannot be told apart by one camera: compare shapes at one size
    mine *= np.sqrt((yours**2).sum() / (mine**2).sum())
    assert np.median(np.linalg.norm(mine - yours, axis=1)) < 0.004


def test_a_smile_kept_through_the_clip_stays_an_expression() -> None:
    act, identity = performance(30, 4), someone(4)
    for side in ("Left", "Right"):
        act.expression[:, index(f"mouthSmile{side}")] = 0.7
    points = seen(identity, act)
    found = fit_frames(fit_identity(HEAD, points, SIDE, SIDE), points, np.ones(29, bool))
    smile = found.expression[:, [index("mouthSmileLeft"), index("mouthSmileRight")]]
    assert smile.median() > 0.35


def test_eyelook_codes_are_left_to_the_gaze() -> None:
    truth, identity = performance(10, 6), someone(6)
    subject = Subject(HEAD, torch.from_numpy(identity), CAMERA, PLACEMENT)
    found = fit_frames(subject, seen(identity, truth), np.ones(9, bool))
    looks = [i for i in range(52) if i not in FREE]
    assert found.expression[:, looks].abs().max() == 0
    assert codes_of(subject.head, found)[:, looks].abs().max() > 0


BROWS = [*RIGHT_BROW, *LEFT_BROW]


def brow_height(points: np.ndarray) -> np.ndarray:
    """[F, 478, 2] px -> [F] height of the brows over the line of the eyes, in inter-ocular distances."""
    right, left = points[:, [33, 133]].mean(axis=1), points[:, [263, 362]].mean(axis=1)
    across = left - right
    size = np.linalg.norm(across, axis=1)
    up = np.stack([across[:, 1], -across[:, 0]], axis=1) / size[:, None]
    return ((points[:, BROWS].mean(axis=1) - (right + left) / 2) * up).sum(axis=1) / size


def fitted(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Landmarks [F, 478, 2] px and codes [F, 52] of a fit of person and frames."""
    subject = fit_identity(HEAD, points, SIDE, SIDE)
    found = fit_frames(subject, points, np.ones(len(points) - 1, bool))
    lm = landmark_model(subject.head, subject.placement)
    return project(lm, found, subject.camera.focal_px).numpy() + SIDE / 2, found.expression.numpy()


def brow_play(frames: int) -> Motion:
    """Brows that rise three times and frown in between."""
    act = performance(frames, 7)
    wave = torch.sin(torch.linspace(0, 6 * np.pi, frames))
    for name, size in (("browInnerUp", 0.8), ("browOuterUpLeft", 0.8), ("browOuterUpRight", 0.8)):
        act.expression[:, index(name)] = size * wave.clamp(min=0)
    for side in ("Left", "Right"):
        act.expression[:, index(f"browDown{side}")] = 0.7 * (-wave).clamp(min=0)
    return act


def test_opposing_actions_exclude_each_other() -> None:
    points = seen(someone(8), brow_play(60))
    # A face that no identity makes up for: what tempts a fit to hold opposing actions.
    points += np.random.default_rng(8).normal(size=(1, 478, 2)).astype(np.float32) * 2.0
    _, codes = fitted(points)
    for one, other in (("eyeWide", "eyeSquint"), ("eyeWide", "eyeBlink"), ("browDown", "browOuterUp")):
        for side in ("Left", "Right"):
            both = np.minimum(codes[:, index(one + side)], codes[:, index(other + side)])
            assert both.mean() < 0.03, f"{one} and {other} {side}"
    assert np.minimum(codes[:, index("jawLeft")], codes[:, index("jawRight")]).mean() < 0.03


def test_antagonism_pairs_sides_and_costs_no_lone_action() -> None:
    cost = antagonism().numpy()
    assert (cost == cost.T).all() and (np.diag(cost) == 0).all()
    assert cost[index("browDownLeft"), index("browOuterUpLeft")] > 0
    assert cost[index("browDownLeft"), index("browOuterUpRight")] == 0
    assert cost[index("jawOpen"), index("mouthPressLeft")] == cost[index("jawOpen"), index("mouthPressRight")] > 0
    assert len({frozenset(pair[:2]) for pair in ANTAGONISTS}) == len(ANTAGONISTS)


def test_brows_keep_their_amplitude_where_they_sit_high_and_tilted() -> None:
    points = seen(someone(9), brow_play(60))
    points[:, RIGHT_BROW, 1] -= np.linspace(0, 5, len(RIGHT_BROW), dtype=np.float32)
    points[:, LEFT_BROW, 1] -= np.linspace(0, 5, len(LEFT_BROW), dtype=np.float32)
    shown, codes = fitted(points)
    mine, yours = brow_height(shown), brow_height(points)
    assert np.corrcoef(mine, yours)[0, 1] > 0.99
    assert 0.97 < mine.std() / yours.std() < 1.05
    low = codes[:, index("browInnerUp")] < 0.1
    assert low.any()  # the brows come to rest although they are drawn in another place


def test_placement_leaves_what_is_seen_and_moves_along_the_skin() -> None:
    lm = landmark_model(personalised(HEAD, someone(0)))
    modes = placement_modes(lm)
    assert float(modes[:, [*LIPS, *NOSE, *range(468, 478)]].abs().max()) == 0
    out_of_skin = (modes * lm.normals).sum(dim=2).abs().max()
    assert float(out_of_skin) < 1e-2 * float(modes.abs().max())
    spread = modes.pow(2).sum(dim=(0, 2)).sqrt()
    assert 0.001 < float(spread[BROWS].mean()) < 0.004
