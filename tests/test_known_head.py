# SPDX-License-Identifier: Apache-2.0
"""A .head file in place of the photo's own fit, and as a performance."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from reenact.head.motion import Motion
from reenact.head.open import open_head
from reenact.head.regions import region_ids
from reenact.lab.synthetic import random_scene, render_portraits, still_state, synthetic_person
from reenact.media import write_image
from reenact.pipeline import AnimateOptions, Pipeline, read_driving
from reenact.subject.fit_subject import fit_subject
from reenact.subject.store import save_head
from reenact.tracking import load_motion, save_motion
from tests.command_line import refusal
from tests.made_motions import assert_same, made_subject, with_clip

HEAD, SEED, SIDE = open_head(), 920_015, 320


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A photo of a made-up person, partly outside the basis, and a head file that knows their true shape."""
    folder = tmp_path_factory.mktemp("known")
    person, scene = synthetic_person(SEED, age=20.0), random_scene(SEED, clean=True)
    drawn = render_portraits([person], still_state(person, scene), [scene], SIDE)
    write_image(folder / "photo.png", drawn.images[0])
    track = read_driving(HEAD, folder / "photo.png")
    identity = torch.zeros(HEAD.identity_size)
    track = with_clip(
        track,
        identity=identity[None],
        placement=np.zeros((1, 478, 3), np.float32),
        focal_px=np.asarray([drawn.cameras[0].focal_px], np.float32),
    )
    changed = HEAD.neutral(torch.from_numpy(person.identity)) - HEAD.neutral(identity)
    save_head(made_subject(track, changed.numpy() + person.offset), folder / "me.head")
    return folder


def performed(path: Path) -> Motion:
    return read_driving(HEAD, path)


def test_the_photo_is_fitted_with_the_head_that_the_file_knows(folder: Path) -> None:
    """Nothing of the shape is fitted, and the true shape explains the photo better than one guessed from it."""
    scene = random_scene(SEED, clean=True)
    person = synthetic_person(SEED, age=20.0)
    true = still_state(person, scene)
    options = AnimateOptions(head=folder / "me.head")
    found = Pipeline().prepare(folder / "photo.png", folder / "me.head", options).subject
    guessed = fit_subject(HEAD, [folder / "photo.png"])
    skin = HEAD.topology.region_vertices(*region_ids("skin"))
    assert np.allclose(found.head.neutral.numpy()[skin], person.head.neutral.numpy()[skin], atol=1e-6)
    away, state = {}, found.references[0].motion
    for name, subject in (("known", found), ("guessed", guessed)):
        turn = subject.references[0].motion.rotation[0] @ true.rotation[0].T
        away[name] = np.degrees(np.arccos(np.clip((float(turn.trace()) - 1) / 2, -1, 1)))
    assert away["known"] < max(away["guessed"], 2.0) and away["known"] < 5.0, away
    assert abs(float(state.translation[0, 2] / true.translation[0, 2]) - 1.0) < 0.05


def test_a_head_file_performs_as_its_motion_does(folder: Path) -> None:
    head = performed(folder / "me.head")
    save_motion(head, folder / "me.motion.safetensors")
    motion = load_motion(folder / "me.motion.safetensors")
    assert_same(head, motion)
    assert head.expression.abs().max() > 0.05


@pytest.mark.parametrize(
    ("wrong", "said"), [("photo.png", "not a readable head file"), ("nothing.head", "does not exist")]
)
def test_what_is_no_head_is_refused_by_name(folder: Path, wrong: str, said: str) -> None:
    found = refusal("animate", *f"photo.png talking -o out.mp4 --head {wrong}".split(), folder=folder)
    assert wrong in found and said in found
    assert not (folder / "out.mp4").exists()


def test_two_ways_to_say_who_is_photographed_are_one_too_many(folder: Path) -> None:
    found = refusal("animate", *"photo.png me.head -o out.mp4 --head me.head --same-person".split(), folder=folder)
    assert "--same-person" in found
