# SPDX-License-Identifier: Apache-2.0
"""Track a clip and plot its expression codes, gaze and head pose over time.

    python examples/00_track_and_plot_codes.py

Makes a driving video from the demo photo, tracks it, and writes 00_driving.mp4, 00_driving.motion.safetensors and
00_codes.png: the six most active expression codes, the gaze of the left eye, and the rotation of the head.
"""

import argparse
from pathlib import Path

import torch
from matplotlib.figure import Figure
from scipy.spatial.transform import Rotation

import reenact
from reenact.head.arkit import ACTIONS
from reenact.media.files import asset

FRONTAL = torch.diag(torch.tensor([1.0, -1.0, -1.0]))  # from head axes (y up) to camera axes (y down)


def main(out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    driving = out / "00_driving.mp4"
    reenact.animate(asset("demo/astronaut.jpg"), reenact.track("laughing")[12:42], driving, crop=True, size=256)

    motion = reenact.track(driving)
    reenact.save(motion, out / "00_driving.motion.safetensors")

    seconds = torch.arange(len(motion)) / float(motion.fps)
    active = motion.expression.std(dim=0).argsort(descending=True)[:6].tolist()
    gaze = torch.rad2deg(motion.gaze[:, 0])  # the subject's left eye
    turn = Rotation.from_matrix((FRONTAL @ motion.rotation).double().numpy())
    pose = turn.as_euler("YXZ", degrees=True)

    figure = Figure(figsize=(9, 8), layout="constrained")
    codes, eye, head = figure.subplots(3, 1, sharex=True)
    for code in active:
        codes.plot(seconds, motion.expression[:, code], label=ACTIONS[code])
    for angle, name in enumerate(("yaw", "pitch")):
        eye.plot(seconds, gaze[:, angle], label=name)
    for angle, name in enumerate(("yaw", "pitch", "roll")):
        head.plot(seconds, pose[:, angle], label=name)
    for axes, label in ((codes, "activation"), (eye, "gaze, degrees"), (head, "head, degrees")):
        axes.set_ylabel(label)
        axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), fontsize="small")
    head.set_xlabel("seconds")
    figure.savefig(out / "00_codes.png", dpi=100)
    print(f"{len(motion)} frames at {float(motion.fps):g} fps; most active: {', '.join(ACTIONS[i] for i in active)}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "out", help="folder to write into")
    main(parser.parse_args().out)
