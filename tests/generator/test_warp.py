# SPDX-License-Identifier: Apache-2.0
"""The whole generator on the demo photo."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from demo_subject import DemoSubject

from reenact.generator.warp.generator import WarpGenerator
from reenact.head.motion import Motion
from reenact.head.regions import EYEBALL, MOUTH_INTERIOR, region_ids
from reenact.head.state import deformed, posed_vertices
from reenact.head.subject import Reference
from reenact.rendering import Camera, HeadMaps
from reenact.tracking import detect_faces
from reenact.tracking.scheme import eye_openness
from reenact.transfer.dynamic_offsets import with_own_offsets, with_own_references

SHUT = {"eyeBlinkLeft": 1.0, "eyeBlinkRight": 1.0}
LIPS_APART = [
    f"{name}{side}"
    for name in ("mouthUpperUp", "mouthLowerDown", "mouthSmile", "mouthStretch", "mouthDimple")
    for side in ("Left", "Right")
]


def poses(demo: DemoSubject) -> list[Motion]:
    return [
        demo.motion_with({"jawOpen": 0.5}, yaw=25.0),
        demo.motion_with(yaw=-30.0),
        demo.motion_with({"mouthPucker": 0.8}, pitch=15.0),
        demo.motion_with(SHUT),
        demo.motion_with({"jawOpen": 0.8, "tongueOut": 1.0}),
        demo.motion_with({"jawOpen": 1.0}, yaw=80.0, gaze=(0.6, 0.4)),
    ]


def count(maps: HeadMaps, *regions: str) -> int:
    return int(np.isin(maps.regions.numpy(), region_ids(*regions)).sum())


def test_the_reference_motion_gives_the_reference(demo: DemoSubject) -> None:
    assert np.array_equal(demo.generator.render(demo.motion), demo.image)


def test_the_reference_motion_with_own_offsets_gives_the_reference(demo: DemoSubject) -> None:
    subject = with_own_references(demo.subject)
    reference = subject.require_reference()
    assert reference.motion.dynamic_offset is not None and reference.motion.dynamic_offset.abs().max() > 0.0005
    frame = WarpGenerator(subject.head, reference).render(with_own_offsets(subject, demo.motion))
    assert np.array_equal(frame, demo.image)


def test_frames_do_not_depend_on_earlier_ones(demo: DemoSubject) -> None:
    motion = demo.motion_with({"jawOpen": 0.5}, yaw=25.0)
    first = demo.generator.render(motion)
    demo.generator.render(demo.motion_with(SHUT))
    assert np.array_equal(demo.generator.render(motion), first)


@pytest.mark.parametrize("pose", range(6))
def test_the_frame_around_the_picture_stays(demo: DemoSubject, pose: int) -> None:
    frame, image = demo.generator.render(poses(demo)[pose]), demo.image
    for edge in (np.s_[0], np.s_[-1], np.s_[:, 0], np.s_[:, -1]):
        assert np.array_equal(frame[edge], image[edge])
    assert not np.array_equal(frame, image)


def test_a_head_out_of_sight_leaves_a_picture(demo: DemoSubject) -> None:
    aside = demo.motion.replace(translation=demo.motion.translation + torch.tensor([3.0, 0.0, 0.0]))
    assert demo.generator.render(aside).shape == demo.image.shape


def test_shut_lids_cover_the_eyes(demo: DemoSubject) -> None:
    motion = demo.motion_with(SHUT)
    opened = count(demo.maps(demo.motion), *EYEBALL)
    assert count(demo.maps(motion), *EYEBALL) < 0.1 * opened
    # And in the picture: skin is redder than the white of an eye and brighter than an iris.
    maps = demo.maps(demo.motion)
    eyes = np.isin(maps.regions[0].numpy(), region_ids(*EYEBALL))
    rows, columns = (np.flatnonzero(eyes)[:, None] // [256, 1] % 256).T
    above = rows < np.quantile(rows, 0.4)  # the lashes of a shut eye lie where its lower lid was
    rows, columns = rows[above], columns[above]
    pick = ((rows + 0.5) * 1.5).astype(int), ((columns + 0.5) * 1.5).astype(int)
    before, after = demo.image[pick].astype(float), demo.generator.render(motion)[pick].astype(float)
    assert after.mean(axis=1).std() < 0.5 * before.mean(axis=1).std()


def test_a_detector_reads_a_blink_as_large_as_the_mesh_has_it(demo: DemoSubject) -> None:
    """Shut reads shut, and half shut less open than the photo: lashes left on the lid would hold the eye open."""
    read, mesh = [], []
    for share in (0.0, 0.5, 1.0):
        motion = demo.motion_with(dict.fromkeys(SHUT, share) if share else {})
        points = detect_faces(demo.generator.render(motion))[0].points
        read.append(eye_openness(points[None])[0])
        shape = demo.head.topology.at_landmarks(deformed(demo.head, motion))
        mesh.append(eye_openness(shape.numpy())[0])
    np.testing.assert_array_less(read[2], 0.11)
    np.testing.assert_allclose((read[0] - read[2]) / (mesh[0] - mesh[2]), 1.0, atol=0.2)
    assert (read[1] < read[0] - 0.05).all()


def test_the_photos_upper_lashes_do_not_stay_on_the_shut_lid(demo: DemoSubject) -> None:
    """Between the brow and the line of the shut lids there is nothing as dark as a lash."""
    frame = demo.generator.render(demo.motion_with(SHUT)).astype(float).mean(axis=2)
    px = demo.camera.project(posed_vertices(demo.head, demo.motion_with(SHUT), demo.motion))
    points = demo.head.topology.at_landmarks(px[0]).numpy()
    for brow, lid in ((282, 386), (52, 159)):
        column = frame[int(points[brow, 1]) + 8 : int(points[lid, 1]) - 3, int(points[lid, 0])]
        lashes = frame[int(points[lid, 1]) - 3 : int(points[lid, 1]) + 6, int(points[lid, 0])].min()
        assert column.min() > lashes + 25
        assert column.min() > 0.84 * np.median(column)  # 0.75 and 0.83 with the lashes left on the lids


def test_a_gaze_to_the_subjects_left_goes_to_the_viewers_right(demo: DemoSubject) -> None:
    def iris_x(motion: Motion) -> float:
        maps = demo.maps(motion)
        return float(np.nonzero(np.isin(maps.regions[0].numpy(), region_ids("iris")))[1].mean())

    # From side to side: the eyes of this smile are 12 px wide in the maps, and their corners hide part of an iris.
    right, left = demo.motion_with(gaze=(-0.3, 0.0)), demo.motion_with(gaze=(0.3, 0.0))
    assert iris_x(right) < iris_x(demo.motion) < iris_x(left)
    assert iris_x(left) - iris_x(right) > 3.0
    places = [dark_x(demo, m) for m in (right, demo.motion, left)]
    assert places[0] < places[1] < places[2] and places[2] - places[0] > 3.0


def dark_x(demo: DemoSubject, motion: Motion) -> float:
    """Where the dark of both eyes is in the picture, px."""
    regions = demo.maps(motion).regions[0].numpy()
    eyes = np.kron(np.isin(regions, region_ids(*EYEBALL)), np.ones((3, 3)))[::2, ::2] > 0
    darkness = np.clip(110.0 - demo.generator.render(motion).mean(axis=2), 0.0, None) * eyes
    return float((darkness.sum(axis=0) @ np.arange(384)) / darkness.sum())


@pytest.mark.parametrize("yaw", [-0.3, -0.15, 0.15, 0.3])
def test_a_moved_gaze_leaves_an_eye_as_smooth_as_it_was(demo: DemoSubject, yaw: float) -> None:
    def roughness(picture: np.ndarray) -> float:
        eyes = picture[140:175, 130:265].astype(float).mean(axis=2)
        return float(np.abs(np.diff(eyes, axis=0)).mean() + np.abs(np.diff(eyes, axis=1)).mean())

    moved = demo.generator.render(demo.motion_with(gaze=(yaw, 0.0)))
    assert roughness(moved) < 1.12 * roughness(demo.image)


def test_an_open_mouth_shows_its_inside_and_a_shut_one_does_not(demo: DemoSubject) -> None:
    wide = demo.maps(demo.motion_with({"jawOpen": 0.8}))
    assert count(wide, *MOUTH_INTERIOR) > 2 * count(demo.maps(demo.motion), *MOUTH_INTERIOR)
    assert count(wide, "teeth_upper") > 0 and count(wide, "tongue") > 0
    # The photo smiles with white teeth; shut lips must hide them.
    shut = demo.motion_with({"jawOpen": 0.0} | dict.fromkeys(LIPS_APART, 0.0))
    white = [white_pixels(picture[195:240, 150:235]) for picture in (demo.image, demo.generator.render(shut))]
    assert white[0] > 150 and white[1] < 0.4 * white[0]


def white_pixels(picture: np.ndarray) -> int:
    least, most = picture.min(axis=2).astype(int), picture.max(axis=2).astype(int)
    return int(((least > 170) & (most - least < 45)).sum())


def test_maps_show_the_correspondence_to_the_photo(demo: DemoSubject) -> None:
    maps = demo.maps(demo.motion)
    assert maps.reference_px is not None and maps.visibility is not None and maps.uv is not None
    y, x = np.nonzero(maps.mask[0].numpy() & (maps.visibility[0].numpy() > 0.9))
    there = maps.reference_px[0].numpy()[y, x]
    assert np.abs(there - np.column_stack([x + 0.5, y + 0.5])).max() < 0.05


def test_a_camera_of_another_picture_is_refused(demo: DemoSubject) -> None:
    shorter, camera = demo.reference.image[:-1], demo.camera
    with pytest.raises(ValueError, match=r"image has shape \(383, 384, 3\); its camera wants \(384, 384, 3\)"):
        Reference(shorter, demo.motion, camera)
    low = Reference(shorter, demo.motion, replace(camera, height=383))
    with pytest.raises(ValueError, match="384 x 383 px; want a square"):
        WarpGenerator(demo.head, low)
    elsewhere = Camera(demo.camera.focal_px, -5000.0, 0.0, 384, 384)
    with pytest.raises(ValueError, match="outside of the photo crop"):
        WarpGenerator(demo.head, Reference(demo.reference.image, demo.motion, elsewhere))
