# SPDX-License-Identifier: Apache-2.0
"""What is said of a head that the picture cuts off."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from reenact.head.camera import Camera
from reenact.head.motion import Motion
from reenact.head.open import open_head
from reenact.head.subject import Subject
from reenact.media import SquareCrop
from reenact.perception.dense.maps import DenseMaps, View
from reenact.perception.dense.network import CLASSES, HEAD
from reenact.subject.observation import Observation, observe

SIDE = 64


def seen(
    top: float,
    hairline: float = -99.0,
    other: np.ndarray | None = None,
    told: bool = False,
    cover: str = "hair",
    outlined: bool = True,
) -> Observation:
    """A round head of 20 px radius in the middle of a crop that reaches `top` px above the picture.

    hairline: px below the middle, above which the head is covered by `cover`. other: [S, S], what is skin outside of
    the circle and background in it. told: whether landmarks fill the circle.
    """
    picture = np.zeros((200, 64, 3), np.uint8)
    y, x = np.mgrid[:SIDE, :SIDE] + 0.5 - SIDE / 2
    classes = np.where(x**2 + y**2 < 20**2, HEAD[0], CLASSES.index("background")).astype(np.uint8)
    classes = np.where((classes > 0) & (y < hairline), CLASSES.index(cover), classes).astype(np.uint8)
    if other is not None:
        classes = np.where(other, np.where(classes > 0, CLASSES.index("background"), HEAD[0]), classes).astype(np.uint8)
    maps = DenseMaps(np.zeros((SIDE, SIDE, 3), "f"), np.ones((SIDE, SIDE), "f"), np.ones((SIDE, SIDE), "f"), classes)
    shape, camera = torch.zeros(open_head().identity_size), Camera(300.0, 32.0, 100.0, 64, 200)
    subject = Subject(open_head(), shape, camera, torch.zeros(478, 3))
    state = Motion(np.zeros(52), np.zeros((2, 2)), np.diag([1.0, -1.0, -1.0]), [0, 0, 1])
    view = View(picture, 0, SquareCrop(0.0, -top, float(SIDE), SIDE), 300.0)
    return observe(subject, state, state, [view], [maps], [round_face(top) if told else None], outlined=outlined)


def round_face(top: float) -> np.ndarray:
    """Landmarks [478, 2] of the head of `seen`, px of the picture."""
    turns = np.linspace(0.0, 2.0 * np.pi, 478, endpoint=False)
    marks = np.stack([np.cos(turns), np.sin(turns)], 1) * 19.5
    marks[[152, 10, 33, 263]] = [[0, 19.5], [0, -19.5], [-8, -5], [8, -5]]
    return marks + np.asarray([SIDE / 2, SIDE / 2 - top])


def outline(observation: Observation) -> Tensor:
    """[S, S] distances from the outline."""
    assert observation.outline is not None
    return observation.outline[0]


def loose(observation: Observation) -> Tensor:
    """[S, S] where the head ends inside of the outline."""
    assert observation.loose is not None
    return observation.loose[0]


def test_where_the_picture_ends_nothing_is_evidence() -> None:
    whole, cut = seen(0.0), seen(24.0)
    assert whole.certainty.min() == 1.0 and not whole.depth.isnan().any()
    assert cut.certainty[0, :24].max() == 0.0 and cut.certainty[0, 24:].min() == 1.0
    assert cut.depth[0, :24].isnan().all() and not cut.depth[0, 24:].isnan().any()


def test_a_head_goes_on_beyond_the_pictures_edge() -> None:
    """The edge of the picture is no outline: above it the head is as far from ending as just below."""
    whole, cut = outline(seen(0.0)), outline(seen(24.0))
    middle = SIDE // 2
    assert whole[12, middle].abs() < 1.5  # the top of the head
    assert cut[12, middle] < -5.0 and cut[24, middle] < -5.0
    side = cut[middle, middle - 20]
    assert abs(float(side)) < 1.5  # where it is seen to end it ends


def test_which_part_of_the_outline_is_of_hair() -> None:
    hair, middle = loose(seen(0.0, hairline=-5.0)), SIDE // 2
    assert hair[:12].min() == 1.0 and hair[-12:].max() == 0.0
    assert hair[middle, 5] == 0.0 and hair[middle, -5] == 0.0  # cheeks and ears below
    assert loose(seen(0.0)).max() == 0.0


def test_heads_have_no_holes() -> None:
    """A patch of forehead that was taken for background is no outline."""
    hole = np.zeros((SIDE, SIDE), bool)
    hole[20:24, 26:38] = True
    torch.testing.assert_close(outline(seen(0.0, other=hole)), outline(seen(0.0)))


def test_skin_beside_the_jaw_is_not_of_the_head() -> None:
    """A hand at the chin ends elsewhere than the head; a bald skull above the landmarks ends where its skin does."""
    hand, skull = np.zeros((SIDE, SIDE), bool), np.zeros((SIDE, SIDE), bool)
    hand[44:60, 44:60], skull[5:14, 24:40] = True, True
    beside, bald = loose(seen(0.0, other=hand, told=True)), loose(seen(0.0, other=skull, told=True))
    assert beside[52:, 52:].min() == 1.0 and beside[:30].max() == 0.0 and beside[32, :20].max() == 0.0
    assert bald.max() == 0.0
    assert loose(seen(0.0, other=hand)).max() == 0.0  # nothing is known of the face


def test_an_outline_is_looked_for_only_where_it_is_wanted() -> None:
    without, usual = seen(0.0, outlined=False), seen(0.0)
    assert without.outline is None and without.loose is None and usual.outline is not None
    torch.testing.assert_close(without.classes, usual.classes)


def test_hats_bound_a_head_as_hair_does() -> None:
    """A scarf below the eyes does not: it is not of the head."""
    hat, hair = seen(0.0, -10.0, told=True, cover="cloth"), seen(0.0, -10.0, told=True)
    torch.testing.assert_close(outline(hat), outline(hair))
    torch.testing.assert_close(loose(hat), loose(hair))
    assert loose(hair)[:12].mean() > 0.9
    scarf = seen(0.0, 30.0, told=True, cover="cloth")
    assert outline(scarf)[SIDE - 14, SIDE // 2] > 0.0 > outline(scarf)[20, SIDE // 2]
    assert loose(seen(0.0, -10.0, cover="cloth"))[:12].max() == 0.0  # nothing is known of the face
