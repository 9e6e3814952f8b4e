# SPDX-License-Identifier: Apache-2.0
"""A whole clip's scores: from files, in one pass, with everything said that a reader needs."""

import ast
import json
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from scene import Scene, write_video

import reenact.lab.evaluation
from reenact.lab.evaluation import ClipScores, score_clip
from reenact.lab.evaluation.extra import required
from reenact.media import InputError

EXTRA = {"dlib", "face_recognition_models", "flip_evaluator", "torchmetrics", "lpips", "onnxruntime", "torchvision"}
SHORT = 9


@pytest.fixture(scope="module")
def driver(scene: Scene, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_video(tmp_path_factory.mktemp("score") / "driver.mp4", scene.frames[:SHORT])


@pytest.fixture(scope="module")
def output(scene: Scene, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One frame short, smaller, blurred, and without a face in its frame 4."""
    frames = [np.asarray(cv2.GaussianBlur(f, (0, 0), 1.5)) for f in scene.frames[: SHORT - 1]]
    frames[4] = np.full_like(frames[4], 128)
    small = [np.asarray(cv2.resize(f, (224, 224), interpolation=cv2.INTER_AREA)) for f in frames]
    return write_video(tmp_path_factory.mktemp("score") / "output.mp4", small)


@pytest.fixture(scope="module")
def spoilt(output: Path, driver: Path, scene: Scene) -> ClipScores:
    return score_clip(output, driver, scene.photo, driver, "self")


@pytest.mark.slow
def test_a_spoilt_output_is_worse_and_says_what_was_not_compared(spoilt: ClipScores) -> None:
    said = "; ".join(spoilt.counts.notes())
    for part in (f"output has {SHORT - 1} frames, the driver {SHORT}", "224 x 224 to 256 x 256", "no face in 1 frames"):
        assert part in said
    assert spoilt.mean("psnr/face") < 40
    assert spoilt.mean("aed") > 0
    series = spoilt.values["aed"].series
    assert series is not None
    assert np.flatnonzero(np.isnan(series)).tolist() == [4]
    # the truth's face is known there, so the picture's error counts: losing the face must not pay
    errors = spoilt.values["l1/face"].series
    assert errors is not None
    assert np.argmax(errors) == 4


def test_every_value_says_what_it_is(spoilt: ClipScores) -> None:
    assert len(spoilt.values) > 40
    for key, value in spoilt.values.items():
        about = value.about
        assert key == about.key
        assert about.units
        assert about.extractor
        assert about.better in ("higher", "lower", "one")
        if any(name in about.extractor for name in ("mediapipe", "dlib", "tracker")):
            assert len(about.weights_sha256 or "") == 64, key
        assert value.series is None or len(value.series) == SHORT - 1


def test_what_is_absent_has_a_reason_and_asking_for_it_gives_that_reason(spoilt: ClipScores) -> None:
    assert {"frechet_clip", "leakage_dlib"} <= set(spoilt.absent)
    with pytest.raises(KeyError, match="one person"):
        spoilt.mean("leakage_dlib")
    with pytest.raises(KeyError, match="no such number"):
        spoilt.mean("beauty")


def test_scores_are_plain_json_without_nan(spoilt: ClipScores) -> None:
    text = json.dumps(spoilt.to_json(), allow_nan=False)
    read = json.loads(text)
    assert read["values"]["aed"]["series"][4] is None
    assert read["values"]["aed"]["frames"] == SHORT - 2
    assert read["measured_on"]["frames_compared"] == SHORT - 1
    assert read["measured_on"]["fps"] == "30000/1001"
    assert read["mode"] == "self"


@pytest.mark.slow
def test_threads_do_not_change_a_score(spoilt: ClipScores, output: Path, driver: Path, scene: Scene) -> None:
    before = torch.get_num_threads(), cv2.getNumThreads()
    threads = 1 if before[0] > 1 else 2
    torch.set_num_threads(threads)
    cv2.setNumThreads(threads)
    try:
        again = score_clip(output, driver, scene.photo, driver, "self")
    finally:
        torch.set_num_threads(before[0])
        cv2.setNumThreads(before[1])
    assert again.to_json()["values"] == spoilt.to_json()["values"]
    assert again.to_json()["measured_on"] == spoilt.to_json()["measured_on"]


@pytest.mark.slow
def test_identical_files_have_perfect_coefficients_and_pictures(driver: Path, scene: Scene, tmp_path: Path) -> None:
    copy = tmp_path / "copy.mp4"
    copy.write_bytes(driver.read_bytes())
    scores = score_clip(copy, driver, scene.photo, driver, "self")
    for key, value in scores.values.items():
        if key.startswith(("l1", "flip", "landmark", "aed", "apd", "gaze")):
            assert value.mean == 0, key
        elif key.startswith("motion"):
            assert value.mean == pytest.approx(1), key
    assert scores.mean("csim_truth_dlib") == pytest.approx(1, abs=1e-9)
    assert scores.mean("csim_dlib") < 0.9999  # the photo is not every frame
    assert scores.counts.notes() == []


@pytest.mark.slow
def test_without_a_truth_there_are_no_picture_errors_but_leakage(driver: Path, output: Path, scene: Scene) -> None:
    scores = score_clip(output, driver, scene.photo, None, "cross")
    assert not any(key.startswith(("l1", "psnr", "ssim", "flip", "lpips", "landmark")) for key in scores.values)
    for key in ("psnr/face", "landmark_error_478", "lpips/frame"):
        with pytest.raises(KeyError, match="there is no truth"):
            scores.mean(key)
    assert 0.8 < scores.mean("leakage_dlib") <= 1
    assert scores.values["leakage_dlib"].beside["photo_to_driver"] > 0.9
    assert np.isfinite(scores.mean("flow_warp/face"))
    assert scores.counts.size_compared == (224, 224)


@pytest.mark.parametrize(("mode", "truth"), [("self", False), ("selfish", True)])
def test_contradictions_are_refused(driver: Path, scene: Scene, mode: str, truth: bool) -> None:
    with pytest.raises(InputError, match=mode):
        score_clip(driver, driver, scene.photo, driver if truth else None, mode)  # pyright: ignore[reportArgumentType]


def test_the_room_opens_without_the_extra_and_one_sentence_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = Path(reenact.lab.evaluation.__file__).parent
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
            assert not {name.split(".")[0] for name in names} & EXTRA, path
    monkeypatch.setitem(sys.modules, "dlib", None)
    with pytest.raises(InputError, match=r"dlib is not installed.*pip install 'reenact\[evaluation\]'"):
        required("dlib")
