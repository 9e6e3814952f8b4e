# SPDX-License-Identifier: Apache-2.0
"""`reenact animate --generator`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from reenact.generator.diffusion.compact.network import CompactConfig, CompactNet
from reenact.generator.diffusion.compact.weights import save_compact
from reenact.media import probe, read_frames
from reenact.media.files import asset
from reenact.pipeline import bundled_motion
from reenact.tracking import load_motion, save_motion
from reenact.transfer.edit import cut
from tests.command_line import refusal, run_here

PHOTO = asset("demo/astronaut.jpg")


def frame_of(path: Path) -> np.ndarray:
    return next(iter(read_frames(probe(path)))).image.astype(int)


def test_compact_generates_with_given_weights(tmp_path: Path) -> None:
    config = CompactConfig((8, 16, 64), 1)
    net = CompactNet(config)
    save_compact(net.state_dict(), config, tmp_path / "untrained.safetensors")
    bias = net.last.bias
    assert bias is not None
    bias.data[:48] = 0.3  # of colours: this one brightens
    save_compact(net.state_dict(), config, tmp_path / "bright.safetensors")
    talking = bundled_motion("talking")
    assert talking is not None
    # What does not move is not generated: absolute motion turns the head as the driving one.
    save_motion(cut(load_motion(talking), 40, 41), tmp_path / "moved.motion.safetensors")
    made = []
    for name in ("untrained", "bright"):
        how = f"-o {name}.mp4 --crop --size 128 --generator compact --weights {name}.safetensors --steps 1 --device cpu"
        how += " --mode absolute --subject-detail coarse"
        run_here("animate", str(PHOTO), "moved.motion.safetensors", *how.split(), folder=tmp_path)
        made.append(frame_of(tmp_path / f"{name}.mp4"))
    middle = (made[1] - made[0])[32:96, 32:96]
    assert np.median(middle) == pytest.approx(0.3 * 127.5, abs=6)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("--generator compact --steps 0", "--steps 0 generates nothing"),
        ("--generator wan", "no weights of its own"),
        ("--generator compact --weights none.safetensors", "none.safetensors does not exist"),
    ],
)
def test_what_cannot_be_generated_is_said_before_anything_is_done(tmp_path: Path, arguments: str, said: str) -> None:
    assert said in refusal("animate", str(PHOTO), "talking", "-o", "a.mp4", *arguments.split(), folder=tmp_path)
    assert not list(tmp_path.iterdir())
