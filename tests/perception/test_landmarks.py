# SPDX-License-Identifier: Apache-2.0
"""Finding faces: number, order, orientation, and following one through frames."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from reenact.head.arkit import ACTIONS, index
from reenact.lab.synthetic import random_scene, render_portraits, still_state, synthetic_person
from reenact.media import InputError, read_image
from reenact.media.files import asset
from reenact.perception.face_detector import Box, detect_boxes
from reenact.perception.landmarks import Roi, VideoLandmarks, _faces_in, detect_faces
from reenact.perception.shipped import FACE_LANDMARKER
from reenact.tracking.detect import find_face
from reenact.tracking.scheme import eye_openness

PHOTO = read_image(asset("demo/astronaut.jpg"))


def test_one_face_is_found_where_it_is() -> None:
    (face,) = detect_faces(PHOTO)
    points = face.points
    assert points.shape == (478, 2)
    assert 170 < points[:, 0].mean() < 270 and 60 < points[:, 1].mean() < 180
    left, right = eye_openness(points[None])[0]
    assert left > 0.15 and right > 0.15


@pytest.mark.parametrize("quarter", [1, 2, 3])
def test_a_turned_picture_gives_turned_landmarks(quarter: int) -> None:
    (upright,) = detect_faces(PHOTO)
    (found,) = detect_faces(np.ascontiguousarray(np.rot90(PHOTO, quarter)))
    side = PHOTO.shape[0]
    x, y = upright.points[:, 0], upright.points[:, 1]
    wanted = {1: (y, side - x), 2: (side - x, side - y), 3: (side - y, x)}[quarter]
    # a sideways face may be found as it is, by a detector with a lower score
    assert np.median(np.linalg.norm(found.points - np.stack(wanted, axis=1), axis=1)) < 4


def test_several_faces_are_numbered_from_the_largest() -> None:
    small = cv2.resize(PHOTO, (358, 358), interpolation=cv2.INTER_AREA)
    both = np.full((512, 1024, 3), 128, np.uint8)
    both[:, 512:], both[:358, 100:458] = PHOTO, small
    faces = detect_faces(both)
    assert len(faces) == 2
    large, little = (f.points for f in faces)
    assert np.ptp(large[:, 1]) > 1.3 * np.ptp(little[:, 1]) and large[:, 0].mean() > 512
    np.testing.assert_allclose(find_face(both, 1, "two.png").points, little, atol=2)
    with pytest.raises(InputError, match=r"two\.png: 2 face\(s\).*--face from 0 to 1, got 2"):
        find_face(both, 2, "two.png")


def test_a_face_of_thirty_pixels_is_found_in_a_large_picture() -> None:
    """The short-range detector alone is blind to it."""
    small = cv2.resize(PHOTO, (128, 128), interpolation=cv2.INTER_AREA)
    wide = np.full((720, 1280, 3), 128, np.uint8)
    wide[300:428, 500:628] = small
    (face,) = detect_faces(wide)
    assert np.ptp(face.points[:, 1]) < 40
    (whole,) = detect_faces(PHOTO)
    wanted = whole.points.mean(axis=0) / 4 + (500, 300)
    np.testing.assert_allclose(face.points.mean(axis=0), wanted, atol=3)


def test_two_boxes_on_one_face_give_one_face() -> None:
    (face,) = detect_faces(PHOTO)
    low, high = face.points.min(axis=0), face.points.max(axis=0)
    box = Box(float(low[0]), float(low[1]), float(high[0]), float(high[1]), 0.9)
    shifted = replace(box, x0=box.x0 + 30, x1=box.x1 + 30)
    assert len(_faces_in(PHOTO, [box, shifted], None)) == 1


def test_no_face_is_said_in_one_sentence() -> None:
    with pytest.raises(InputError, match=r"grass\.png: no face was found"):
        find_face(np.random.default_rng(0).integers(0, 255, (300, 300, 3)).astype(np.uint8), 0, "grass.png")


def test_a_moving_face_is_followed_and_one_that_leaves_is_given_up() -> None:
    wide = np.pad(PHOTO, ((0, 0), (0, 200), (0, 0)), mode="edge")
    with VideoLandmarks() as follow:
        found = [follow(np.roll(wide, 12 * i, axis=1)) for i in range(8)]
        assert follow(np.full_like(wide, 90)) is None
    centres = [face.points[:, 0].mean() for face in found if face is not None]
    assert len(centres) == 8
    np.testing.assert_allclose(np.diff(centres), 12, atol=3)


def test_the_searched_square_maps_points_exactly() -> None:
    image = np.zeros((200, 300, 3), np.uint8)
    image[100:104, 150:154] = 255
    for roi in (Roi(50, 20, 150), Roi(-40, -30, 300)):
        crop = roi.extract(image)
        ys, xs = np.nonzero(crop[..., 0] > 127)
        factor = roi.side / crop.shape[0]
        assert abs((xs.mean() + 0.5) * factor + roi.x0 - 152) < 1
        assert abs((ys.mean() + 0.5) * factor + roi.y0 - 102) < 1


def test_a_task_file_of_the_users_is_used_from_any_path(tmp_path: Path) -> None:
    task = tmp_path / "Gesichts-Größe.task"
    task.write_bytes(FACE_LANDMARKER.read_bytes())
    (shipped,), (own,) = detect_faces(PHOTO), detect_faces(PHOTO, task)
    np.testing.assert_allclose(own.points, shipped.points, atol=0.01)
    with VideoLandmarks(task=task) as follow:
        assert all(follow(PHOTO) is not None for _ in range(3))


def test_blendshape_scores_come_by_name_with_left_and_right_of_the_subject() -> None:
    """The astronaut smiles with an open mouth; a mirrored picture swaps left and right."""
    (face,), (mirrored,) = detect_faces(PHOTO), detect_faces(np.ascontiguousarray(PHOTO[:, ::-1]))
    scores = face.blendshapes
    assert scores.shape == (len(ACTIONS),) and scores.dtype == np.float32
    assert scores.min() >= 0.0 and scores.max() <= 1.0
    assert scores[index("mouthSmileLeft")] > 0.6 and scores[index("mouthSmileRight")] > 0.6
    assert scores[index("tongueOut")] == 0.0 and scores[index("eyeBlinkLeft")] < 0.3
    swapped = [index(a.replace("Left", "*").replace("Right", "Left").replace("*", "Right")) for a in ACTIONS]
    np.testing.assert_allclose(mirrored.blendshapes, scores[swapped], atol=0.25)


def test_what_is_no_task_file_is_refused(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.task"
    wrong.write_bytes(b"not a bundle")
    with pytest.raises(InputError, match=r"wrong\.task.*FaceLandmarker"):
        detect_faces(PHOTO, wrong)
    with pytest.raises(InputError, match=r"none\.task does not exist"):
        detect_faces(PHOTO, tmp_path / "none.task")


def test_a_face_on_which_the_detectors_disagree_stays_the_right_way_up() -> None:
    """The larger of two boxes over one face, which has the lower score, once turned the picture over."""
    person, scene = synthetic_person(1040, age=48.0), random_scene(1040)
    portrait = render_portraits([person], still_state(person, scene), [scene], 256).images[0]
    (box,) = detect_boxes(portrait)
    (face,) = detect_faces(portrait)
    chin, forehead = face.points[152], face.points[10]
    assert box.score > 0.87 and chin[1] > forehead[1] + 50
