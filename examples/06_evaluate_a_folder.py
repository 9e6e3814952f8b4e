# SPDX-License-Identifier: Apache-2.0
"""Score two generated videos against the video that drove them.

    python examples/06_evaluate_a_folder.py

Self-reenactment: the photo is the first frame of a clip, the clip drives, and the clip is what a perfect output would
be. Two systems answer: the warp generator, and a still picture. Writes 06_inputs/ (what `reenact evaluate` prepares),
06_videos/SYSTEM/PAIR.mp4, 06_SYSTEM.json with all numbers, 06_table.md, and 06_errors.png: PSNR of the face and
error of the landmarks in each frame. Needs the `evaluation` extra.
"""

import argparse
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import reenact
from reenact.lab.evaluation.folder import save_scores, score_folder
from reenact.lab.evaluation.protocol import Manifest, Pair, prepare
from reenact.lab.evaluation.summary import table
from reenact.media import read_image
from reenact.media.files import asset
from reenact.tracking import silent

COLUMNS = ("psnr/face", "ssim/face", "landmark_error_478", "aed", "apd_rotation_deg", "csim_dlib")


def main(out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    clip = out / "06_clip.mp4"
    reenact.animate(asset("demo/astronaut.jpg"), reenact.track("laughing")[12:42:3], clip, crop=True, size=192)
    name = "astronaut--astronaut--relative"
    pair = Pair(name, clip.name, clip.name, clip.name, "astronaut", "astronaut", "relative", neutral=0)
    manifest = prepare(Manifest("example", (pair,), frames=10), out, out / "06_inputs", silent)

    photo = read_image(out / "06_inputs" / manifest.pairs[0].photo)
    motion = reenact.track(clip)
    systems = {
        "warp": reenact.animate(photo, motion, mode="relative", neutral=0),
        "still": np.stack([photo] * len(motion)),
    }
    results = []
    for system, frames in systems.items():
        folder = out / "06_videos" / system
        folder.mkdir(parents=True, exist_ok=True)
        reenact.save(frames, folder / f"{name}.mp4", fps=motion.fps)
        results.append(score_folder(system, manifest, out / "06_inputs", folder, silent))
        save_scores(results[-1], out / f"06_{system}.json")
    written = table(results, "self", "relative", COLUMNS)
    (out / "06_table.md").write_text(written + "\n", encoding="utf-8")
    print(written)

    figure = Figure(figsize=(7, 5), layout="constrained")
    grid = figure.subplots(2, 1, sharex=True)
    for axes, column in zip(grid, ("psnr/face", "landmark_error_478"), strict=True):
        for result in results:
            series = result["pairs"][0]["scores"]["values"][column]["series"]
            axes.plot(np.array(series, float), label=result["system"])
        axes.set_ylabel(column)
        axes.legend()
    grid[-1].set_xlabel("frame")
    figure.savefig(out / "06_errors.png", dpi=100)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "out", help="folder to write into")
    main(parser.parse_args().out)
