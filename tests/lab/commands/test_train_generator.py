# SPDX-License-Identifier: Apache-2.0
"""`reenact train generator`, both presets, from scenes to weights."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from reenact.generator.diffusion.compact.weights import load_compact
from tests.command_line import refusal, run_reenact
from tests.made_wan import made_scene, save_base


def scenes(folder: Path, runs: tuple[int, ...], size: int) -> Path:
    for kind in ("train", "held-out"):
        (folder / kind).mkdir(parents=True)
        made_scene(folder / kind / "scene.safetensors", 1, runs, size)
    return folder


@pytest.mark.slow
def test_compact_is_trained_and_its_weights_are_read(tmp_path: Path) -> None:
    kept = scenes(tmp_path / "scenes", (5, 5), 64)
    size = "--cut 32 --frames 2 --batch 1 --widths 8 16 64 --depth 1 --steps 2".split()
    done = run_reenact("train", "generator", "-o", "run", "--scenes", str(kept), *size, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "step 2 of 2" in done.stdout
    net = load_compact(tmp_path / "run" / "compact.safetensors", torch.device("cpu"))
    assert net.config.depth == 1
    row = json.loads((tmp_path / "run" / "log.jsonl").read_text())
    assert row["step"] == 2
    assert row["steps_per_second"] > 0
    assert list((tmp_path / "run" / "samples").glob("*.png"))


@pytest.mark.slow
def test_wan_is_fine_tuned(tmp_path: Path) -> None:
    pytest.importorskip("diffusers")
    base = save_base(tmp_path / "base")
    kept = scenes(tmp_path / "scenes", (5, 5), 32)
    how = f"--preset wan --base {base} --frames 5 --rank 2 --steps 2".split()
    done = run_reenact("train", "generator", "-o", "run", "--scenes", str(kept), *how, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "run" / "config.json").exists()
    assert (tmp_path / "run" / "trained.safetensors").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("-o run", "holds no scenes"),
        ("-o run --preset wan", "--base"),
        ("-o run --cut 40", "multiple of 16"),
        ("-o run --control landmarks", "--control was removed; the driven head is shown by its normals"),
        ("-o missing/run", "does not exist"),
        ("-o run --depth 0", "--depth 0 is too few"),
        ("-o run --preset wan --base wan --start w.safetensors", "--start is for compact"),
        ("-o run --clips .", "holds no videos"),
    ],
)
def test_what_cannot_be_trained_is_said_in_a_sentence(tmp_path: Path, arguments: str, said: str) -> None:
    assert said in refusal("train", "generator", *arguments.split(), folder=tmp_path)
