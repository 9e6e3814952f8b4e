# SPDX-License-Identifier: Apache-2.0
"""Frames side by side: each file decoded once, nothing kept, and everything that is missing counted and named."""

import weakref
from collections import Counter
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from scene import FPS, Scene, write_video

from reenact.lab.evaluation import observe
from reenact.lab.evaluation.observe import DetectedFace, Image, Observation
from reenact.media import InputError


class Looker:
    """In place of the networks: counts pictures, and finds a face in every bright one."""

    pictures: Counter[int]

    def __enter__(self) -> "Looker":
        return self

    def __exit__(self, *failure: object) -> None: ...

    def __call__(self, image: Image) -> DetectedFace:
        type(self).pictures[id(self)] += 1
        face = image.mean() > 60
        return DetectedFace(
            image, np.zeros((478, 2), np.float32) if face else None, np.zeros((68, 2)) if face else None
        )


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> type[Looker]:
    monkeypatch.setattr(observe, "FaceDetectors", Looker)
    Looker.pictures = Counter()
    return Looker


def greys(count: int, size: tuple[int, int] = (96, 64), dark: tuple[int, ...] = ()) -> list[Image]:
    return [np.full((size[1], size[0], 3), 20 if k in dark else 120, np.uint8) for k in range(count)]


def test_a_driver_that_is_the_truth_is_decoded_and_looked_at_once(quick: type[Looker], tmp_path: Path) -> None:
    output, driver = (write_video(tmp_path / f"{n}.mp4", greys(7)) for n in ("o", "d"))
    found = list(Observation(output, driver, tmp_path / "." / "d.mp4"))
    assert all(moment.truth is moment.driver for moment in found)
    assert sorted(quick.pictures.values()) == [7, 7]
    apart = write_video(tmp_path / "t.mp4", greys(7))
    quick.pictures.clear()
    assert all(moment.truth is not moment.driver for moment in Observation(output, driver, apart))
    assert sorted(quick.pictures.values()) == [7, 7, 7]


def test_no_picture_outlives_its_moment(quick: type[Looker], tmp_path: Path) -> None:
    output, driver = (write_video(tmp_path / f"{n}.mp4", greys(40)) for n in ("o", "d"))
    alive, most = weakref.WeakSet[DetectedFace](), 0
    for moment in Observation(output, driver, driver):
        alive.update((moment.output, moment.driver))
        most = max(most, len(alive))
    assert most <= 4


def test_what_is_short_resized_or_faceless_is_counted_and_named(quick: type[Looker], tmp_path: Path) -> None:
    output = write_video(tmp_path / "o.mp4", greys(8, (48, 32), dark=(2, 3)))
    driver = write_video(tmp_path / "d.mp4", greys(10, dark=(3, 4, 5, 9)))
    observation = Observation(output, driver, driver)
    moments = list(observation)
    assert [m.index for m in moments] == list(range(8))
    assert {m.output.shape for m in moments} == {(64, 96)}
    counts = observation.counts
    assert (counts.frames_output, counts.frames_driver, counts.frames_truth, counts.frames_compared) == (8, 10, 10, 8)
    assert (counts.size_output, counts.size_compared) == ((48, 32), (96, 64))
    assert {counts.no_face[f"output by {network}"] for network in ("mediapipe", "dlib")} == {2}
    assert {counts.no_face[f"driver by {network}"] for network in ("mediapipe", "dlib")} == {3}
    said = "; ".join(counts.notes())
    for part in ("output has 8 frames, the driver 10", "the truth 10", "first 8 frames", "48 x 32 to 96 x 64"):
        assert part in said
    assert "no face in 2 frames of the output by dlib" in said


def test_a_whole_comparison_has_nothing_to_note_and_cross_keeps_the_outputs_size(
    quick: type[Looker], tmp_path: Path
) -> None:
    output, driver = write_video(tmp_path / "o.mp4", greys(5, (48, 32))), write_video(tmp_path / "d.mp4", greys(5))
    observation = Observation(output, driver, None)
    for moment in observation:
        assert moment.truth is None
        assert moment.output.shape == (32, 48)
        assert moment.real is moment.driver
    assert observation.counts.notes() == []
    assert observation.counts.fps == "30000/1001"
    assert observation.counts.size_truth is None


@pytest.mark.parametrize(("rate", "refused"), [(Fraction(30), False), (Fraction(25), True), (Fraction(29), True)])
def test_rates_that_differ_are_refused(quick: type[Looker], tmp_path: Path, rate: Fraction, refused: bool) -> None:
    output, driver = write_video(tmp_path / "o.mp4", greys(9), rate), write_video(tmp_path / "d.mp4", greys(9), FPS)
    if not refused:
        assert len(list(Observation(output, driver, None))) == 9
        return
    with pytest.raises(InputError, match=rf"o\.mp4 runs at {rate} .* d.*30000/1001"):
        Observation(output, driver, None)


def test_real_networks_see_the_face_in_both(scene: Scene, clip: Path, tmp_path: Path) -> None:
    larger = [np.asarray(cv2.resize(f, (384, 384), interpolation=cv2.INTER_CUBIC)) for f in scene.frames[:3]]
    output = write_video(tmp_path / "o.mp4", larger)
    for moment, seen in zip(Observation(output, clip, clip), scene.seen, strict=False):
        assert moment.output.points is not None
        assert moment.output.points_68 is not None
        assert seen.points is not None
        assert np.linalg.norm(moment.output.points - seen.points, axis=1).mean() < 1.5
        assert set(moment.masks) == {"frame", "face", "mouth", "eyes"}
