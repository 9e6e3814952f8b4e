# SPDX-License-Identifier: Apache-2.0
"""The Python of docs/quickstart.md runs as it stands, in a folder that holds a photo and a driving video."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

import reenact
from reenact.media.files import asset

PAGE = Path(__file__).parents[1] / "docs" / "quickstart.md"
LINES = 25
"""Of the block that goes all the way."""


def blocks() -> list[str]:
    """The page's blocks of Python: the five calls, and the way to a training step."""
    return re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("quickstart")
    shutil.copyfile(asset("demo/astronaut.jpg"), path / "photo.jpg")
    driving = reenact.track("laughing")[12:42:2]
    reenact.animate(path / "photo.jpg", driving, path / "driving.mp4", crop=True, size=192)
    return path


def run(code: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The names that a block leaves behind."""
    monkeypatch.chdir(folder)
    names: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(code, PAGE.name, "exec"), names)
    return names


def test_the_longest_block_is_short_and_goes_all_the_way() -> None:
    first, whole = blocks()
    assert len(first.splitlines()) < len(whole.splitlines()) <= LINES
    for call in ("track", "fit_subject", "retarget", "render", "animate"):
        assert f"reenact.{call}(" in first and f"reenact.{call}(" in whole


@pytest.mark.slow
def test_the_five_calls(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = run(blocks()[0], folder, monkeypatch)
    assert names["maps"].normals.shape == (8, 512, 512, 3)
    assert names["frames"].shape == (15, 256, 256, 3) and names["frames"].dtype == torch.uint8
    assert (folder / "out.mp4").stat().st_size > 1000


@pytest.mark.slow
def test_the_way_to_a_training_step(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.manual_seed(0)
    names = run(blocks()[1], folder, monkeypatch)
    assert "torch.Size([15, 52])" in capsys.readouterr().out
    assert names["subject"].static_offset is not None
    assert names["normals"].shape == (1, 512, 512, 3) and float(names["normals"].norm(dim=-1).max()) > 0.99
    assert len(names["target"]) == 15 and names["frames"].shape == (15, 256, 256, 3)
    moved = [p.grad for p in names["net"].parameters() if p.grad is not None and p.grad.abs().max() > 0]
    assert moved  # at first those of the last layer alone: all others begin behind zeros
