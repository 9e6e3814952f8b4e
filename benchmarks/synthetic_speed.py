# SPDX-License-Identifier: Apache-2.0
"""How fast synthetic portraits are drawn: ``python -m benchmarks.synthetic_speed``.

Two numbers a size: frames of people whose sheets are painted already, as in a performance, and portraits of new people.
Processor time of one thread, which other work on the machine disturbs less than the clock.
"""

import time

import torch

from reenact.lab.synthetic import made_up, random_scene, render_portraits, still_state, synthetic_person

FRAMES, PEOPLE = 16, 6


def main() -> None:
    torch.set_num_threads(1)
    person, scene = synthetic_person(0), random_scene(0)
    states = made_up(0, FRAMES).by(person, scene)
    render_portraits([person], states[:1], [scene], 64)  # compiles the kernels, makes the charts
    for size in (128, 256, 512):
        start = time.process_time()
        render_portraits([person], states, [scene], size)
        seconds = (time.process_time() - start) / FRAMES
        print(f"{size} px: {1 / seconds:.1f} frames/s of one person ({1e3 * seconds:.0f} ms a frame)")
    start = time.process_time()
    for seed in range(1, 1 + PEOPLE):
        someone, place = synthetic_person(seed), random_scene(seed)
        render_portraits([someone], [still_state(someone, place)], [place], 256)
    seconds = (time.process_time() - start) / PEOPLE
    print(f"256 px: {1 / seconds:.2f} portraits/s of new people ({1e3 * seconds:.0f} ms each)")


if __name__ == "__main__":
    main()
