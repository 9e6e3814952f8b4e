# SPDX-License-Identifier: Apache-2.0
"""What expression transfer costs: ``python -m benchmarks.transfer_speed [--frames 250] [--device cuda]``.

One performance onto one receiver, ms a frame once both are set up, and ms of the set-up, of

transferred  deformation transfer of every frame's control mesh (head/deformation.py), subdivided to the fit mesh
ours         the receiver's own actions, contact, and D_f on the fit mesh (transfer/own_motion.py)
detailed     ours, subdivided once more

and on a GPU, if asked for, the network's D_f and subdivision alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
import tyro

from benchmarks.common import provenance
from benchmarks.transfer import carry
from reenact.head.open import open_head
from reenact.head.personal import personal_rig, transfer_between
from reenact.head.reshaped import ReshapedHead
from reenact.head.state import codes_of
from reenact.lab.synthetic.noise import rng
from reenact.lab.synthetic.receivers import OwnDeformation
from reenact.lab.training.data.transfer_shards import HELD_OUT_SEED, performance
from reenact.subject.detailed import open_levels
from reenact.transfer.network import frames_of
from reenact.transfer.own_motion import OwnMotion
from reenact.transfer.receiver import face_rows


@dataclass
class Args:
    """Measure transfer."""

    frames: int = 250
    repeats: int = 3
    device: str = "cpu"


def main(args: Args) -> None:
    model, (_, fit, detailed) = open_head(), open_levels()
    own, driver = (OwnDeformation.of(HELD_OUT_SEED + n) for n in (3, 4))
    draw = rng(HELD_OUT_SEED, "speed")
    states = [s for _ in range(-(-args.frames // 50)) for s in performance(draw, 50)][: args.frames]
    shapes = driver.control(states)
    motion = OwnMotion.of(own.rig)

    def best(act: Callable[[], object]) -> float:
        """Milliseconds of the quickest of some runs."""
        taken = []
        for _ in range(args.repeats):
            at = time.perf_counter()
            act()
            taken.append(time.perf_counter() - at)
        return 1000.0 * min(taken)

    about = provenance()
    print(f"{about['machine']}, {torch.get_num_threads()} threads, commit {about['commit'][:12]}, {args.frames} frames")
    transferred = best(lambda: fit.upsample(torch.from_numpy(carry(driver.rig, own.rig, shapes))))
    pair = best(lambda: transfer_between(model, driver.rig.neutral, own.rig.neutral))
    receiver = best(lambda: personal_rig(ReshapedHead(model, own.person.offset), own.person.identity))
    known = best(lambda: OwnMotion.of(own.rig))
    ours = best(lambda: [*motion.surfaces(states)])
    fine = best(lambda: [detailed.upsample(surface) for surface in motion.surfaces(states)])
    count = args.frames
    print(f"transferred: {(transferred - pair) / count:.2f} ms a frame of {len(fit)} vertices, set-up {pair:.0f} ms")
    print(f"ours: {ours / count:.2f} ms a frame, set-up {receiver:.0f} + {known:.0f} ms a receiver; "
          f"{ours / (transferred - pair):.3f} of the time")  # fmt: skip
    print(f"detailed: {fine / count:.2f} ms a frame of {len(detailed)} vertices, {1000.0 * count / fine:.0f} frames/s")
    if args.device != "cpu":
        on_device(args, motion, torch.from_numpy(codes_of(own.rig, states)), best)


@torch.no_grad()
def on_device(
    args: Args, motion: OwnMotion, codes: torch.Tensor, best: Callable[[Callable[[], object]], float]
) -> None:
    """D_f and the detailed surface, the actions added up on the fit mesh as well."""
    device, (_, fit, detailed) = torch.device(args.device), open_levels()
    net, answers = motion.net.to(device), motion.answers.to(device)
    rows = torch.from_numpy(face_rows()).to(device)
    actions = fit.upsample(torch.from_numpy(motion.rig.actions)).flatten(1).to(device)
    neutral = fit.upsample(torch.from_numpy(motion.rig.neutral)).to(device)
    codes = codes.to(device)

    def act() -> None:
        surface = neutral + (codes @ actions).view(len(codes), -1, 3)
        surface[:, rows] += frames_of(answers[None], net.encoder(codes[None]))[0]
        detailed.upsample(surface)
        torch.cuda.synchronize(device)

    act()
    taken = best(act)
    print(
        f"{torch.cuda.get_device_name(device)}: {1000.0 * len(codes) / taken:.0f} frames/s of {len(detailed)} vertices"
    )


if __name__ == "__main__":
    main(tyro.cli(Args, description=__doc__))
