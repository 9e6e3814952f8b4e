# SPDX-License-Identifier: Apache-2.0
"""The whole of `reenact head`, short: a clip in two chunks and a photo of the same made-up person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from reenact.head.open import open_head
from reenact.head.subject import Subject
from reenact.lab.synthetic import (
    performed_by,
    random_scene,
    render_portraits,
    still_state,
    synthetic_motion,
    synthetic_person,
)
from reenact.media import InputError, VideoWriter, write_image
from reenact.media.files import asset
from reenact.perception.dense.maps import DenseMaps, View
from reenact.perception.dense.shipped import shipped_estimator
from reenact.subject.checkpoint import FitCheckpoint
from reenact.subject.fit import FRAMES, PERSON, PHOTO
from reenact.subject.head_fit import fit_head
from reenact.subject.texture import require_motion
from reenact.tracking import Progress, find_face, silent

HEAD, SEED, SIDE, COUNT = open_head(), 920_003, 256, 6
SHORT = [replace(stage, steps=12) for stage in PERSON]
EVERY = replace(FRAMES, steps=4, batch=4)  # two chunks, of four frames and of two


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, np.ndarray]:
    """A clip, a photo of another size, and the clip's pictures."""
    folder = tmp_path_factory.mktemp("person")
    person, scene = synthetic_person(SEED, age=30.0), random_scene(SEED, clean=True)
    states = performed_by(synthetic_motion(SEED, COUNT), person, scene)
    images = render_portraits([person], states, [scene], SIDE).images
    with VideoWriter(folder / "clip.mp4", Fraction(25), SIDE, SIDE, crf=6) as writer:
        for image in images:
            writer.write(image)
    photo = render_portraits([person], still_state(person, scene), [scene], 320).images[0]
    write_image(folder / "photo.png", photo[:, 20:300])
    return folder / "clip.mp4", folder / "photo.png", images


@pytest.fixture(scope="module")
def head(files: tuple[Path, Path, np.ndarray]) -> Subject:
    clip, photo, _ = files
    return fit_head(HEAD, [clip, photo], shipped_estimator(), stages=SHORT, every_frame=EVERY)


def dynamic(head: Subject) -> torch.Tensor:
    """[F, V, 3]"""
    offset = require_motion(head).dynamic_offset
    assert offset is not None
    return offset


@pytest.mark.slow
def test_every_frame_of_the_first_source_and_none_of_the_others_is_kept(head: Subject) -> None:
    motion = require_motion(head)
    clip = motion.require_clip()
    assert clip.frame.tolist() == list(range(COUNT)) and clip.source == "clip.mp4"
    assert dynamic(head).shape == (COUNT, *HEAD.base_neutral.shape)
    assert (clip.width, clip.height) == (SIDE, SIDE)
    assert head.static_offset is not None and head.static_offset.abs().max() > 0.0003
    assert head.fine_offset is not None and head.fine_offset.abs().max() > 0
    assert head.texture is not None and head.texture.float().std() > 10
    assert [r.camera.width for r in head.references] == [SIDE, 280]


@pytest.mark.slow
def test_the_head_lies_where_the_pictures_show_it(head: Subject, files: tuple[Path, Path, np.ndarray]) -> None:
    """Offsets, moved camera and poses are checkpoint together: the landmarks still fall on the face."""
    t = require_motion(head)
    clip, shapes = t.require_clip(), head.surface(t)[:, : len(HEAD.base_neutral)]
    errors = []
    for i in (0, 3, 5):
        seen = find_face(files[2][i], 0, "frame").points
        points = HEAD.topology.at_landmarks(shapes[i]).numpy() + clip.placement[0].numpy()
        cam = points @ t.rotation[i].numpy().T + t.translation[i].numpy()
        px = float(clip.focal_px[0]) * cam[:, :2] / cam[:, 2:] + SIDE / 2
        errors.append(np.median(np.linalg.norm(px - seen, axis=1)))
    assert max(errors) < 0.015 * SIDE


@pytest.mark.slow
def test_a_chunk_begins_where_the_one_before_ended(head: Subject) -> None:
    """Frames 3 and 4 are in two chunks: the step between them is no larger than steps within."""
    moved = dynamic(head)
    steps = moved.diff(dim=0).norm(dim=2).mean(1)
    assert steps[3] < 3.0 * steps[[0, 1, 2, 4]].max()
    assert moved.isfinite().all() and moved.abs().max() > 0


@pytest.mark.slow
def test_an_interrupted_fit_goes_on_to_the_same_head(
    head: Subject, files: tuple[Path, Path, np.ndarray], tmp_path: Path
) -> None:
    """Stopped after the first chunk; then neither the key frames nor that chunk are looked at again."""
    seen: list[int] = []
    looks = shipped_estimator()

    class Counting:
        name = looks.name

        def __call__(self, views: Sequence[View]) -> list[DenseMaps]:
            seen.append(len(views))
            return looks(views)

    def stop(stage: str, done: int, total: int | None) -> None:
        if stage == "fitting every frame":
            raise KeyboardInterrupt

    def fit(progress: Progress = silent) -> Subject:
        checkpoint = FitCheckpoint(tmp_path / "work", "this fit")
        return fit_head(
            HEAD,
            files[:2],
            Counting(),
            stages=SHORT,
            every_frame=EVERY,
            checkpoint=checkpoint,
            textured=False,
            progress=progress,
        )

    with pytest.raises(KeyboardInterrupt):
        fit(stop)
    seen.clear()
    again = fit()
    assert seen == [COUNT - EVERY.batch]
    assert again.texture is None
    assert torch.equal(dynamic(again), dynamic(head))
    assert again.static_offset is not None and head.static_offset is not None
    assert torch.equal(again.static_offset, head.static_offset)
    assert torch.equal(require_motion(again).rotation, require_motion(head).rotation)


def test_what_was_kept_of_another_fit_is_not_used(tmp_path: Path) -> None:
    FitCheckpoint(tmp_path / "work", ["a"]).save("person", {"x": torch.ones(2)})
    same = FitCheckpoint(tmp_path / "work", ["a"]).load("person")
    assert same is not None and same["x"].tolist() == [1.0, 1.0]
    assert FitCheckpoint(tmp_path / "work", ["b"]).load("person") is None and not (tmp_path / "work").exists()


def test_a_clip_without_a_face_is_refused_by_name(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "grey.mp4", Fraction(25), 128, 128) as writer:
        for _ in range(3):
            writer.write(np.full((128, 128, 3), 90, np.uint8))
    with pytest.raises(InputError, match=r"grey\.mp4: no face was found"):
        fit_head(HEAD, [tmp_path / "grey.mp4"], shipped_estimator(), stages=SHORT)


def test_who_it_is_without_a_motion_from_a_photo_of_another_size(files: tuple[Path, Path, np.ndarray]) -> None:
    subject = fit_head(HEAD, [files[1]], shipped_estimator(), size=160, stages=SHORT[:1], every_frame=None)
    assert subject.motion is None and subject.texture is None
    assert subject.static_offset is not None and subject.static_offset.abs().max() > 0.0001
    reference = subject.require_reference()
    assert reference.image.shape == (160, 140, 3)
    away = reference.motion.rotation[0] @ subject.head.neutral.mean(0) + reference.motion.translation[0]
    assert (reference.camera.project(away[None])[0, :2] - torch.tensor([70.0, 80.0])).abs().max() < 30


@pytest.mark.slow
def test_static_offsets_neither_cross_the_lips_of_a_smile_nor_shut_them() -> None:
    """Actions adapted between the stages would shut lips that static offsets open, again and again: 7 mm crossed."""
    steps = set[int | None]()  # of the person's fit: a single photo takes fewer

    def note(stage: str, _done: int, total: int | None) -> None:
        if stage == "fitting the head":
            steps.add(total)

    subject = fit_head(HEAD, [asset("demo/astronaut.jpg")], shipped_estimator(), textured=False, progress=note)
    assert steps == {sum(stage.steps for stage in PHOTO)} != {sum(stage.steps for stage in PERSON)}
    motion, pairs = require_motion(subject), HEAD.topology.lip_contacts
    bare = subject.replace(static_offset=None, fine_offset=None)
    gaps = []
    for one, doing in ((subject, motion), (bare, motion.replace(dynamic_offset=None))):
        upper, lower = (one.surface(doing, 0)[0, pairs[:, i], 1] for i in (0, 1))
        gaps.append(upper - lower)
    assert gaps[0].min() > -0.0015
    assert gaps[0].quantile(0.8) > 0.4 * gaps[1].quantile(0.8) > 0.002
