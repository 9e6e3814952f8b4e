# SPDX-License-Identifier: Apache-2.0
"""Fit a subject to two pictures of one person, save it and load it.

    python examples/01_subject_from_photos.py

The second picture is the demo photo with another expression and head pose. Shape and camera are fitted to the first
picture; expression, gaze and head pose to each. Writes 01_second.png, 01_subject.head and 01_subject.png: each picture
beside the normals of the fitted head.
"""

import argparse
from pathlib import Path

import torch

import reenact
from reenact.media import read_image
from reenact.media.files import asset
from reenact.rendering import normals_to_picture


def main(out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    photo = read_image(asset("demo/astronaut.jpg"))[:240, 106:346]  # head and collar
    second = reenact.animate(photo, reenact.track("surprise")[40:41], mode="relative")[0]
    reenact.save(second, out / "01_second.png")

    reenact.save(reenact.fit_subject([photo, second]), out / "01_subject.head")
    subject = reenact.load(out / "01_subject.head")
    assert isinstance(subject, reenact.Subject)

    rows = []
    for reference in subject.references:
        maps = reenact.render(subject, reference.motion, reference.camera)
        rows.append(torch.cat([reference.image, torch.from_numpy(normals_to_picture(maps.normals[0]))], dim=1))
    reenact.save(torch.cat(rows), out / "01_subject.png")
    print(f"shape: {len(subject.shape)} coefficients; face: {1000 * subject.face_size_m:.1f} mm RMS radius")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "out", help="folder to write into")
    main(parser.parse_args().out)
