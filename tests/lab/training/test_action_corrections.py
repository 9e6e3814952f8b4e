# SPDX-License-Identifier: Apache-2.0
"""Action corrections: known ones are learnt, mirrored and centred; the shipped ones are small and of the face."""

from __future__ import annotations

import numpy as np
import pytest

from reenact.head.arkit import ACTIONS, index
from reenact.head.open import open_head
from reenact.lab.synthetic.own_deformation import corrected_rows, relative_face_size, shipped_corrections, vertex_frames
from reenact.lab.training.action_corrections import (
    CentredFrames,
    learn_corrections,
    mirrored,
    mirrored_rows,
    residual_share,
)

HEAD = open_head()
LEFT, RIGHT = index("mouthSmileLeft"), index("mouthSmileRight")


def known(seed: int, frames: int = 40) -> tuple[CentredFrames, np.ndarray]:
    """Somebody who smiles on the left and lifts that cheek, among noise."""
    draw = np.random.default_rng(seed)
    codes = np.zeros((frames, len(ACTIONS)), np.float32)
    codes[:, LEFT] = draw.uniform(0, 1, frames)
    codes[:, index("jawOpen")] = draw.uniform(0, 1, frames)
    answer = np.zeros((len(corrected_rows()), 3), np.float32)
    answer[HEAD.base_neutral.numpy()[corrected_rows(), 0] > 0.03] = [0.2, 0.5, 0.1]
    codes -= codes.mean(0)
    offsets = codes[:, LEFT, None, None] * answer + draw.normal(0, 0.05, (frames, *answer.shape))
    return (codes, offsets.astype(np.float32)), answer


def test_a_known_correction_is_found_and_its_mirror_image_too() -> None:
    people, answer = [known(s)[0] for s in range(6)], known(0)[1]
    corrections = learn_corrections(people)
    believed = 20.0 / (20.0 + 5.0)  # of a ridge of 5 on 6 x 40 frames of variance 1/12
    assert corrections.offsets_mm[LEFT] == pytest.approx(believed * answer, abs=0.06)
    places, paired = mirrored_rows()
    other = (answer * [-1, 1, 1] * paired[:, None])[places]
    assert corrections.offsets_mm[RIGHT] == pytest.approx(believed * other, abs=0.06)
    assert np.abs(corrections.offsets_mm[index("jawOpen")]).max() < 0.06
    assert np.abs(corrections.offsets_mm[index("browInnerUp")]).max() == 0.0
    unseen = known(77)[0]
    assert residual_share(corrections, unseen) < 0.85 < 0.99 < residual_share(corrections, known_backwards(unseen))


def known_backwards(one: CentredFrames) -> CentredFrames:
    """The same face doing the opposite."""
    return one[0], -one[1]


def test_mirroring_twice_changes_nothing() -> None:
    one = known(3)[0]
    twice, paired = mirrored(mirrored(one)), mirrored_rows()[1]
    assert paired.mean() > 0.98
    assert np.array_equal(twice[0], one[0]) and np.array_equal(twice[1], one[1] * paired[:, None])


@pytest.mark.slow
def test_corrections_come_in_the_size_and_frame_of_the_face_they_are_on() -> None:
    corrections, base = shipped_corrections(), HEAD.base_neutral.numpy()
    on = corrections.on(base)
    assert on.shape == (len(ACTIONS), len(base), 3)
    assert corrections.on(np.float32(1.2) * base) == pytest.approx(1.2 * on, abs=1e-7)
    assert relative_face_size(np.float32(1.2) * base) == pytest.approx(1.2, rel=1e-5)
    turned = np.einsum("nij,anj->ani", vertex_frames(base)[corrections.vertices], corrections.offsets_mm)
    assert on[:, corrections.vertices] == pytest.approx(0.001 * turned, abs=1e-7)


def test_the_shipped_corrections_are_small_on_the_face_only_and_alike_on_both_sides() -> None:
    corrections = shipped_corrections()
    length = np.linalg.norm(corrections.offsets_mm, axis=2)
    assert 0.05 < length.max() < 4.0
    assert set(corrections.vertices.tolist()) <= set(corrected_rows().tolist())
    places, paired = mirrored_rows()
    other = (corrections.offsets_mm[LEFT] * [-1, 1, 1])[places]
    assert corrections.offsets_mm[RIGHT][paired > 0] == pytest.approx(other[paired > 0], abs=0.01)
