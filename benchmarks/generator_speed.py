# SPDX-License-Identifier: Apache-2.0
"""Seconds a frame of the compact generator, and what training it takes: ``python -m benchmarks.generator_speed``.

Network: windows of 8 frames of 256 x 256 px, made-up controls. Whole: the demo photo and a bundled performance, warp,
head maps and the photo's own resolution included, tracking not. Operations are torch's own count; utilisation is their
share of what --peak says the device can do.
"""

from __future__ import annotations

import resource
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import torch
import tyro
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.common import OUT, REPOSITORY, provenance, write_json
from reenact.generator.choice import GeneratorOptions
from reenact.generator.diffusion.compact.flow import Sampling, begin, noise_like, sample
from reenact.generator.diffusion.compact.network import CompactConfig, CompactNet
from reenact.generator.diffusion.compact.painter import CompactPainter
from reenact.generator.diffusion.compact.weights import load_compact, shipped_weights
from reenact.generator.diffusion.controls import Controls
from reenact.lab.training.generator_loss import generator_losses, importance, mouths

PHOTO = REPOSITORY / "src/reenact/assets/demo/astronaut.jpg"


@dataclass
class Args:
    """Measure speed."""

    device: str = "cpu"
    threads: int = 2
    weights: Path | None = None
    """Of the compact generator; None: those that are shipped."""
    steps: tuple[int, ...] = (1, 2, 4)
    repeat: int = 3
    peak: float | None = None
    """TFLOP/s that the device can do, for utilisation."""
    whole: bool = True
    """Also the command's own way, which needs the tracker."""
    out: Path = OUT / "generator_speed.json"


def made_controls(frames: int, side: int, clips: int = 1) -> Controls:
    """Any pictures: speed does not depend on what they show."""
    torch.manual_seed(0)

    def labels(*shape: int) -> torch.Tensor:
        return torch.randint(0, 13, shape).to(torch.uint8)

    def rand(*shape: int) -> torch.Tensor:
        return torch.rand(*shape) * 2.0 - 1.0

    b, f, s = clips, frames, side
    return Controls(
        rand(b, 3, s, s),
        rand(b, 3, s, s),
        labels(b, s, s),
        rand(b, f, 3, s, s),
        rand(b, f, 3, s, s),
        labels(b, f, s, s),
        rand(b, f, 1, s, s).abs(),
    )


def seconds(do: object, repeat: int, device: torch.device) -> float:
    """The fastest of some runs after one to warm up."""
    assert callable(do)
    found = []
    for _ in range(repeat + 1):
        begun = time.perf_counter()
        do()
        if device.type == "cuda":
            torch.cuda.synchronize()
        found.append(time.perf_counter() - begun)
    return min(found[1:])


def main(args: Args) -> None:
    torch.set_num_threads(args.threads)
    device = torch.device(args.device)
    weights = args.weights or shipped_weights()
    net = load_compact(weights, device) if weights.exists() else CompactNet(CompactConfig()).to(device)
    window, side = CompactPainter.window, CompactPainter.size
    controls = made_controls(window, side).to(device)
    rows: dict[str, float] = {"million weights": sum(p.numel() for p in net.parameters()) / 1e6}
    with FlopCounterMode(display=False) as counted, torch.no_grad():
        sample(net, controls, Sampling(2))
    rows["GFLOP a frame, 2 steps"] = counted.get_total_flops() / window / 1e9
    for steps in args.steps:
        took = seconds(lambda s=steps: sample(net, controls, Sampling(s)), args.repeat, device) / window
        rows[f"network, s a frame, {steps} steps"] = took
    if args.peak is not None:
        used = rows["GFLOP a frame, 2 steps"] / rows["network, s a frame, 2 steps"] / 1e3
        rows["utilisation, 2 steps"] = used / args.peak
    rows |= training(net, device, args.repeat)
    if args.whole:
        rows |= whole(args)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**30 if sys.platform == "darwin" else 2**20)
    rows["peak memory, GiB"] = torch.cuda.max_memory_allocated() / 2**30 if device.type == "cuda" else peak
    about = provenance()
    print(f"{about['machine']}, {device}, {args.threads} threads, commit {about['commit'][:12]}")
    for name, value in rows.items():
        print(f"{name:36} {value:.3f}")
    write_json(args.out, {**about, "device": args.device, "threads": args.threads, "rows": rows})


def training(net: CompactNet, device: torch.device, repeat: int) -> dict[str, float]:
    """Frames learnt from in a second, of cuts and of whole pictures."""
    rows = {}
    for side, frames, clips in ((128, 4, 2), (256, 8, 1)):
        controls = made_controls(frames, side, clips).to(device)
        truth = controls.warped * 0.9

        def step(controls: Controls = controls, truth: torch.Tensor = truth) -> None:
            told = net.conditions(controls)
            time_ = torch.zeros(len(truth), device=device)
            clean = net(begin(told.start, controls, noise_like(controls, 0)), time_, told).clean
            generator_losses(clean, truth, importance(controls), mouths(controls))["loss"].backward()

        rows[f"training, frames/s at {side} px"] = frames * clips / seconds(step, repeat, device)
        net.zero_grad()
    return rows


def whole(args: Args) -> dict[str, float]:
    """Of `animate`, without tracking."""
    from reenact.head.open import open_head
    from reenact.pipeline import AnimateOptions, bundled_performance, make_generator, read_portrait
    from reenact.tracking import load_motion
    from reenact.transfer.retarget import retarget

    motion = bundled_performance("talking")
    assert motion is not None
    model = open_head()
    rows = {}
    for size in (256, 512):
        portrait = read_portrait(model, PHOTO, AnimateOptions(crop=True, size=size))
        states = retarget(model, load_motion(motion), portrait.receiver, "relative", {})[:34]
        for name in ("warp", "compact"):
            options = GeneratorOptions(name, weights=args.weights, device=args.device)
            frames = make_generator(portrait, options).frames(states)
            for _ in range(10):
                next(frames)
            begun = time.perf_counter()
            done = sum(1 for _ in frames)
            rows[f"whole, {name}, s a frame at {size} px"] = (time.perf_counter() - begun) / done
    return rows


if __name__ == "__main__":
    main(tyro.cli(Args, description=__doc__))
