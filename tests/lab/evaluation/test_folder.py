# SPDX-License-Identifier: Apache-2.0
"""A folder of anybody's videos: missing, short, differently sized, broken; named, scored where possible."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from scene import Scene, write_video

from reenact.lab.commands.evaluate import Score
from reenact.lab.evaluation.folder import load_scores, save_scores, score_folder
from reenact.lab.evaluation.protocol import Manifest, Pair, save_manifest
from reenact.media import InputError, write_image

SHORT = 6
NAMES = ("whole", "again", "short", "small", "broken", "missing", "slow")


def quiet(stage: str, done: int, total: int | None) -> None:
    """Tests need no progress."""


@pytest.fixture(scope="module")
def inputs(scene: Scene, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prepared manifest of one clip, seven times."""
    inputs = tmp_path_factory.mktemp("inputs")
    write_video(inputs / "driver.mp4", scene.frames[:SHORT])
    write_image(inputs / "photo.png", scene.frames[0])
    pairs = tuple(Pair(name, "photo.png", "driver.mp4", "driver.mp4", "a", "a", "relative", 0) for name in NAMES)
    save_manifest(Manifest("made", pairs, SHORT), inputs / "manifest.json")
    return inputs


@pytest.fixture(scope="module")
def videos(scene: Scene, inputs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("videos")
    for name in ("whole", "again"):
        shutil.copyfile(inputs / "driver.mp4", folder / f"{name}.mp4")
    write_video(folder / "short.mp4", scene.frames[: SHORT - 2])
    half = [np.asarray(cv2.resize(f, (192, 192), interpolation=cv2.INTER_AREA)) for f in scene.frames[:SHORT]]
    write_video(folder / "small.mp4", half).rename(folder / "small.mov")
    (folder / "broken.mp4").write_bytes((inputs / "driver.mp4").read_bytes()[:600])
    write_video(folder / "slow.mp4", scene.frames[:SHORT], fps=10)  # type: ignore[arg-type]
    return folder


@pytest.fixture(scope="module")
def scored(inputs: Path, videos: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """By the command, in this process."""
    result = tmp_path_factory.mktemp("result") / "theirs.json"
    assert Score(inputs / "manifest.json", videos, result, "Theirs", jobs=1).run() == 0
    return load_scores(result)


@pytest.mark.slow
def test_every_pair_is_scored_or_says_why_not(scored: dict[str, Any]) -> None:
    pairs = {pair["name"]: pair for pair in scored["pairs"]}
    assert list(pairs) == list(NAMES)
    problems = {name: pair["problem"] for name, pair in pairs.items() if pair["problem"]}
    assert set(problems) == {"broken", "missing", "slow"}
    assert "broken.mp4" in problems["broken"] and "no video named missing" in problems["missing"]
    assert "want the same rate" in problems["slow"]
    notes = {name: " ".join(pairs[name]["scores"]["measured_on"]["notes"]) for name in ("whole", "short", "small")}
    assert notes["whole"] == ""
    assert f"output has {SHORT - 2} frames" in notes["short"] and "192 x 192 to 256 x 256" in notes["small"]


def test_one_video_gets_one_score_and_the_spoilt_are_worse(scored: dict[str, Any]) -> None:
    scores = {pair["name"]: pair["scores"] for pair in scored["pairs"] if pair["scores"]}
    assert scores["again"] == scores["whole"]
    assert scores["small"]["values"]["psnr/face"]["mean"] < scores["whole"]["values"]["psnr/face"]["mean"]
    assert scored["system"] == "Theirs" and scored["commit"] and scored["packages"]["torch"]


@pytest.mark.slow
def test_the_number_of_processes_does_not_matter(scored: dict[str, Any], inputs: Path, videos: Path) -> None:
    names = ("small", "short")
    pairs = tuple(Pair(name, "photo.png", "driver.mp4", "driver.mp4", "a", "a", "relative", 0) for name in names)
    made = score_folder("Theirs", Manifest("made", pairs, SHORT), inputs, videos, quiet, jobs=2)["pairs"]
    assert [pair["name"] for pair in made] == list(names)
    alone = {pair["name"]: pair["scores"] for pair in scored["pairs"]}
    for pair in made:
        values, before = json.loads(json.dumps(pair["scores"]))["values"], alone[pair["name"]]["values"]
        assert {k: v["mean"] for k, v in values.items()} == {k: v["mean"] for k, v in before.items()}


def test_a_folder_that_is_none_and_a_file_that_is_none_are_refused(inputs: Path, tmp_path: Path) -> None:
    manifest = Manifest("made", (Pair("a", "photo.png", "driver.mp4", None, "a", "b", "relative"),), SHORT)
    with pytest.raises(InputError, match="nowhere is no folder"):
        score_folder("x", manifest, inputs, tmp_path / "nowhere", quiet)
    with pytest.raises(InputError, match=r"none of the 1 pairs; want files such as a\.mp4"):
        score_folder("x", manifest, inputs, tmp_path, quiet)
    (tmp_path / "r.json").write_text("{}")
    with pytest.raises(InputError, match=r"r\.json is no reenact-scores"):
        load_scores(tmp_path / "r.json")
    with pytest.raises(ValueError, match="Out of range"):
        save_scores({"number": float("nan")}, tmp_path / "bad.json")
    assert not (tmp_path / "bad.json").exists()
