# SPDX-License-Identifier: Apache-2.0
"""Fit a personal head to one photo and render its normals at the finest level of detail.

    python examples/02_normals_of_a_personal_head.py

Writes 02_normals.png: the photo, the coarse subject (coefficients of the head model alone), and the personal subject
(with static and dynamic offsets from dense normals), both as level 2 meshes; and 02_personal.head.
"""

import argparse
from pathlib import Path

import reenact
from reenact.media import SquareCrop, read_image, side_by_side
from reenact.media.files import asset
from reenact.rendering import normals_to_picture


def main(out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    photo = read_image(asset("demo/astronaut.jpg"))
    coarse = reenact.fit_subject(photo)
    personal = reenact.fit_subject(photo, detail="personal")
    reenact.save(personal, out / "02_personal.head")

    square = SquareCrop(x0=106, y0=0, size=240, output_px=480)  # head and collar
    pictures = [square.extract(photo)]
    for subject in (coarse, personal):
        assert subject.motion is not None  # what the subject does in the photo
        camera = subject.camera.cropped(square.x0, square.y0, square.size, square.output_px)
        normals = reenact.render(subject, subject.motion, camera, level=2).normals
        pictures.append(normals_to_picture(normals[0]))
    reenact.save(side_by_side(pictures, height=480), out / "02_normals.png")

    assert personal.static_offset is not None
    farthest = 1000 * float(personal.static_offset.norm(dim=1).max())
    print(f"{len(personal.neutral(level=2))} vertices; static offset: at most {farthest:.1f} mm")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "out", help="folder to write into")
    main(parser.parse_args().out)
