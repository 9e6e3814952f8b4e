# SPDX-License-Identifier: Apache-2.0
"""Take a few training steps of the compact generator on one window of a small scene.

    python examples/05_training_step.py

A scene is a photo and frames of the same person, with the maps of the head that was fitted to the photo alone. Here it
is made from a clip of the demo photo. Writes 05_clip.mp4, 05_scenes/ and 05_step.png, whose columns are the photo, the
warped photo that the network begins with, its prediction, and the true frame; prints the loss of each step.
"""

import argparse
from pathlib import Path

import numpy as np
import torch

import reenact
from reenact.generator.diffusion.compact.flow import Sampling, sample
from reenact.generator.diffusion.compact.network import CompactConfig, CompactNet
from reenact.lab.training.compact import compact_losses
from reenact.lab.training.data.scene_making import Clip, prepare_scenes
from reenact.lab.training.data.scenes import Scene
from reenact.lab.training.generator_batches import Cut, batch
from reenact.media.files import asset


def main(out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    clip = out / "05_clip.mp4"
    reenact.animate(asset("demo/astronaut.jpg"), reenact.track("laughing")[12:42:2], clip, crop=True, size=192)
    scenes = prepare_scenes([Clip(clip, "astronaut", "public domain")], out / "05_scenes", scenes=1, size=128, run=4)

    controls, frames = batch([Scene(path) for path in scenes], np.random.default_rng(0), Cut(128, 4, augment=False), 1)

    torch.manual_seed(0)
    net = CompactNet(CompactConfig(widths=(16, 32, 64), depth=1))
    optimiser = torch.optim.AdamW(net.parameters(), lr=2e-3)
    for step in range(10):
        losses = compact_losses(net, controls, frames)
        optimiser.zero_grad()
        losses["loss"].backward()
        optimiser.step()
        print(f"step {step}: " + ", ".join(f"{name} {float(value.detach()):.4f}" for name, value in losses.items()))

    prediction = sample(net.eval(), controls, Sampling(steps=1)).clean
    rows = [
        torch.cat([controls.reference[0], controls.warped[0, n], prediction[0, n], frames[0, n]], dim=-1)
        for n in range(frames.shape[1])
    ]
    picture = torch.cat(rows, dim=1).permute(1, 2, 0)  # [H, W, 3] from -1 to 1
    reenact.save(((picture.clamp(-1, 1) + 1) * 127.5).round().byte(), out / "05_step.png")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "out", help="folder to write into")
    main(parser.parse_args().out)
