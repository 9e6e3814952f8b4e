# SPDX-License-Identifier: Apache-2.0
"""Milliseconds a frame of the parts of the pipeline, and of alternatives in the same run.

    python -m benchmarks.speed                      # everything
    python -m benchmarks.speed warp normals --frames 60

raster      a closed, bumpy, head-sized surface of 9,000 triangles that fills 60 % of the picture, by either backend
normals     normal maps of the detailed head (84,369 vertices): deformation, subdivision, normals, rasterising, pixels
transfer    retargeted surfaces, against deformation transfer of every frame's mesh; on --device cuda the transfer
            network and the detailed mesh alone
warp        the warp generator on the demo photo and a bundled motion
compact     the compact generator: its network by steps, and whole frames against the warp
score       the metrics of `reenact evaluate` on two videos of the demo photo; needs the `evaluation` extra
animate     the command of `make demo`, from its start to the finished video

tracking.py measures tracking, memory.py memory. Each part is a result of its own, speed-NAME; docs/measurements.md
shows all in one table.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import cv2
import numpy as np
import torch
import tyro
from torch.utils.flop_counter import FlopCounterMode
from tyro.conf import Positional

from benchmarks.common import DEMO_PHOTO, Recorded, demo, fastest_ms, generated, record
from benchmarks.transfer import carry, surface
from reenact.generator.choice import GeneratorName, GeneratorOptions
from reenact.generator.diffusion.compact.flow import CompactPredictor, Sampling, sample
from reenact.generator.diffusion.compact.weights import ASSET, load_compact
from reenact.generator.diffusion.controls import Controls
from reenact.head.arkit import REGIONS
from reenact.head.head_model import action_source, personalised
from reenact.head.levels import open_levels
from reenact.head.motion import Motion
from reenact.head.open import open_head
from reenact.head.state import codes_of, deformed
from reenact.lab.evaluation import score_clip
from reenact.lab.synthetic.noise import rng
from reenact.lab.synthetic.own_deformation import OwnDeformation
from reenact.lab.training.data.transfer_shards import HELD_OUT_SEED, performance
from reenact.media import VideoWriter
from reenact.pipeline import bundled_motion
from reenact.rendering import Camera, interpolate_directions, rasterise, vertex_normals
from reenact.tracking import load_motion
from reenact.transfer.dynamic_offsets import DynamicOffsets
from reenact.transfer.network import frames_of
from reenact.transfer.subject_features import face_rows

What = Literal["raster", "normals", "transfer", "warp", "compact", "score", "animate"]
Row = dict[str, Any]
_WARM_UP: Final = 10  # frames before the clock starts


@dataclass(frozen=True)
class Arguments(Recorded):
    """Measure speed."""

    what: Positional[Annotated[tuple[What, ...], tyro.conf.arg(metavar="WHAT")]] = (
        "raster", "normals", "transfer", "warp", "compact", "score", "animate",
    )  # fmt: skip
    """Parts to measure."""
    size: int = 512
    """Side of the pictures, px."""
    frames: int = 100
    """Frames that are timed."""
    repeats: int = 3
    """Of what is timed as one call; the fastest counts."""
    motion: str = "talking"
    """A bundled motion."""
    device: str = "cpu"
    """Of transfer and compact."""
    threads: int = 2
    """Of torch and OpenCV."""
    weights: Path | None = None
    """Of the compact generator; None: those that are shipped."""


def row(what: str, ms: float, size: int | None = None, than: tuple[float, str] | None = None) -> Row:
    """Make a row of the table; `than` are the milliseconds of what it is compared with, and its name."""
    ratio = {} if than is None else {"ratio": ms / than[0], "ratio_to": than[1]}
    return {"what": what, "size_px": size, "ms": float(f"{ms:.3g}"), **ratio}


def raster(arguments: Arguments) -> list[Row]:
    """Rasterise with either backend."""
    vertices, faces = bumpy_head()
    side = arguments.size
    points = Camera(2.52 * side, side / 2, side / 2, side, side).project(vertices)[None]

    def best(backend: Literal["torch", "warp"]) -> float:
        return fastest_ms(
            lambda: rasterise(points, faces, side, side, cull_back=True, backend=backend), arguments.repeats
        )

    plain, fast = best("torch"), best("warp")
    what = f"rasteriser, {len(faces):,} triangles"
    return [row(what, fast, side, (plain, "torch reference")), row(f"{what}, torch reference", plain, side)]


def bumpy_head(rings: int = 48, sectors: int = 96) -> tuple[torch.Tensor, torch.Tensor]:
    """Return a sphere of 0.1 m with bumps, 0.6 m before the camera: vertices [V, 3] in metres, faces [F, 3]."""
    polar, azimuth = torch.meshgrid(
        torch.linspace(0.0, torch.pi, rings + 1), torch.arange(sectors) * (2.0 * torch.pi / sectors), indexing="ij"
    )
    outwards = torch.stack((polar.sin() * azimuth.cos(), polar.sin() * azimuth.sin(), polar.cos()), dim=-1)
    radius = 0.1 * (1.0 + 0.05 * torch.sin(10.0 * outwards).sum(-1, keepdim=True))
    vertices = (outwards * radius).flatten(0, 1) + torch.tensor([0.0, 0.0, 0.6])
    ring, sector = torch.meshgrid(torch.arange(rings), torch.arange(sectors), indexing="ij")
    a, b = ring * sectors + sector, ring * sectors + (sector + 1) % sectors
    c, d = a + sectors, b + sectors
    upper, lower = torch.stack((a, c, b), -1)[1:], torch.stack((b, c, d), -1)[:-1]
    return vertices, torch.cat((upper.reshape(-1, 3), lower.reshape(-1, 3)))


@torch.no_grad()
def normals(arguments: Arguments, batch: int = 4) -> list[Row]:
    """Render normals of the detailed head in a bundled motion, a batch of frames at a time."""
    path = bundled_motion(arguments.motion)
    if path is None:
        raise SystemExit(f"no bundled motion is called {arguments.motion}")
    model, (_, fit, detailed), track = open_head(), open_levels(), load_motion(path)
    clip = track.require_clip()
    head, side = personalised(model, clip.identity[0]), arguments.size
    camera = Camera(float(clip.focal_px[0]) * side / max(clip.width, clip.height), side / 2, side / 2, side, side)
    faces = detailed.faces

    def render(some: np.ndarray) -> None:
        states = track[some]
        fine = detailed.upsample(fit.upsample(deformed(head, states)))
        fine = fine @ states.rotation.mT + states.translation[:, None]
        fragments = rasterise(camera.project(fine), faces, side, side, cull_back=True)
        interpolate_directions(vertex_normals(fine, faces), faces, fragments)

    numbers = np.arange(arguments.frames) % len(track)
    batches = np.array_split(numbers, -(-len(numbers) // batch))
    ms = fastest_ms(lambda: [render(some) for some in batches], 1)
    return [row(f"normal map of {len(detailed):,} vertices", ms / arguments.frames, side)]


@torch.no_grad()
def transfer(arguments: Arguments) -> list[Row]:
    """Retarget one performance to one synthetic person."""
    model, (_, fit, detailed) = open_head(), open_levels()
    own, driver = (OwnDeformation.of(HELD_OUT_SEED + n) for n in (3, 4))
    draw, count = rng(HELD_OUT_SEED, "speed"), arguments.frames
    states = Motion.joined([performance(draw, 50) for _ in range(-(-count // 50))])[:count]
    shapes, offsets = driver.control(states), DynamicOffsets.of(own.head)

    def best(act: Callable[[], object]) -> float:
        return fastest_ms(act, arguments.repeats)

    pair = best(lambda: action_source(model, driver.head.neutral).onto(own.head.neutral))
    carried = best(lambda: fit.upsample(carry(driver.head, own.head, shapes))) - pair
    target = best(lambda: personalised(model, own.person.identity, own.person.offset))
    target += best(lambda: DynamicOffsets.of(own.head))
    coarse = best(lambda: surface(offsets, states))
    fine = best(lambda: detailed.upsample(surface(offsets, states)))
    print(f"set up once: {target:.0f} ms a target face, {pair:.0f} ms a pair for deformation transfer")
    name = "deformation transfer of each frame"
    rows = [
        row(f"retargeted surface, {len(fit):,} vertices", coarse / count, than=(carried / count, name)),
        row(f"{name}, {len(fit):,} vertices", carried / count),
        row(f"retargeted surface, {len(detailed):,} vertices", fine / count),
    ]
    if arguments.device == "cpu":
        return rows
    device = torch.device(arguments.device)
    net, basis = offsets.net.to(device), offsets.basis.to(device)
    face = face_rows().to(device)
    actions = fit.upsample(own.head.actions).flatten(1).to(device)
    neutral = fit.upsample(own.head.neutral).to(device)
    codes = codes_of(own.head, states).to(device)

    def act() -> None:
        moved = neutral + (codes @ actions).view(len(codes), -1, 3)
        moved[:, face] += frames_of(basis[None], net.encoder(codes[None]))[0]
        detailed.upsample(moved)
        torch.cuda.synchronize(device)

    what = f"retargeted surface, {len(detailed):,} vertices, {torch.cuda.get_device_name(device)}"
    return [*rows, row(what, best(act) / count)]


def warp(arguments: Arguments) -> list[Row]:
    """Generate frames with the warp."""
    return [row("warp, whole frames", generated_ms("warp", arguments, arguments.size), arguments.size)]


def generated_ms(name: GeneratorName, arguments: Arguments, size: int) -> float:
    """Return the milliseconds a frame of a generator on the demo photo, tracking not included."""
    subject, states = demo(open_head(), size, arguments.motion)
    count = arguments.frames + _WARM_UP
    states = states[[i % len(states) for i in range(count)]]
    options = GeneratorOptions(name, weights=arguments.weights if name == "compact" else None, device=arguments.device)
    frames = generated(subject, states, options)
    for _ in range(_WARM_UP):
        next(frames)
    started = time.perf_counter()
    done = sum(1 for _ in frames)
    return 1000 * (time.perf_counter() - started) / done


def compact(arguments: Arguments) -> list[Row]:
    """Run the compact generator's network on random controls, and make whole frames."""
    device, size, window = torch.device(arguments.device), CompactPredictor.size, CompactPredictor.window
    net = load_compact(arguments.weights or ASSET, device)
    controls = random_controls(window, size).to(device)

    def best(act: Callable[[], object]) -> float:
        def waited() -> None:
            act()
            if device.type == "cuda":
                torch.cuda.synchronize()

        return fastest_ms(waited, arguments.repeats)

    with FlopCounterMode(display=False) as counted, torch.no_grad():
        sample(net, controls, Sampling(2))
    millions = sum(p.numel() for p in net.parameters()) / 1e6
    print(f"{millions:.1f} million weights, {counted.get_total_flops() / window / 1e9:.1f} GFLOP a frame in two steps")
    rows = [
        row(
            f"compact, network, {steps} step{'s' * (steps > 1)}",
            best(lambda s=steps: sample(net, controls, Sampling(s))) / window,
            size,
        )
        for steps in (1, 2, 4)
    ]
    for whole in sorted({size, arguments.size}):
        warped = generated_ms("warp", arguments, whole), "warp"
        rows.append(row("compact, whole frames", generated_ms("compact", arguments, whole), whole, warped))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**30 if sys.platform == "darwin" else 2**20)
    print(f"peak memory {torch.cuda.max_memory_allocated() / 2**30 if device.type == 'cuda' else peak:.2f} GiB")
    return rows


def random_controls(frames: int, side: int) -> Controls:
    """Return pictures of noise: speed does not depend on what they show."""
    torch.manual_seed(0)
    pictures = [torch.rand(1, *shape, side, side) * 2.0 - 1.0 for shape in ((3,), (3,), (frames, 3), (frames, 3))]
    regions = [torch.randint(0, 13, (1, *shape, side, side)).to(torch.uint8) for shape in ((), (frames,))]
    visibility = torch.rand(1, frames, 1, side, side)
    return Controls(pictures[0], pictures[1], regions[0], pictures[2], pictures[3], regions[1], visibility)


def score(arguments: Arguments) -> list[Row]:
    """Score the demo photo's performance against a stronger one, in processor time, which other work lengthens less."""
    with tempfile.TemporaryDirectory() as folder:
        driver, output = Path(folder) / "driver.mp4", Path(folder) / "output.mp4"
        photo = write_demo(driver, 1.0, arguments)
        write_demo(output, 0.8, arguments)
        started = time.process_time()
        scores = score_clip(output, driver, photo, driver, "self")
        spent = time.process_time() - started
    for name, seconds in sorted(scores.seconds.items(), key=lambda item: -item[1]):
        print(f"score: {name} {1000 * seconds / arguments.frames:.1f} ms a frame")
    return [row("metrics of `reenact evaluate`, processor time", 1000 * spent / arguments.frames, arguments.size)]


def write_demo(path: Path, strength: float, arguments: Arguments) -> np.ndarray:
    """Write a video of the demo photo at a strength of motion; return the photo, uint8 RGB [size, size, 3]."""
    strengths: dict[str, float] = dict.fromkeys((*REGIONS, "head"), strength)
    subject, states = demo(open_head(), arguments.size, arguments.motion, strengths)
    last = len(states) - 1
    shown = states[[last - abs(last - k % (2 * last)) for k in range(arguments.frames)]]  # to and fro
    with VideoWriter(path, Fraction(25), arguments.size, arguments.size) as writer:
        for frame in generated(subject, shown, GeneratorOptions()):
            writer.write(frame)
    return subject.require_reference().image.numpy()


def animate(arguments: Arguments) -> list[Row]:
    """Run the command of `make demo`."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "demo.mp4"
        command = [sys.executable, "-m", "reenact", "animate", str(DEMO_PHOTO), arguments.motion, "-o", str(output)]
        started = time.perf_counter()
        subprocess.run([*command, "--crop", "--size", str(arguments.size), "--compare"], check=True)
        seconds = time.perf_counter() - started
    path = bundled_motion(arguments.motion)
    assert path is not None
    frames = len(load_motion(path))
    return [
        row(f"`reenact animate`, {frames} frames and the start of the program", 1000 * seconds / frames, arguments.size)
    ]


PARTS: Final[dict[What, Callable[[Arguments], list[Row]]]] = {
    "raster": raster, "normals": normals, "transfer": transfer, "warp": warp, "compact": compact, "score": score,
    "animate": animate,
}  # fmt: skip


def main(arguments: Arguments) -> None:
    """Measure the parts one after another."""
    torch.set_num_threads(arguments.threads)
    cv2.setNumThreads(arguments.threads)
    for what in arguments.what:
        record(f"speed-{what}", PARTS[what](arguments), arguments)


if __name__ == "__main__":
    main(tyro.cli(Arguments, description=__doc__))
