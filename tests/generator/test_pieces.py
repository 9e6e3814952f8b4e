# SPDX-License-Identifier: Apache-2.0
"""The parts of the warp."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from demo_subject import DemoSubject
from hypothesis import given, settings
from hypothesis import strategies as st

from reenact.generator.warp.filters import extrapolate, feather, pixel_grid, remap, smoothstep
from reenact.generator.warp.light import Light, luma
from reenact.generator.warp.rasterised_mesh import Box, RasterisedMesh, RenderMesh
from reenact.generator.warp.skin import front_areas, texture_stretch
from reenact.head.head_model import head_model
from reenact.head.motion import Motion
from reenact.head.open import open_head
from reenact.head.regions import region_ids
from reenact.head.shape import HeadShape
from reenact.head.spread import spread
from reenact.head.state import deformed, posed_vertices
from reenact.head.teeth import LOWER_WIDTHS_M, UPPER_WIDTHS_M, paint_teeth, tooth_places


@pytest.fixture(scope="module")
def head() -> HeadShape:
    model = open_head()
    return head_model(model).personalise(torch.zeros(model.identity_size), adapted=False)


def test_spread_keeps_what_is_known_and_averages_the_rest() -> None:
    # A strip of triangles along x: a harmonic function on it is linear.
    side = np.arange(12)
    faces = np.concatenate([np.stack([side, side + 1, side + 13], 1), np.stack([side, side + 13, side + 12], 1)])
    faces = faces[(side.max() > 0) & (faces % 13 < 13).all(axis=1)].astype(np.int32)
    known = np.zeros(faces.max() + 1, np.float32)
    known[[0, 11]] = 1.0
    values = np.zeros((len(known), 1), np.float32)
    values[0], values[11] = 10.0, 200.0
    out = spread(values, known, faces)
    assert out.min() >= 9.9 and out.max() <= 200.1
    assert abs(float(out[0, 0]) - 10.0) < 25.0 < float(out[5, 0])


def test_spread_leaves_alone_what_it_knows_nothing_about() -> None:
    values = np.arange(12, dtype=np.float32).reshape(6, 2)
    faces = np.asarray([[0, 1, 2], [3, 4, 5]], np.int32)
    known = np.asarray([1, 0, 0, 0, 0, 0], np.float32)
    out = spread(values, known, faces)
    assert np.allclose(out[:3], values[0], atol=1e-3) and np.allclose(out[3:], values[3:], atol=1e-3)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_the_light_is_found_under_a_beard(seed: int) -> None:
    random = np.random.default_rng(seed)
    normals = random.normal(size=(600, 3)) + np.asarray([0.0, 0.0, -1.5])
    normals = (normals / np.linalg.norm(normals, axis=1, keepdims=True)).astype(np.float32)
    direction = np.asarray([0.25, -0.3, -0.2], np.float32)
    skin = np.asarray([200.0, 150.0, 120.0], np.float32)
    colours = skin * (0.75 + normals @ direction)[:, None]
    hairy = random.random(600) < 0.25
    colours[hairy] *= 0.3
    light = Light.fit(colours.astype(np.float32), normals, np.ones(600, np.float32))
    shown = light.shade(normals) * luma(light.skin)
    assert np.abs(shown - luma(skin) * (0.75 + normals @ direction))[~hairy].mean() < 12.0


def test_remapping_by_nothing_changes_nothing() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
    assert np.array_equal(remap(picture, pixel_grid(40)), picture)


def test_grown_values_reach_just_beyond_their_edge() -> None:
    known = np.zeros((20, 20), bool)
    known[5:12, 5:12] = True
    out = extrapolate(np.where(known[..., None], 7.0, 0.0).astype(np.float32), known, 2)
    assert np.allclose(out[3:14, 3:14], 7.0, atol=1e-4) and not out[:3].any() and not out[14:].any()


def test_feather_is_nothing_on_the_rim_and_all_inside() -> None:
    weight = feather((30, 40), 5)
    assert weight.shape == (30, 40) and not weight[0].any() and not weight[:, -1].any()
    assert (weight[5:-5, 5:-5] == 1.0).all()


def test_smoothstep_falls_where_its_edges_are_swapped() -> None:
    x = np.linspace(-1, 2, 50)
    assert np.allclose(smoothstep(0.0, 1.0, x) + smoothstep(1.0, 0.0, x), 1.0)


def test_boxes_stay_inside_the_picture() -> None:
    box = Box.around(np.asarray([[-50.0, 10.0], [30.0, 60.0]], np.float32), 0.1, 100)
    assert box == Box(0, 2, 38, 68)
    assert Box.around(np.asarray([[200.0, 10.0], [230.0, 60.0]], np.float32), 0.1, 100) is None


def test_coverage_adds_up_and_a_cut_is_a_window_onto_the_whole(head: HeadShape) -> None:
    x, y, z = head.neutral.numpy().T
    px = np.column_stack([200 + 900 * x, 150 - 900 * y, 1.0 - z])
    mesh = RenderMesh(head.topology.faces, head.topology.regions.numpy())
    whole = RasterisedMesh.rasterise(mesh, px.astype(np.float32), Box(60, 40, 340, 290))
    parts = sum(whole.coverage(i) for i in range(13))
    assert np.allclose(parts, whole.coverage(*range(13)), atol=1e-5) and np.max(parts) <= 1.0 + 1e-5
    inner = Box(150, 100, 230, 170)
    cut = whole.crop(inner)
    at = inner.slices_in(whole.box)
    assert np.array_equal(cut.regions, whole.regions[at])
    inside = np.s_[4:-4, 4:-4]  # edges are softened, which looks a little beyond
    assert np.allclose(cut.coverage(0)[inside], whole.coverage(0)[at][inside], atol=1e-5)
    assert np.array_equal(cut.interpolate(head.neutral.numpy()), whole.interpolate(head.neutral.numpy())[at])


def test_upper_teeth_end_below_the_lips_line_and_over_the_lower(head: HeadShape) -> None:
    upper, lower = (head.topology.region_vertices(i).numpy() for i in region_ids("teeth_upper", "teeth_lower"))
    contacts = head.topology.lip_contacts.flatten().numpy()
    middle = np.abs(head.neutral.numpy()[:, 0]) < 0.006
    line = head.neutral.numpy()[contacts[middle[contacts]], 1].mean()
    edge = head.neutral.numpy()[upper[middle[upper]]]
    edge = edge[edge[:, 1].argmin()]
    below = head.neutral.numpy()[lower[middle[lower]]]
    below = below[below[:, 1].argmax()]
    assert 0.001 < line - edge[1] < 0.005
    assert edge[1] < below[1] < edge[1] + 0.004 and below[2] < edge[2]


def test_teeth_are_symmetric_parted_at_their_edges_and_pink_at_their_roots(head: HeadShape) -> None:
    places = tooth_places(head)
    mirrored = places[head.topology.mirror]
    teeth = head.topology.region_vertices(*region_ids("teeth_upper", "teeth_lower"))
    assert np.allclose(places[teeth, 0], -mirrored[teeth, 0], atol=4e-4)
    assert np.allclose(places[teeth, 1], mirrored[teeth, 1], atol=4e-4)
    white, pink, dark = (np.asarray(c, np.float32) for c in ([240, 230, 215], [190, 110, 110], [40, 15, 15]))
    for widths in (UPPER_WIDTHS_M, LOWER_WIDTHS_M):
        along = np.linspace(0.0, sum(widths) * 0.999, 500).astype(np.float32)
        row = paint_teeth(np.column_stack([along, np.full(500, 0.004)]), widths, white, pink, dark, 20_000.0)
        brightness = row.mean(axis=1)
        low = np.flatnonzero((brightness[1:-1] < brightness[:-2]) & (brightness[1:-1] < brightness[2:])) + 1
        assert np.allclose(along[low], np.cumsum(widths)[:-1], atol=2e-4)
        root = paint_teeth(np.column_stack([along, np.full(500, 0.013)]), widths, white, pink, dark, 20_000.0)
        assert np.allclose(root, pink)


def test_lids_meet_and_do_not_cross_however_many_actions_shut_them(demo: DemoSubject) -> None:
    shut = {f"{name}{side}": 1.0 for name in ("eyeBlink", "eyeSquint") for side in ("Left", "Right")}
    motion = demo.motion_with(shut, gaze=(0.0, -0.3))
    shape = deformed(demo.head, motion)[0].numpy()
    upper, lower = demo.head.topology.lid_contacts.T
    gap = shape[upper, 1] - shape[lower, 1]
    assert np.abs(gap.mean()) < 1e-3 and np.abs(gap).max() < 2e-3


def test_the_torso_stays_where_the_head_turns(demo: DemoSubject) -> None:
    motion = Motion.joined([demo.motion, demo.motion_with(yaw=30.0)])
    before, after = posed_vertices(demo.head, motion, demo.motion).numpy()
    moved = np.linalg.norm(after - before, axis=1)
    weight = demo.head.topology.head_weight.numpy()
    assert moved[weight < 0.35].max() < 0.4 * moved[weight > 0.99].max()
    lowest = demo.head.neutral.numpy()[:, 1].argmin()
    assert moved[lowest] < 0.02


def test_texture_means_nothing_where_it_is_stretched_far() -> None:
    faces = np.asarray([[0, 2, 1]])  # faces the camera: y points down
    reference = np.asarray([[0, 0], [10, 0], [0, 10]], np.float32)
    areas = front_areas(faces, reference)
    np.testing.assert_array_equal(areas, 50.0)
    np.testing.assert_array_equal(front_areas(faces[:, ::-1], reference), 0.0)
    for factor, stretched in ((1.0, 0.0), (1.4, 0.0), (4.0, 1.0)):
        wider = reference * np.asarray([factor, 1.0], np.float32)
        np.testing.assert_allclose(texture_stretch(areas, front_areas(faces, wider)), stretched, atol=1e-6)
