# SPDX-License-Identifier: Apache-2.0
"""Clips made into scenes: what the controls show is the head of the frame they are for."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from reenact.lab.evaluation.protocol import validation_people
from reenact.lab.training.data.scene_making import PERMITTED, RUN, RUNS, Clip, clips_of, prepare_scenes
from reenact.lab.training.data.scenes import MOVING, Scene
from reenact.media import InputError, VideoWriter
from reenact.media.files import asset
from reenact.tracking import load_motion, save_motion
from tests.lab.evaluation.scene import make_scene


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> list[Scene]:
    folder = tmp_path_factory.mktemp("clips")
    with VideoWriter(folder / "clip.mp4", Fraction(25), 256, 256, crf=8) as writer:
        for image in make_scene().frames[:18]:
            writer.write(image)
    made = prepare_scenes([Clip(folder / "clip.mp4", "somebody", "CC0")], folder / "scenes", 2, 64, lambda *_: None)
    assert [p.name for p in made] == ["clip-00.safetensors", "clip-01.safetensors"]
    again = prepare_scenes([Clip(folder / "clip.mp4", "somebody", "CC0")], folder / "scenes", 2, 64, lambda *_: None)
    assert made == again
    return [Scene(path) for path in made]


@pytest.fixture
def scene(scenes: list[Scene]) -> Scene:
    return scenes[0]


@pytest.mark.slow
def test_a_scene_says_whom_it_shows(scene: Scene) -> None:
    assert (scene.person, scene.about["licence"]) == ("somebody", "CC0")
    assert scene.runs == [RUN] * RUNS
    assert all(scene.picture(name, RUN).shape[:2] == (64, 64) for name in MOVING)


@pytest.mark.slow
def test_the_warped_photo_is_nearer_to_its_frame_than_the_photo(scene: Scene) -> None:
    def away(name: str, i: int, frame: int) -> float:
        inside = scene.picture("regions", frame) != 255
        other = scene.picture(name, i if name != "photo" else 0).astype(float)
        return float(np.abs(other - scene.picture("frames", frame))[inside].mean())

    numbers = range(len(scene))
    warped = np.mean([away("warped", i, i) for i in numbers])
    assert warped < 0.9 * np.mean([away("photo", 0, i) for i in numbers])
    assert warped < np.mean([away("warped", (i + 4) % len(scene), i) for i in numbers])  # of another frame


@pytest.mark.slow
def test_every_other_scene_begins_with_the_photo(scenes: list[Scene]) -> None:
    near = scenes[1]
    photo, first = near.picture("photo").astype(float), near.picture("frames", 0).astype(float)
    assert np.abs(photo - first).mean() < 1.0
    assert np.abs(photo - near.picture("warped", 0)).mean() < 1.0
    assert np.abs(photo - near.picture("frames", RUN - 1)).mean() > 2.0


@pytest.mark.slow
def test_landmarks_and_labels_lie_on_the_same_head(scene: Scene) -> None:
    regions = scene.picture("regions")
    x, y = np.clip(scene.landmarks[0].astype(int), 0, 63).T
    assert (regions[y, x] != 255).mean() > 0.9
    iris = np.isin(regions, [7, 8]).nonzero()
    assert len(iris[0])
    assert iris[0].mean() < np.mean(np.isin(regions, [4]).nonzero()[0])  # eyes above lips


def test_a_list_that_names_no_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "list.json").write_text('[{"file": "a.mp4", "person": "a", "licence": "MIT"}]')
    with pytest.raises(InputError, match=r"a\.mp4, named by .*list\.json, does not exist"):
        clips_of(tmp_path, tmp_path / "list.json")
    (tmp_path / "list.json").write_text('{"a": 1}')
    with pytest.raises(InputError, match="want a json list"):
        clips_of(tmp_path, tmp_path / "list.json")
    with pytest.raises(InputError, match="holds no videos"):
        clips_of(tmp_path)


def test_a_clip_that_is_too_short_is_refused(tmp_path: Path) -> None:
    out = tmp_path / "scenes"
    out.mkdir()
    motion = load_motion(asset("motions/talking.motion.safetensors"))
    save_motion(motion[: RUN + RUNS + 2], out / "short.motion.safetensors")
    with VideoWriter(tmp_path / "short.mp4", Fraction(25), 64, 64) as writer:
        for _ in range(RUN + RUNS + 2):
            writer.write(np.full((64, 64, 3), 120, np.uint8))
    clips = [Clip(tmp_path / "short.mp4", "somebody", "CC0")]
    with pytest.raises(InputError, match=r"no scene could be made of .*short\.mp4; want .* 14 consecutive frames"):
        prepare_scenes(clips, out, 2, 64)


def test_nobody_who_is_measured_on_is_learnt_from() -> None:
    listed = json.loads(PERMITTED.read_text(encoding="utf-8"))
    held_out = validation_people()
    assert len(listed) > 30
    assert not {row["person"] for row in listed} & {p.person for p in held_out}
    assert not {Path(row["file"]).name for row in listed} & {clip for p in held_out for clip in p.clips}
    known = {"MIT", "Apache-2.0", "CC BY 4.0", "Pexels licence", "footage free for research"}
    assert {licence for row in listed for licence in row["licence"].split("; ")} <= known
