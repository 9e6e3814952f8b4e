# SPDX-License-Identifier: Apache-2.0
import cv2
import numpy as np
from scene import Scene

from reenact.lab.evaluation.masks import masks


def test_masks_lie_in_the_face_where_their_features_are(scene: Scene) -> None:
    for seen in scene.seen[::6]:
        assert seen.points is not None
        found = masks(seen.points, seen.shape)
        rows = {name: np.argwhere(mask).mean(axis=0)[0] for name, mask in found.items()}
        assert not (found["mouth"] & ~found["face"]).any()
        assert not (found["eyes"] & ~found["face"]).any()
        assert not (found["eyes"] & found["mouth"]).any()
        assert rows["eyes"] < rows["face"] < rows["mouth"]
        inside = np.round(seen.points - 0.5).astype(int)
        face = cv2.dilate(found["face"].astype(np.uint8), np.ones((3, 3), np.uint8))  # corners are whole pixels
        assert face[inside[:, 1], inside[:, 0]].all()
        assert 0 < found["eyes"].sum() < 0.15 * found["face"].sum()


def test_an_open_mouth_has_the_larger_mask(scene: Scene) -> None:
    opening = [float(s.points[14, 1] - s.points[13, 1]) for s in scene.seen if s.points is not None]
    sizes = [int(masks(s.points, s.shape)["mouth"].sum()) for s in scene.seen if s.points is not None]
    assert np.corrcoef(opening, sizes)[0, 1] > 0.9


def test_without_landmarks_only_the_frame_is_left_and_a_face_outside_has_no_mask() -> None:
    assert set(masks(None, (20, 30))) == {"frame"}
    away = np.random.default_rng(0).uniform(500, 600, (478, 2)).astype(np.float32)
    assert set(masks(away, (20, 30))) == {"frame"}
