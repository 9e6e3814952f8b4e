# SPDX-License-Identifier: Apache-2.0
"""Milliseconds a frame of the warp generator, whole and by stage, on the demo photo and a bundled performance.

    python benchmarks/warp_speed.py [--size 512] [--frames 120] [--motion laughing]

The output is a square of `size` pixels. Stages are timed in a second pass, so that timing them does not slow the first.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2

from benchmarks.common import provenance
from reenact.generator.warp.generator import warp
from reenact.head.open import open_head
from reenact.pipeline import AnimateOptions, bundled_performance, make_warp, read_portrait
from reenact.tracking import load_motion
from reenact.transfer.retarget import retarget

PHOTO = Path(__file__).parents[1] / "src/reenact/assets/demo/astronaut.jpg"
CORES = 2
WARM_UP = 3


def main() -> None:
    parser = argparse.ArgumentParser(description="Milliseconds a frame of the warp generator.")
    parser.add_argument("--size", type=int, default=512, help="side of the output, px")
    parser.add_argument("--frames", type=int, default=120)
    parser.add_argument("--motion", default="laughing", help="a bundled performance")
    wanted = parser.parse_args()
    cv2.setNumThreads(CORES)

    motion = bundled_performance(wanted.motion)
    if motion is None:
        parser.error(f"no bundled performance is called {wanted.motion}")
    model = open_head()
    portrait = read_portrait(model, PHOTO, AnimateOptions(crop=True, size=wanted.size))
    states = retarget(model, load_motion(motion), portrait.receiver, "relative", {})
    states = (states * (1 + (wanted.frames + WARM_UP) // len(states)))[: wanted.frames + WARM_UP]

    start = time.perf_counter()
    generator = make_warp(portrait)
    built_s = time.perf_counter() - start
    for state in states[:WARM_UP]:
        generator.render(state)
    start = time.perf_counter()
    for state in states[WARM_UP:]:
        generator.render(state)
    frame_s = (time.perf_counter() - start) / wanted.frames

    about = provenance()
    print(f"{about['machine']}, {CORES} threads, commit {about['commit'][:12]}")
    print(f"{wanted.size} x {wanted.size}, {wanted.motion}, {wanted.frames} frames; built in {built_s:.2f} s")
    print(f"{1000 * frame_s:6.1f} ms a frame = {1 / frame_s:.1f} frames/s")
    for name, seconds in stages(generator, states[WARM_UP:]).items():
        print(f"{1000 * seconds / wanted.frames:6.1f} ms {name}")


def stages(generator: warp.WarpGenerator, states: list[Any]) -> dict[str, float]:
    """Seconds spent in each part of `render`, over all states."""
    spent: dict[str, float] = defaultdict(float)

    def timed(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            start = time.perf_counter()
            result = function(*arguments, **named)
            spent[name] += time.perf_counter() - start
            return result

        return call

    # Private names: a benchmark may know the insides that it measures.
    sheet, skin = generator._sheet, generator._skin
    warp.moment = timed("pose the rig", warp.moment)
    object.__setattr__(sheet, "draw", timed("draw the sheet", sheet.draw))
    warp.remap = timed("remap the photo", warp.remap)
    warp.draw = timed("draw the face", warp.draw)
    object.__setattr__(skin, "overlay", timed("skin", skin.overlay))
    for window in generator._windows:
        name = "mouth" if isinstance(window, warp.MouthWindow) else "eyes"
        window.compose = timed(name, window.compose)
    start = time.perf_counter()
    for state in states:
        generator.render(state)
    spent["the rest"] = time.perf_counter() - start - sum(spent.values())
    return dict(spent)


if __name__ == "__main__":
    main()
