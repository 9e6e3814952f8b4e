# SPDX-License-Identifier: Apache-2.0
"""An exported head as another reader (pygltflib) finds it: names, targets, places, times, and the camera's view."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch
from scipy.spatial import KDTree
from scipy.spatial.transform import Rotation

from reenact.head.arkit import ACTIONS, index
from reenact.head.gaze import eye_rotations, with_gaze
from reenact.head.levels import open_levels
from reenact.head.motion import Motion
from reenact.head.open import open_head
from reenact.head.regions import MOUTH_INTERIOR, REGIONS, region_ids
from reenact.head.state import deformed
from reenact.head.subject import Subject
from reenact.lab.synthetic import as_tracked, synthetic_motion
from reenact.subject.export_mesh import Shape, seated, shape_of
from reenact.subject.glb_writer import GlbWriter
from reenact.subject.gltf import PARTS, head_to_glb
from reenact.subject.texture import require_motion
from tests.made_motions import made_subject, with_clip
from tests.read_glb import ReadGlb, read_glb

HEAD, LEVELS, COUNT = open_head(), open_levels(), 6
RATE = Fraction(30000, 1001)


@pytest.fixture(scope="module")
def person() -> Subject:
    """A performer with offsets of their own, at television's frame rate, two frames left out."""
    draw = np.random.default_rng(3)
    track = with_clip(as_tracked(synthetic_motion(1, COUNT)), frame=np.asarray([0, 1, 2, 5, 6, 7], np.int32)).replace(
        fps=RATE
    )
    control, fit, _ = LEVELS
    static = (0.0005 * draw.standard_normal((len(control), 3)) * control.soft.numpy()[:, None]).astype(np.float32)
    fine = (0.0001 * draw.standard_normal((len(fit), 3)) * fit.soft.numpy()[:, None]).astype(np.float32)
    return made_subject(track, static, fine, draw.integers(0, 255, (64, 64, 3), np.uint8))


@pytest.fixture(scope="module")
def shape(person: Subject) -> Shape:
    return shape_of(person, "coarse")


@pytest.fixture(scope="module")
def read(person: Subject, tmp_path_factory: pytest.TempPathFactory) -> ReadGlb:
    path = tmp_path_factory.mktemp("glb") / "a.glb"
    path.write_bytes(head_to_glb(person, "coarse"))
    return read_glb(path)


def test_the_targets_bear_arkits_names_in_order(read: ReadGlb) -> None:
    head = read.nodes["head"]
    assert head.target_names == list(ACTIONS) and len(ACTIONS) == 52
    assert [p.material for p in head.parts] == ["skin", "mouth", "teeth", "lashes"]
    assert all(len(p.targets) == 52 for p in head.parts)
    assert head.children == ["leftEye", "rightEye"]
    assert all(not read.nodes[eye].target_names for eye in head.children)
    assert read.sparse > 52


def test_every_region_is_in_one_part() -> None:
    assert sorted(r for regions, _ in PARTS.values() for r in regions) == sorted(REGIONS)


def test_neutral_and_targets_are_the_rigs(read: ReadGlb, shape: Shape, person: Subject) -> None:
    """Each read vertex is one of the rig's, and moves as that one does; a blink is more, it shuts the eye."""
    neutral, actions = (values.numpy() for values in seated(person.head))
    skin = np.unique(
        shape.faces[np.isin(shape.regions, np.flatnonzero([r not in ("sclera", "iris") for r in REGIONS]))]
    )
    tree = KDTree(neutral[skin])
    others = [i for i, name in enumerate(ACTIONS) if not name.startswith("eyeBlink")]
    found = set()
    for part in read.nodes["head"].parts:
        distance, near = tree.query(part.points)
        vertex = skin[near]
        assert distance.max() < 1e-6
        apart = np.linalg.norm(part.targets[others] - actions[others][:, vertex], axis=2)
        assert apart.max() < 2e-5
        np.testing.assert_allclose(part.normals, shape.normals[vertex], atol=1e-5)
        np.testing.assert_allclose(np.linalg.norm(part.normals, axis=1), 1.0, atol=1e-5)
        found |= set(vertex.tolist())
    assert found == set(skin.tolist())


def test_triangles_and_texture_coordinates_are_the_models(read: ReadGlb, shape: Shape) -> None:
    parts = read.nodes["head"].parts + [p for eye in ("leftEye", "rightEye") for p in read.nodes[eye].parts]
    assert sum(len(p.faces) for p in parts) == len(shape.faces)
    skin = parts[0]
    rows = shape.rows(*PARTS["skin"][0])
    corners = shape.atlas.uv[shape.atlas.faces[rows]]
    np.testing.assert_allclose(skin.uv[skin.faces], np.stack([corners[..., 0], 1.0 - corners[..., 1]], -1), atol=1e-6)
    np.testing.assert_allclose(skin.points[skin.faces], shape.neutral[shape.faces[rows]], atol=1e-6)
    assert (skin.texture[..., 3] == 255).all() and not skin.blended
    lashes = parts[3]
    assert lashes.blended and lashes.uv.min() >= 0 and lashes.uv.max() <= 1 and lashes.texture[..., 3].min() == 0


def test_an_eyeball_turns_about_its_own_middle_and_no_target_moves_it(read: ReadGlb, shape: Shape) -> None:
    for side, name in enumerate(("leftEye", "rightEye")):
        eye = read.nodes[name]
        (ball,) = eye.parts
        np.testing.assert_allclose(eye.translation, shape.eyes[side], atol=1e-6)
        assert (eye.translation[0] > 0) == (side == 0) and len(ball.targets) == 0
        far = np.linalg.norm(ball.points, axis=1)
        assert far.min() > 0.8 * far.max() and abs(ball.points[:, :2].mean(axis=0)).max() < 0.05 * far.max()


def test_times_are_frame_numbers_over_the_exact_rate(read: ReadGlb) -> None:
    exact = np.asarray([float(frame / RATE) for frame in (0, 1, 2, 5, 6, 7)]).astype(np.float32)
    assert len(read.channels) == 5
    for times, values in read.channels.values():
        np.testing.assert_array_equal(times, exact)
        assert len(values) == COUNT


def test_the_animation_is_the_performance(read: ReadGlb, person: Subject) -> None:
    t = require_motion(person)
    codes = with_gaze(t.expression.numpy(), t.gaze.numpy(), HEAD.gaze_limits)
    np.testing.assert_allclose(read.channels["head", "weights"][1], codes, atol=1e-6)
    for side, eye in enumerate(("leftEye", "rightEye")):
        turned = Rotation.from_quat(read.channels[eye, "rotation"][1]).as_matrix()
        np.testing.assert_allclose(turned, eye_rotations(t.gaze[:, side].numpy()), atol=1e-5)
    for name in ("head", "leftEye", "rightEye"):
        turns = read.channels[name, "rotation"][1]
        assert ((turns[1:] * turns[:-1]).sum(axis=1) > 0).all()  # the short way round


def test_its_camera_sees_the_head_where_the_tracks_camera_did(read: ReadGlb, person: Subject) -> None:
    """The same pixels by glTF's rules (y up, camera along -z, yfov) and by ours (OpenCV axes, focal length)."""
    t = require_motion(person)
    clip, points = t.require_clip(), read.nodes["head"].parts[0].points.astype(float)
    for i in range(COUNT):
        turn = Rotation.from_quat(read.channels["head", "rotation"][1][i])
        world = turn.apply(points) + read.channels["head", "translation"][1][i]
        assert (world[:, 2] < 0).all()
        by_gltf = world[:, :2] / -world[:, 2:] / np.tan(read.yfov / 2)  # -1..1 of half the height
        px = by_gltf * [1, -1] * clip.height / 2 + [clip.width / 2, clip.height / 2]
        cam = points @ t.rotation[i].double().numpy().T + t.translation[i].numpy()
        ours = float(clip.focal_px[0]) * cam[:, :2] / cam[:, 2:] + [clip.width / 2, clip.height / 2]
        np.testing.assert_allclose(px, ours, atol=0.01)


@pytest.mark.parametrize("detail", ["coarse", "fit"])
def test_a_blink_shuts_the_eye(person: Subject, detail: str) -> None:
    own = shape_of(person, "fit" if detail == "fit" else "coarse")
    pairs = HEAD.topology.lid_contacts.numpy()
    for side, action in enumerate(("eyeBlinkLeft", "eyeBlinkRight")):
        upper, lower = pairs[(own.neutral[pairs[:, 0], 0] > 0) == (side == 0)].T
        open_ = own.neutral[upper, 1] - own.neutral[lower, 1]
        shut = open_ + (own.targets[index(action)][upper] - own.targets[index(action)][lower])[:, 1]
        wide = open_ > 0.5 * open_.max()
        assert np.abs(shut[wide]).max() < 0.1 * open_.max()


def test_the_finer_export_follows_the_rig_and_the_fit_meshs_offsets(person: Subject) -> None:
    fine, level = shape_of(person, "fit"), LEVELS[1]
    control, actions = seated(person.head)
    assert person.fine_offset is not None
    np.testing.assert_allclose(fine.neutral, (level.upsample(control) + person.fine_offset).numpy(), atol=1e-6)
    smile = index("mouthSmileLeft")
    np.testing.assert_allclose(fine.targets[smile], level.upsample(actions[smile]).numpy(), atol=2e-5)
    assert len(fine.atlas.faces) == len(fine.faces) and fine.lashes.shape == (len(level), 2)


def test_an_exported_open_mouth_is_the_generators(person: Subject, shape: Shape) -> None:
    """Neutral and jawOpen at 1: lips, teeth, tongue and cavity lie where the head's function has them."""
    head = person.head
    codes = np.zeros(52, np.float32)
    codes[index("jawOpen")] = 1.0
    wanted = deformed(head, Motion(codes, np.zeros((2, 2)), np.eye(3), np.zeros(3)))[0].numpy()
    rows = HEAD.topology.region_vertices(*region_ids("lips", *MOUTH_INTERIOR))
    found = shape.neutral + shape.targets[index("jawOpen")]
    assert np.abs(found - wanted)[rows].max() < 2e-5
    plain = (head.neutral + head.actions[index("jawOpen")]).numpy()
    assert np.abs(plain - wanted)[rows].max() > 0.001


def test_static_offsets_that_push_the_lids_in_take_the_eyeball_along(person: Subject) -> None:
    offset = torch.zeros(len(LEVELS[0]), 3)
    before = shape_of(person.replace(static_offset=offset), "coarse").eyes
    np.testing.assert_array_equal(before, HEAD.joints(torch.zeros(HEAD.identity_size)).eyes)
    offset[HEAD.topology.region_vertices(*region_ids("skin", "eyelids")), 2] = -0.002
    after = shape_of(person.replace(static_offset=offset), "coarse").eyes
    assert (after - before)[:, 2] == pytest.approx([-0.002, -0.002], abs=0.0008)


def test_what_is_zero_takes_no_room_and_comes_back_exactly() -> None:
    values = np.zeros((5000, 3), np.float32)
    out = GlbWriter("test")
    out.displacements(values)
    empty = len(out.to_bytes())
    values[[7, 4999]] = [[1, 2, 3], [-4, 0.5, 0]]
    out.displacements(values)
    assert len(out.to_bytes()) - empty < 600
    values[:] = 1.0
    out.displacements(values)
    assert len(out.to_bytes()) - empty > values.nbytes
    assert len(out.to_bytes()) % 4 == 0 and out.to_bytes()[:4] == b"glTF"
