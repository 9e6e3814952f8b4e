# SPDX-License-Identifier: Apache-2.0
"""LPIPS is there entirely or absent with a reason; nothing is fetched and nothing stands in for it."""

import importlib.util
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from scene import Scene, moments

from reenact.lab.evaluation.metrics import perceptual
from reenact.lab.evaluation.metrics.base import Absent
from reenact.lab.evaluation.metrics.perceptual import Lpips, backbone_file, square_around


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Both packages pretend to be there, checkpoints are looked for in an empty folder."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: ModuleSpec(name, None))
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    return tmp_path / "hub" / "checkpoints"


def test_without_the_package_it_is_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(Absent, match=r"lpips is not installed.*reenact\[perceptual\]"):
        Lpips()


def test_without_weights_it_is_absent_and_does_not_ask_the_package(installed: Path) -> None:
    with pytest.raises(Absent, match="nothing is downloaded"):
        Lpips()
    assert backbone_file() == installed / perceptual.BACKBONE


class Mean(torch.nn.Module):
    """In the network's place: mean absolute difference, so that the wiring has a known answer."""

    def __init__(self, **options: object) -> None:
        super().__init__()
        assert options == {"net": "alex", "version": "0.1", "verbose": False}

    def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        assert a.shape == b.shape
        assert min(a.shape[2:]) >= 64
        assert -1 <= float(a.min()) <= float(a.max()) <= 1
        return (a - b).abs().mean()[None, None, None, None]


def test_with_both_it_looks_at_the_frame_and_around_the_face(
    installed: Path, monkeypatch: pytest.MonkeyPatch, scene: Scene
) -> None:
    installed.mkdir(parents=True)
    (installed / perceptual.BACKBONE).write_bytes(b"weights")
    fake = ModuleType("lpips")
    fake.__dict__["LPIPS"] = Mean
    monkeypatch.setitem(sys.modules, "lpips", fake)
    metric = Lpips(every=2)
    output = [type(s)(np.clip(s.image.astype(int) + 10, 0, 255).astype(np.uint8), s.points, None) for s in scene.seen]
    for moment in moments(output[:3], scene.seen[:3]):
        metric.update(moment)
    frame, face = metric.values()
    assert (frame.about.key, face.about.key) == ("lpips/frame", "lpips/face square")
    assert frame.mean == pytest.approx(10 / 127.5, rel=0.05)
    assert frame.series is not None
    assert np.isfinite(frame.series).tolist() == [True, False, True]
    assert frame.about.weights_sha256 is not None


@pytest.mark.parametrize("corner", [(0, 0), (60, 150), (80, 100)])
def test_the_square_holds_the_mask_and_stays_inside(corner: tuple[int, int]) -> None:
    mask = np.zeros((120, 200), bool)
    mask[corner[0] : corner[0] + 40, corner[1] : corner[1] + 30] = True
    rows, columns = square_around(mask)
    assert mask[rows, columns].sum() == mask.sum()
    assert mask[rows, columns].shape[0] == mask[rows, columns].shape[1] >= 64
