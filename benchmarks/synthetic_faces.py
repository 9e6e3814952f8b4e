# SPDX-License-Identifier: Apache-2.0
"""Do detectors take synthetic people for people? ``python -m benchmarks.synthetic_faces [--out FOLDER]``.

Shows MediaPipe (as the tracker uses it) and, where installed, dlib's frontal detector 40 people in the midst of a
performance at 256 px, and compares MediaPipe's landmarks with the true ones. Contact sheets go to
FOLDER (out/synthetic).
"""

import argparse
import importlib
import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from reenact.lab.synthetic import SyntheticFrames, made_up, random_scene, render_portraits, synthetic_person
from reenact.perception import detect_faces
from reenact.tracking.scheme import FACE_OVAL

PEOPLE, SIZE, FRAME = 40, 256, 12
AGES = (1.0, 8.0, 20.0, 45.0, 80.0)
OUTRIGHT = 0.10  # of the face's height: such a landmark error is a face put somewhere else


def crowd(first: int, count: int, age: float | None = None) -> SyntheticFrames:
    """Portraits of consecutive seeds, each caught in another performance."""
    people = [synthetic_person(seed, age=age) for seed in range(first, first + count)]
    scenes = [random_scene(seed) for seed in range(first, first + count)]
    states = [made_up(p.seed, FRAME + 1).by(p, s)[FRAME] for p, s in zip(people, scenes, strict=True)]
    return render_portraits(people, states, scenes, SIZE)


def sheet(images: np.ndarray, columns: int, path: Path) -> None:
    """Write pictures [F, H, W, 3] side by side; what does not fill a row is left out."""
    rows = [np.concatenate(list(images[i : i + columns]), 1) for i in range(0, len(images) - columns + 1, columns)]
    Image.fromarray(np.concatenate(rows)).save(path)


def performers(path: Path) -> None:
    """The same performance, given by five people of different ages."""
    acted, frames = made_up(3, 120), range(4, 120, 15)
    rows = []
    for seed, age in zip((5, 8, 9, 10, 11), AGES, strict=True):
        person, scene = synthetic_person(seed, age=age), random_scene(seed)
        states = acted.by(person, scene)
        rows.append(render_portraits([person], [states[i] for i in frames], [scene], SIZE, rest=[states[0]]).images)
    sheet(np.concatenate(rows), len(frames), path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("out/synthetic"))
    out: Path = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    frames = crowd(0, PEOPLE)
    sheet(frames.images[:24], 6, out / "people.png")
    sheet(np.concatenate([crowd(100 + 6 * i, 6, age).images for i, age in enumerate(AGES)]), 6, out / "ages.png")
    performers(out / "performance.png")
    inner = np.setdiff1d(np.arange(478), FACE_OVAL)
    errors = []
    for image, truth in zip(frames.images, frames.landmarks, strict=True):
        found = detect_faces(image)
        if found:
            apart = np.linalg.norm(found[0].points - truth[:, :2], axis=1)[inner]
            errors.append(float(np.median(apart) / np.ptp(truth[:, 1])))
    right = [e for e in errors if e < OUTRIGHT]
    print(f"MediaPipe: {len(errors)} of {PEOPLE} found, {len(errors) - len(right)} of them put wrong")
    print(f"landmarks: median error {100 * np.median(errors):.2f} % of the face's height")
    if importlib.util.find_spec("dlib") is not None:
        detector: Any = importlib.import_module("dlib").get_frontal_face_detector()
        seen = sum(len(detector(np.ascontiguousarray(image), 1)) > 0 for image in frames.images)
        print(f"dlib: {seen} of {PEOPLE} found")


if __name__ == "__main__":
    main()
