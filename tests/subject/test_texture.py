# SPDX-License-Identifier: Apache-2.0
"""A texture is found again in pictures that were drawn with it; what they do not show is filled."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from torch.nn.functional import grid_sample

from reenact.head.levels import open_levels
from reenact.head.loop import subdivide
from reenact.head.open import open_head
from reenact.head.regions import region_ids
from reenact.head.state import posed
from reenact.head.subject import Subject
from reenact.lab.synthetic import as_tracked, synthetic_motion
from reenact.perception.dense.maps import DenseMaps, View, head_crop
from reenact.perception.dense.network import CLASSES
from reenact.rendering import Camera, interpolate, rasterise
from reenact.subject.atlas import Atlas, head_atlas
from reenact.subject.texels import Texels, texels_of
from reenact.subject.texture import bake_texture, plain_texture, require_motion
from reenact.subject.texture_fill import OUTSIDE
from tests.made_motions import made_subject, with_clip

HEAD, LEVELS, SIZE, SIDE = open_head(), open_levels(), 512, 480
YAWS = (0.0, 0.6, -0.6)
HAIR = 40  # grey level below which these tests' heads have hair
OUTER = region_ids("skin", "neck", "ears")


@pytest.fixture(scope="module")
def texels() -> Texels:
    return texels_of(HEAD, SIZE)


@pytest.fixture(scope="module")
def person() -> Subject:
    """Three frames: from the front and from both sides, at rest."""
    track = as_tracked(synthetic_motion(2, len(YAWS)))
    level = np.diag([1.0, -1.0, -1.0])
    turns = [level @ np.asarray([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]]) for a in YAWS]
    track = with_clip(track, width=SIDE, height=SIDE, focal_px=np.asarray([2.4 * SIDE], np.float32)).replace(
        expression=torch.zeros_like(track.expression),
        gaze=torch.zeros_like(track.gaze),
        rotation=turns,
        translation=np.tile([0.0, 0.01, 0.85], (len(YAWS), 1)),
    )
    return made_subject(track)


class Shown:
    """An estimator that knows: head where the head is drawn, and hair where that is dark."""

    name = "truth"

    def __init__(self) -> None:
        self.covered: dict[int, np.ndarray] = {}

    def __call__(self, views: Sequence[View]) -> list[DenseMaps]:
        out = []
        for view in views:
            crop = view.crop.extract(np.repeat(self.covered[view.frame][..., None], 3, 2).astype(np.uint8) * 255)[
                ..., 0
            ]
            dark = view.crop.extract(view.picture).max(axis=2) < HAIR
            head = np.where(dark, CLASSES.index("hair"), CLASSES.index("skin"))
            classes = np.where(crop > 127, head, CLASSES.index("background")).astype(np.uint8)
            unit = np.zeros((*classes.shape, 3), np.float32)
            out.append(DenseMaps(unit, np.ones(classes.shape, np.float32), None, classes))
        return out


def drawn(person: Subject, texture: np.ndarray, truth: Shown) -> list[View]:
    """Each frame of the person with a texture on, before grey."""
    atlas = head_atlas(HEAD).divided().divided()
    uv = torch.from_numpy(atlas.pixels(1)) * 2.0 - 1.0
    states = require_motion(person)
    clip = states.require_clip()
    focal = float(clip.focal_px[0])
    picture = torch.from_numpy(texture.astype(np.float32)).permute(2, 0, 1)[None]
    faces = LEVELS[2].faces
    views = []
    for row, state in enumerate(states):
        cam = posed(person.head, person.surface(state), state, states[0], LEVELS[2].head_weight)
        seen = rasterise(Camera(focal, SIDE / 2, SIDE / 2, SIDE, SIDE).project(cam), faces, SIDE, SIDE, cull_back=True)
        places = interpolate(uv, torch.from_numpy(atlas.faces), seen)
        colour = grid_sample(picture, places, align_corners=False)[0].permute(1, 2, 0)
        truth.covered[row] = (seen.face[0] >= 0).numpy()
        image = torch.where(seen.face[0][..., None] >= 0, colour, torch.tensor(90.0)).round().byte().numpy()
        crop = head_crop(state.translation[0].numpy(), float(clip.face_size_m[0]), focal, SIDE, SIDE, 256)
        views.append(View(image, row, crop, focal))
    return views


def patterned(seed: int, sigma: float) -> np.ndarray:
    """[SIZE, SIZE, 3] coloured clouds."""
    noise = np.random.default_rng(seed).standard_normal((SIZE, SIZE, 3)).astype(np.float32)
    smooth = np.asarray(cv2.GaussianBlur(noise, (0, 0), sigma))
    return np.clip(150.0 + 40.0 * smooth / smooth.std(), 0, 255).astype(np.uint8)


def baked(person: Subject, views: Callable[[Shown], list[View]]) -> np.ndarray:
    truth = Shown()
    found = views(truth)
    return bake_texture(person, np.asarray([v.frame for v in found]), found, truth, SIZE).numpy()


def test_what_is_seen_comes_back(person: Subject, texels: Texels) -> None:
    painted = patterned(1, 6.0)
    found = baked(person, lambda truth: drawn(person, painted, truth))
    error = np.abs(texels.taken(found).astype(float) - texels.taken(painted)).mean(axis=1)
    normal_z = texels.carry(person.neutral().numpy())[:, 2]
    face = np.isin(texels.region, OUTER) & (texels.carry(_face_weight())[:, 0] > 0.9) & (normal_z > 0.0)
    assert np.median(error[face]) < 4.0 and np.quantile(error[face], 0.9) < 15.0


def test_a_head_of_one_colour_is_of_that_colour_all_round(person: Subject, texels: Texels) -> None:
    one = np.full((SIZE, SIZE, 3), (170, 120, 90), np.uint8)
    found = texels.taken(baked(person, lambda truth: drawn(person, one, truth)[:1]))
    outside = found[np.isin(texels.region, OUTSIDE)].astype(int)
    assert np.abs(outside - (170, 120, 90)).max() <= 2


def test_the_back_of_a_head_with_hair_is_of_that_hair(person: Subject, texels: Texels) -> None:
    place = texels.carry(person.neutral().numpy())
    hair = (place[:, 1] > 0.06) | (place[:, 2] < -0.08)
    colours = np.where(hair[:, None], (30, 20, 10), (190, 150, 130)).astype(np.uint8)
    painted = texels.picture(colours)
    found = texels.taken(baked(person, lambda truth: drawn(person, painted, truth)[:1]))
    back = np.isin(texels.region, OUTER) & (place[:, 2] < -0.13) & (place[:, 1] > 0.0)
    assert found[back].max() < 60


def test_pictures_in_other_light_join_without_a_seam(person: Subject, texels: Texels) -> None:
    one = np.full((SIZE, SIZE, 3), 150, np.uint8)

    def dimmed(truth: Shown) -> list[View]:
        front, *sides = drawn(person, one, truth)
        return [front, *(replace(v, picture=(0.75 * v.picture).astype(np.uint8)) for v in sides)]

    found = texels.taken(baked(person, dimmed))[np.isin(texels.region, OUTSIDE)].astype(float)
    light = np.median(found)  # of the picture that the others are brought to
    assert round(light) in (150, 112)
    assert np.quantile(np.abs(found - light), 0.98) < 4.0


def test_it_is_as_sharp_as_the_best_picture(person: Subject, texels: Texels) -> None:
    painted = patterned(4, 3.0)

    def one_is_sharp(truth: Shown) -> list[View]:
        front = drawn(person, painted, truth)[0]
        blurred = np.asarray(cv2.GaussianBlur(front.picture, (0, 0), 4.0))
        truth.covered |= {1: truth.covered[0], 2: truth.covered[0]}
        return [replace(front, picture=blurred, frame=0), replace(front, frame=1)]

    motion = require_motion(person)
    alike = person.replace(motion=motion.replace(rotation=motion.rotation[:1].repeat(len(YAWS), 1, 1)))
    found = [
        baked(alike, one_is_sharp),
        baked(person, lambda truth: drawn(person, painted, truth)[:1]),
    ]
    edges = [texels.taken(np.abs(cv2.Laplacian(f.astype(np.float32).mean(axis=2), cv2.CV_32F))) for f in found]
    face = np.isin(texels.region, OUTER) & (texels.carry(_face_weight())[:, 0] > 0.9)
    assert edges[0][face].mean() > 0.95 * edges[1][face].mean()


def test_without_pictures_it_is_plain_and_whole(person: Subject) -> None:
    plain = plain_texture(person).numpy()
    texels = texels_of(HEAD, len(plain))
    skin, iris = (texels.taken(plain)[np.isin(texels.region, region_ids(name))] for name in ("skin", "iris"))
    assert (skin == skin[0]).all() and skin[0, 0] > skin[0, 2] > 100
    assert iris.min() < 20 < iris.max() < 160  # a pupil in it


def _face_weight() -> np.ndarray:
    """[V, 1] of the detailed mesh."""
    coarse = HEAD.topology.face_weight[:, None]
    return LEVELS[2].upsample(LEVELS[1].upsample(coarse)).numpy()


def doubled_areas(atlas: Atlas) -> np.ndarray:
    a, b, c = (atlas.uv[atlas.faces[:, i]].astype(float) for i in range(3))
    return (b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]


def test_the_atlas_is_one_to_one_and_gives_the_face_more_than_the_models_own_layout() -> None:
    top, atlas = HEAD.topology, head_atlas(HEAD)
    areas = doubled_areas(atlas)
    assert areas.min() > 0 and atlas.uv.min() > 0 and atlas.uv.max() < 1
    flat = np.concatenate([atlas.pixels(1024), np.ones((len(atlas.uv), 1), np.float32)], axis=1)
    seen = rasterise(torch.from_numpy(flat)[None], torch.from_numpy(atlas.faces), 1024, 1024, cull_back=False)
    # Nothing lies on anything else: as much is covered as all triangles together have.
    assert float((seen.face >= 0).float().mean()) == pytest.approx(areas.sum() / 2, rel=0.003)
    lips = top.region_faces(*region_ids("lips")).numpy()
    own = doubled_areas(Atlas(top.uv.numpy(), top.uv_faces.numpy()))
    assert areas[lips].sum() > 5 * own[lips].sum()
    skin = (top.face_weight[top.faces].amin(1) > 0.9) & top.region_faces(*region_ids("skin"))
    up, height = atlas.uv[atlas.faces[skin.numpy()], 1].mean(axis=1), HEAD.base_neutral[top.faces[skin], 1].mean(1)
    assert np.corrcoef(up, height)[0, 1] > 0.95


def test_the_divided_atlas_belongs_to_the_divided_mesh() -> None:
    top, atlas = HEAD.topology, head_atlas(HEAD)
    fine, faces = atlas.divided(), subdivide(top.faces.numpy(), len(top.head_weight)).faces
    assert doubled_areas(fine).sum() == pytest.approx(doubled_areas(atlas).sum(), rel=1e-5)
    owner = np.full(len(fine.uv), -1)
    owner[fine.faces] = faces
    np.testing.assert_array_equal(owner[fine.faces], faces)  # no place belongs to two vertices
