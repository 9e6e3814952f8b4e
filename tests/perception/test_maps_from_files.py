# SPDX-License-Identifier: Apache-2.0
"""Maps of anybody's estimator: the same whatever they are written in, and refused when it is not said in what."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from reenact.head.open import open_head
from reenact.lab.synthetic import random_scene, render_portraits, still_state, synthetic_person
from reenact.lab.synthetic.render import SyntheticFrames
from reenact.lab.training.data.portraits import HELD_OUT_SEED, class_table
from reenact.media import InputError
from reenact.media.crop import SquareCrop
from reenact.perception.dense.from_files import BySource, MapFolder
from reenact.perception.dense.maps import DenseMaps, View
from reenact.perception.dense.network import CLASSES, FACE
from reenact.perception.dense.shipped import INPUT_PX, shipped_estimator
from reenact.subject.observation import observe
from reenact.tracking import find_face, fit_frames, fit_identity

OPENCV = {"x": "right", "y": "down", "z": "away"}
OPENGL = {"x": "right", "y": "up", "z": "towards"}
LEFT_UP = {"x": "left", "y": "up", "z": "away"}
SIGN = {"right": 1, "left": -1, "down": 1, "up": -1, "away": 1, "towards": -1}
SIDE = 320
PHOTO = Path("photo.png")


@pytest.fixture(scope="module")
def drawn() -> SyntheticFrames:
    """A portrait with exact truth."""
    seed = HELD_OUT_SEED + 60
    person, scene = synthetic_person(seed), random_scene(seed)
    return render_portraits([person], still_state(person, scene), [scene], SIDE)


@pytest.fixture(scope="module")
def view(drawn: SyntheticFrames) -> View:
    crop = SquareCrop(24.5, 10.25, 270.0, INPUT_PX)
    return View(drawn.images[0], 3, crop, drawn.cameras[0].focal_px, PHOTO)


def statement(axes: dict[str, str], **more: Any) -> dict[str, Any]:
    return {"format": "reenact-maps", "version": 1, "first": 1, "covers": "picture", "normals": {**axes}, **more}


def write(folder: Path, said: dict[str, Any], **maps: np.ndarray) -> Path:
    """Frame 3's maps (number 4, as counting starts at 1) as .npy, or 16-bit .png where they are uint16."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "maps.json").write_text(json.dumps(said), encoding="utf-8")
    for kind, values in maps.items():
        (folder / kind).mkdir(exist_ok=True)
        if values.dtype in (np.uint16, np.uint8) and kind != "classes":
            stored = values[..., ::-1] if values.ndim == 3 else values
            assert cv2.imwrite(str(folder / kind / "take2_000004.png"), stored)
        else:
            np.save(folder / kind / "take2_000004.npy", values)
    return folder


def in_axes(normals: np.ndarray, axes: dict[str, str]) -> np.ndarray:
    return normals * np.asarray([SIGN[axes[a]] for a in "xyz"], np.float32)


def seen(drawn: SyntheticFrames) -> np.ndarray:
    return np.isfinite(drawn.depth[0])


def true_normals(drawn: SyntheticFrames) -> np.ndarray:
    return np.where(seen(drawn)[..., None], drawn.normals[0], np.nan).astype(np.float32)


def read(folder: Path, view: View) -> DenseMaps:
    (maps,) = MapFolder(folder, shipped_estimator())([view])
    return maps


def same(a: DenseMaps, b: DenseMaps, atol: float = 0.0) -> None:
    for name in ("normals", "certainty", "depth", "classes"):
        one, other = getattr(a, name), getattr(b, name)
        assert (one is None) == (other is None)
        if one is not None:
            np.testing.assert_allclose(one, other, atol=atol)


def test_the_convention_they_are_written_in_does_not_matter(drawn: SyntheticFrames, view: View, tmp_path: Path) -> None:
    normals = true_normals(drawn)
    first, *others = (
        read(write(tmp_path / str(i), statement(axes), normals=in_axes(normals, axes)), view)
        for i, axes in enumerate((OPENCV, OPENGL, LEFT_UP))
    )
    for other in others:
        same(first, other)
    # And they are the truth's: upright faces look at the camera, foreheads up, the cheek on the left to the left.
    truth = drawn.normals[0][97:180, 100:200]
    at = np.asarray([[100.5, 97.5], [199.5, 179.5]])
    (x0, y0), (x1, y1) = view.crop.to_crop(at).round().astype(int)
    np.testing.assert_allclose(first.normals[y0:y1, x0:x1].mean((0, 1)), truth.mean((0, 1)), atol=0.02)
    np.testing.assert_allclose(np.linalg.norm(first.normals, axis=-1), 1.0, atol=1e-5)
    assert set(np.unique(first.certainty)) == {0.0, 1.0}


@pytest.mark.parametrize(("kind", "atol"), [(np.uint16, 3e-3), (np.uint8, 6e-2)])
def test_png_is_as_good_as_its_bits(
    drawn: SyntheticFrames, view: View, tmp_path: Path, kind: type, atol: float
) -> None:
    normals, largest = in_axes(true_normals(drawn), OPENGL), np.iinfo(kind).max
    coded = np.where(np.isnan(normals), 0, np.rint((normals + 1) / 2 * largest)).astype(kind)
    plain = read(write(tmp_path / "npy", statement(OPENGL), normals=normals), view)
    same(plain, read(write(tmp_path / "png", statement(OPENGL), normals=coded), view), atol)


def test_resolution_does_not_matter(drawn: SyntheticFrames, view: View, tmp_path: Path) -> None:
    normals = true_normals(drawn)
    once = read(write(tmp_path / "1", statement(OPENCV), normals=normals), view)
    twice = read(write(tmp_path / "2", statement(OPENCV), normals=normals.repeat(2, 0).repeat(2, 1)), view)
    both = (once.certainty > 0) & (twice.certainty > 0)
    angle = np.degrees(np.arccos(np.clip((once.normals * twice.normals).sum(-1)[both], -1, 1)))
    assert both.mean() > 0.9 * max(once.certainty.mean(), twice.certainty.mean()) and angle.mean() < 2.0


def test_what_is_known_of_a_part_of_the_picture_is_known_of_that_part(
    drawn: SyntheticFrames, view: View, tmp_path: Path
) -> None:
    whole = read(write(tmp_path / "whole", statement(OPENCV), normals=true_normals(drawn)), view)
    axes = {**OPENCV, "camera": "picture"}
    said = statement(axes, covers=[40, 60, 200, 180])
    part = read(write(tmp_path / "part", said, normals=true_normals(drawn)[60:240, 40:240]), view)
    (x0, y0), (x1, y1) = view.crop.to_crop(np.asarray([[42, 62], [238, 238]])).round().astype(int)
    np.testing.assert_allclose(part.normals[y0:y1, x0:x1], whole.normals[y0:y1, x0:x1], atol=1e-4)
    assert part.certainty[: y0 - 4].max() == 0 and part.certainty[:, x1 + 4 :].max() == 0
    # An estimator that was shown that part alone looks along its middle.
    turned = read(write(tmp_path / "own", statement({**OPENCV, "camera": "covered"}, covers=[140, 60, 100, 100]),
                        normals=np.tile(np.asarray([0, 0, -1], np.float32), (100, 100, 1))), view)  # fmt: skip
    sure = turned.certainty > 0
    ray = np.asarray([140 + 50 - SIDE / 2, 60 + 50 - SIDE / 2, view.focal_px])
    np.testing.assert_allclose(turned.normals[sure].mean(0), -ray / np.linalg.norm(ray), atol=1e-4)


def test_depth_of_every_kind_comes_out_in_sides_of_the_crop(drawn: SyntheticFrames, view: View, tmp_path: Path) -> None:
    depth = np.where(seen(drawn), drawn.depth[0], np.nan).astype(np.float32)
    head_m = np.nanmedian(depth)
    kinds = {
        "metric": ({"kind": "metric", "focal_px": view.focal_px}, depth),
        "millimetres": ({"kind": "metric", "focal_px": view.focal_px}, np.nan_to_num(1000 * depth).astype(np.uint16)),
        "relative": ({"kind": "relative"}, 3.0 * depth - 1.0),
        "disparity": ({"kind": "disparity"}, 5.0 / depth - 4.0),
    }
    normals = true_normals(drawn)
    face = np.isin(read(write(tmp_path / "n", statement(OPENCV), normals=normals), view).classes, FACE)
    found = {}
    for name, (said, values) in kinds.items():
        values = values if values.dtype == np.uint16 else values.astype(np.float32)
        maps = read(write(tmp_path / name, statement(OPENCV, depth=said), normals=normals, depth=values), view)
        assert maps.depth is not None
        found[name] = maps.depth - np.nanmean(maps.depth[face])
    true = found["metric"]
    side_m = head_m * view.crop.size / view.focal_px
    (x, y), (u, v) = np.asarray([[160, 180], [120, 120]])
    (cx, cy), (cu, cv) = view.crop.to_crop(np.asarray([[160.5, 180.5], [120.5, 120.5]])).astype(int)
    assert true[cv, cu] - true[cy, cx] == pytest.approx((depth[v, u] - depth[y, x]) / side_m, abs=0.02)
    np.testing.assert_allclose(found["millimetres"][face], true[face], atol=4e-3)
    for name in ("relative", "disparity"):
        known = face & np.isfinite(found[name]) & np.isfinite(true)
        slope = float((found[name][known] * true[known]).sum() / (true[known] ** 2).sum())
        assert 0.6 < slope < 1.4  # as good as our network's relief is
        np.testing.assert_allclose(found[name][known], slope * true[known], atol=0.02)


def test_depth_of_something_else_is_not_used(drawn: SyntheticFrames, view: View, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).normal(size=(SIDE, SIDE)).astype(np.float32)
    said = statement(OPENCV, depth={"kind": "relative"})
    assert read(write(tmp_path, said, normals=true_normals(drawn), depth=noise), view).depth is None


def test_own_classes_and_mask(drawn: SyntheticFrames, view: View, tmp_path: Path) -> None:
    classes = np.where(seen(drawn), class_table()[drawn.labels[0]], 0).astype(np.uint8)
    labels = {str(10 + i): name for i, name in enumerate(CLASSES)}
    mask = np.zeros((SIDE, SIDE), np.uint8)
    mask[:, :150] = 255
    said = statement(OPENCV, classes=labels)
    maps = read(write(tmp_path, said, normals=true_normals(drawn), classes=classes + 10, mask=mask), view)
    edge = int(view.crop.to_crop(np.asarray([[150.0, 0.0]]))[0, 0])
    assert (maps.classes[:, edge + 2 :] == 0).all() and (maps.certainty[:, edge + 2 :] == 0).all()
    middle = np.arange(INPUT_PX) + 0.5
    columns, rows = view.crop.to_image(np.stack([middle, middle], axis=1)).astype(int).T
    expected = classes[np.ix_(rows, columns)]
    np.testing.assert_array_equal(maps.classes[:, : edge - 2], expected[:, : edge - 2])
    write(tmp_path, statement(OPENCV, classes={"10": "background"}))
    with pytest.raises(InputError, match=r"take2_000004\.npy holds class 11"):
        read(tmp_path, view)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"normals": {"x": "right", "y": "up"}}, "does not say normals.z"),
        ({"normals": {"x": "right", "y": "up", "z": "forward"}}, "normals.z is 'forward'; want one of away, towards"),
        ({"normals": {"x": "right", "y": "down", "z": "towards"}}, "left-handed frame"),
        ({"normals": {**OPENCV, "handed": "left"}}, "their axes say otherwise"),
        ({"normals": "opengl"}, "normals that is 'opengl'"),
        ({"covers": "crop"}, "covers is 'crop'"),
        ({"covers": [0, 0, 10, 10]}, "does not say normals.camera"),
        ({"first": "one"}, "first is 'one'; want a whole number"),
        ({"version": 2}, "version 2"),
        ({"depht": {}}, "says depht, which means nothing"),
        ({"depth": {"kind": "metres"}}, "want one of metric, relative, disparity"),
        ({"depth": {"kind": "metric"}}, "does not say depth.focal_px"),
        ({"depth": {"kind": "relative"}}, "has only one of the folder depth"),
        ({"classes": {"0": "sky"}}, "classes.0 is 'sky'"),
    ],
)
def test_what_is_not_said_is_not_guessed(change: dict[str, Any], told: str, tmp_path: Path) -> None:
    write(tmp_path, statement(OPENCV) | change, normals=np.zeros((8, 8, 3), np.float32))
    with pytest.raises(InputError, match=r"maps\.json|folder") as error:
        MapFolder(tmp_path, shipped_estimator())
    assert told in str(error.value) and str(tmp_path) in str(error.value)


def test_a_left_handed_frame_is_read_when_it_is_meant(drawn: SyntheticFrames, view: View, tmp_path: Path) -> None:
    axes, normals = {"x": "right", "y": "down", "z": "towards"}, true_normals(drawn)
    meant = write(tmp_path / "left", statement({**axes, "handed": "left"}), normals=in_axes(normals, axes))
    same(read(meant, view), read(write(tmp_path / "cv", statement(OPENCV), normals=normals), view))


@pytest.mark.parametrize(
    ("truly", "told"),
    [
        ({"x": "right", "y": "down", "z": "towards"}, "away from the camera"),
        ({"x": "right", "y": "up", "z": "away"}, "y up or down?"),
        ({"x": "left", "y": "down", "z": "away"}, "x left or right?"),
    ],
)
def test_a_frame_that_the_face_contradicts_is_refused(
    drawn: SyntheticFrames, view: View, tmp_path: Path, truly: dict[str, str], told: str
) -> None:
    write(tmp_path, statement(OPENCV), normals=in_axes(true_normals(drawn), truly))
    with pytest.raises(InputError, match=r"take2_000004\.npy") as error:
        read(tmp_path, view)
    assert told in str(error.value)


def test_files_that_are_missing_or_of_no_use_are_named(view: View, tmp_path: Path) -> None:
    folder = write(tmp_path / "a", statement(OPENCV), normals=np.zeros((8, 8, 3), np.float32))
    with pytest.raises(InputError, match=r"normals has no file of frame 7; want one as .*000008\.npy"):
        read(folder, replace(view, frame=7))
    for array, told in (
        (np.zeros((3, 8, 8), np.float32), "3 x 8 x 8; want normals of shape H x W x 3"),
        (np.full((8, 8, 3), 127.0, np.float32), "vectors of length 220; want unit normals"),
        (np.full((8, 8, 3), 1, np.int64), "holds int64; want float16"),
        (np.asarray([{}]), "is not an array that can be read"),
    ):
        np.save(folder / "normals" / "take2_000004.npy", array)
        with pytest.raises(InputError, match=told):
            read(folder, view)
    (folder / "normals" / "take3_4.png").write_bytes(b"")
    with pytest.raises(InputError, match="both of frame 4"):
        MapFolder(folder, shipped_estimator())
    (folder / "normals" / "take3_4.png").rename(folder / "normals" / "first.png")
    with pytest.raises(InputError, match="no frame number"):
        MapFolder(folder, shipped_estimator())
    with pytest.raises(InputError, match=r"nowhere is not a folder"):
        MapFolder(tmp_path / "nowhere", shipped_estimator())


def test_the_fit_is_told_the_same_as_by_an_estimator_in_memory(
    drawn: SyntheticFrames, view: View, tmp_path: Path
) -> None:
    """What our network says of a crop, written to files and read again."""
    crop = view.crop
    (maps,) = shipped_estimator()([view])
    normals = np.where(maps.certainty[..., None] > 0, in_axes(maps.normals, OPENGL), 0.0).astype(np.float32)
    said = statement({**OPENGL, "camera": "picture"}, covers=[crop.x0, crop.y0, crop.size, crop.size])
    folder = write(tmp_path, said, normals=normals)
    # Of another file the network itself is asked.
    estimator = BySource({PHOTO: MapFolder(folder, shipped_estimator())}, shipped_estimator())
    same(estimator([replace(view, source=Path("other.png"))])[0], maps)
    points = find_face(view.picture, 0, PHOTO).points
    subject = fit_identity(open_head(), points[None], SIDE, SIDE)
    state = fit_frames(subject, points[None], np.zeros(0, bool))

    def told(maps: Sequence[DenseMaps]) -> dict[str, Any]:
        return observe(subject, state, state, [view], maps, [points]).__dict__

    memory = replace(maps, certainty=(maps.certainty > 0).astype(np.float32), depth=None)
    sure = memory.certainty > 0
    one, other = told([memory]), told(estimator([view]))
    for name in one.keys() - {"normals"}:
        np.testing.assert_array_equal(one[name].numpy(), other[name].numpy())
    np.testing.assert_allclose(one["normals"].numpy()[0][sure], other["normals"].numpy()[0][sure], atol=1e-5)
