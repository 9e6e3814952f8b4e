# SPDX-License-Identifier: Apache-2.0
"""Normal maps of the detailed head a second: ``python -m benchmarks.detailed_speed [--size 512] [--frames 100]``.

The way of the generator's control signal, of a head in a bundled performance: control mesh, two rounds of subdivision,
pose, normals of 84,369 vertices, rasterising, and the normal of every pixel. Printed by stage, in ms a frame.
"""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass

import numpy as np
import torch
import tyro

from benchmarks.common import provenance
from reenact.head.open import open_head
from reenact.head.personal import personal_rig
from reenact.head.state import HeadState, deformed
from reenact.pipeline import bundled_performance
from reenact.rendering import Camera, interpolate_directions, rasterise, vertex_normals
from reenact.subject.detailed import open_levels
from reenact.tracking import load_motion

_WARM_UP = 3


@dataclass
class Args:
    """Measure the rendering of the detailed head."""

    size: int = 512
    frames: int = 100
    batch: int = 4
    """Frames at once."""
    motion: str = "laughing"


@torch.no_grad()
def main(args: Args) -> None:
    path = bundled_performance(args.motion)
    if path is None:
        raise SystemExit(f"no bundled performance is called {args.motion}")
    model, (_, fit, detailed), track = open_head(), open_levels(), load_motion(path)
    rig = personal_rig(model, track.identity[0])
    focal = float(track.focal_px[0]) * args.size / max(track.width, track.height)
    camera = Camera(focal, args.size / 2, args.size / 2, args.size, args.size)
    faces = torch.from_numpy(np.ascontiguousarray(detailed.faces))
    spent: dict[str, float] = defaultdict(float)
    rows = np.arange(args.frames + _WARM_UP * args.batch) % len(track)
    done, drawn_px = 0, 0
    for first in range(0, len(rows), args.batch):
        if first == _WARM_UP * args.batch:
            spent.clear()
            done = drawn_px = 0
        some = rows[first : first + args.batch]
        states = [
            HeadState(*x)
            for x in zip(
                track.expression[some], track.gaze[some], track.R_cam_head[some], track.t_cam_head[some], strict=True
            )
        ]
        clock = [time.perf_counter()]
        control = torch.from_numpy(deformed(rig, states))
        clock.append(time.perf_counter())
        fine = detailed.upsample(fit.upsample(control))
        turn = torch.from_numpy(track.R_cam_head[some])
        fine = fine @ turn.transpose(1, 2) + torch.from_numpy(track.t_cam_head[some])[:, None]
        clock.append(time.perf_counter())
        normals = vertex_normals(fine, faces)
        clock.append(time.perf_counter())
        fragments = rasterise(camera.project(fine), faces, args.size, args.size, cull_back=True)
        clock.append(time.perf_counter())
        picture = interpolate_directions(normals, faces, fragments)
        clock.append(time.perf_counter())
        drawn_px += int((picture.square().sum(-1) > 0.5).sum())
        done += len(some)
        for name, before, after in zip(
            ("deformation", "subdivision and pose", "normals", "rasterising", "pixels"), clock, clock[1:], strict=False
        ):
            spent[name] += after - before
    about, total = provenance(), sum(spent.values())
    print(f"{about['machine']}, {torch.get_num_threads()} threads, commit {about['commit'][:12]}")
    print(f"{len(detailed)} vertices at {args.size} px, {done} frames, {drawn_px / done:.0f} px of the head in each")
    print(f"{1000 * total / done:.1f} ms a frame = {done / total:.1f} frames/s; without deformation "
          f"{done / (total - spent['deformation']):.1f}")  # fmt: skip
    for name, seconds in spent.items():
        print(f"{1000 * seconds / done:6.1f} ms {name}")


if __name__ == "__main__":
    main(tyro.cli(Args, description=__doc__))
