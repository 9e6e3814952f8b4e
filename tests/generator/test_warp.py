# SPDX-License-Identifier: Apache-2.0
"""The whole generator on the demo photo."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from portraits import Portrait

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


def states(portrait: Portrait) -> list[Motion]:
    return [
        portrait.doing({"jawOpen": 0.5}, yaw=25.0),
        portrait.doing(yaw=-30.0),
        portrait.doing({"mouthPucker": 0.8}, pitch=15.0),
        portrait.doing(SHUT),
        portrait.doing({"jawOpen": 0.8, "tongueOut": 1.0}),
        portrait.doing({"jawOpen": 1.0}, yaw=80.0, gaze=(0.6, 0.4)),
    ]


def count(maps: HeadMaps, *regions: str) -> int:
    return int(np.isin(maps.regions.numpy(), region_ids(*regions)).sum())


def test_the_photos_own_state_gives_the_photo(portrait: Portrait) -> None:
    assert np.array_equal(portrait.generator.render(portrait.state), portrait.photo)


def test_the_photos_own_state_with_ones_own_detail_gives_the_photo(portrait: Portrait) -> None:
    subject = with_own_references(portrait.subject)
    seen = subject.require_reference()
    assert seen.motion.dynamic_offset is not None and seen.motion.dynamic_offset.abs().max() > 0.0005
    frame = WarpGenerator(subject.head, seen).render(with_own_offsets(subject, portrait.state))
    assert np.array_equal(frame, portrait.photo)


def test_frames_do_not_depend_on_earlier_ones(portrait: Portrait) -> None:
    state = portrait.doing({"jawOpen": 0.5}, yaw=25.0)
    first = portrait.generator.render(state)
    portrait.generator.render(portrait.doing(SHUT))
    assert np.array_equal(portrait.generator.render(state), first)


@pytest.mark.parametrize("pose", range(6))
def test_the_frame_around_the_picture_stays(portrait: Portrait, pose: int) -> None:
    frame, photo = portrait.generator.render(states(portrait)[pose]), portrait.photo
    for edge in (np.s_[0], np.s_[-1], np.s_[:, 0], np.s_[:, -1]):
        assert np.array_equal(frame[edge], photo[edge])
    assert not np.array_equal(frame, photo)


def test_a_head_out_of_sight_leaves_a_picture(portrait: Portrait) -> None:
    aside = portrait.state.replace(translation=portrait.state.translation + torch.tensor([3.0, 0.0, 0.0]))
    assert portrait.generator.render(aside).shape == portrait.photo.shape


def test_shut_lids_cover_the_eyes(portrait: Portrait) -> None:
    state = portrait.doing(SHUT)
    opened = count(portrait.maps(portrait.state), *EYEBALL)
    assert count(portrait.maps(state), *EYEBALL) < 0.1 * opened
    # And in the picture: skin is redder than the white of an eye and brighter than an iris.
    maps = portrait.maps(portrait.state)
    eyes = np.isin(maps.regions[0].numpy(), region_ids(*EYEBALL))
    rows, columns = (np.flatnonzero(eyes)[:, None] // [256, 1] % 256).T
    above = rows < np.quantile(rows, 0.4)  # the lashes of a shut eye lie where its lower lid was
    rows, columns = rows[above], columns[above]
    pick = ((rows + 0.5) * 1.5).astype(int), ((columns + 0.5) * 1.5).astype(int)
    before, after = portrait.photo[pick].astype(float), portrait.generator.render(state)[pick].astype(float)
    assert after.mean(axis=1).std() < 0.5 * before.mean(axis=1).std()


def test_a_detector_reads_a_blink_as_large_as_the_mesh_has_it(portrait: Portrait) -> None:
    """Shut reads shut, and half shut less open than the photo: lashes left on the lid would hold the eye open."""
    read, mesh = [], []
    for share in (0.0, 0.5, 1.0):
        state = portrait.doing(dict.fromkeys(SHUT, share) if share else {})
        points = detect_faces(portrait.generator.render(state))[0].points
        read.append(eye_openness(points[None])[0])
        shape = deformed(portrait.head, state)[0].numpy()
        mesh.append(eye_openness(portrait.head.topology.landmarks(shape)[None])[0])
    np.testing.assert_array_less(read[2], 0.11)
    np.testing.assert_allclose((read[0] - read[2]) / (mesh[0] - mesh[2]), 1.0, atol=0.2)
    assert (read[1] < read[0] - 0.05).all()


def test_the_photos_upper_lashes_do_not_stay_on_the_shut_lid(portrait: Portrait) -> None:
    """Between the brow and the line of the shut lids there is nothing as dark as a lash."""
    frame = portrait.generator.render(portrait.doing(SHUT)).astype(float).mean(axis=2)
    px = portrait.camera.project(posed_vertices(portrait.head, portrait.doing(SHUT), portrait.state))
    points = portrait.head.topology.landmarks(px[0].numpy())
    for brow, lid in ((282, 386), (52, 159)):
        column = frame[int(points[brow, 1]) + 8 : int(points[lid, 1]) - 3, int(points[lid, 0])]
        lashes = frame[int(points[lid, 1]) - 3 : int(points[lid, 1]) + 6, int(points[lid, 0])].min()
        assert column.min() > lashes + 25
        assert column.min() > 0.84 * np.median(column)  # 0.75 and 0.83 with the lashes left on the lids


def test_a_gaze_to_the_subjects_left_goes_to_the_viewers_right(portrait: Portrait) -> None:
    def iris_x(state: Motion) -> float:
        maps = portrait.maps(state)
        return float(np.nonzero(np.isin(maps.regions[0].numpy(), region_ids("iris")))[1].mean())

    # From side to side: the eyes of this smile are 12 px wide in the maps, and their corners hide part of an iris.
    right, left = portrait.doing(gaze=(-0.3, 0.0)), portrait.doing(gaze=(0.3, 0.0))
    assert iris_x(right) < iris_x(portrait.state) < iris_x(left)
    assert iris_x(left) - iris_x(right) > 3.0
    seen = [dark_x(portrait, state) for state in (right, portrait.state, left)]
    assert seen[0] < seen[1] < seen[2] and seen[2] - seen[0] > 3.0


def dark_x(portrait: Portrait, state: Motion) -> float:
    """Where the dark of both eyes is in the picture, px."""
    regions = portrait.maps(state).regions[0].numpy()
    eyes = np.kron(np.isin(regions, region_ids(*EYEBALL)), np.ones((3, 3)))[::2, ::2] > 0
    darkness = np.clip(110.0 - portrait.generator.render(state).mean(axis=2), 0.0, None) * eyes
    return float((darkness.sum(axis=0) @ np.arange(384)) / darkness.sum())


@pytest.mark.parametrize("yaw", [-0.3, -0.15, 0.15, 0.3])
def test_a_moved_gaze_leaves_an_eye_as_smooth_as_it_was(portrait: Portrait, yaw: float) -> None:
    def roughness(picture: np.ndarray) -> float:
        eyes = picture[140:175, 130:265].astype(float).mean(axis=2)
        return float(np.abs(np.diff(eyes, axis=0)).mean() + np.abs(np.diff(eyes, axis=1)).mean())

    moved = portrait.generator.render(portrait.doing(gaze=(yaw, 0.0)))
    assert roughness(moved) < 1.12 * roughness(portrait.photo)


def test_an_open_mouth_shows_its_inside_and_a_shut_one_does_not(portrait: Portrait) -> None:
    wide = portrait.maps(portrait.doing({"jawOpen": 0.8}))
    assert count(wide, *MOUTH_INTERIOR) > 2 * count(portrait.maps(portrait.state), *MOUTH_INTERIOR)
    assert count(wide, "teeth_upper") > 0 and count(wide, "tongue") > 0
    # The photo smiles with white teeth; shut lips must hide them.
    shut = portrait.doing({"jawOpen": 0.0} | dict.fromkeys(LIPS_APART, 0.0))
    white = [white_pixels(picture[195:240, 150:235]) for picture in (portrait.photo, portrait.generator.render(shut))]
    assert white[0] > 150 and white[1] < 0.4 * white[0]


def white_pixels(picture: np.ndarray) -> int:
    least, most = picture.min(axis=2).astype(int), picture.max(axis=2).astype(int)
    return int(((least > 170) & (most - least < 45)).sum())


def test_maps_show_the_correspondence_to_the_photo(portrait: Portrait) -> None:
    maps = portrait.maps(portrait.state)
    assert maps.photo_px is not None and maps.visibility is not None and maps.uv is not None
    y, x = np.nonzero(maps.mask[0].numpy() & (maps.visibility[0].numpy() > 0.9))
    there = maps.photo_px[0].numpy()[y, x]
    assert np.abs(there - np.column_stack([x + 0.5, y + 0.5])).max() < 0.05


def test_a_camera_of_another_picture_is_refused(portrait: Portrait) -> None:
    shorter, camera = portrait.reference.image[:-1], portrait.camera
    with pytest.raises(ValueError, match=r"image has shape \(383, 384, 3\); its camera wants \(384, 384, 3\)"):
        Reference(shorter, portrait.state, camera)
    low = Reference(shorter, portrait.state, replace(camera, height=383))
    with pytest.raises(ValueError, match="384 x 383 px; want a square"):
        WarpGenerator(portrait.head, low)
    elsewhere = Camera(portrait.camera.focal_px, -5000.0, 0.0, 384, 384)
    with pytest.raises(ValueError, match="outside of the photo crop"):
        WarpGenerator(portrait.head, Reference(portrait.reference.image, portrait.state, elsewhere))
