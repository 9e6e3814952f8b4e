# SPDX-License-Identifier: Apache-2.0
"""Take frames as tensors: all at once, as a stream, and from a pipeline with a component of one's own.

    python examples/04_frames_as_tensors.py

Writes 04_frames.png: a row of frames from `reenact.animate`, and below it the same moments from a pipeline whose
generator shows the normals that it is given.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

import reenact
from reenact.generator.choice import GeneratorOptions
from reenact.head.subject import Reference, Subject
from reenact.media.files import asset
from reenact.pipeline import AnimateOptions
from reenact.rendering import normals_to_picture
from reenact.rendering.head_renderer import MapStream


class NormalsGenerator:
    """A generator that shows the head instead of the person; see `generator.choice.Generator`."""

    def __init__(self, subject: Subject, reference: Reference, options: GeneratorOptions) -> None:
        self.camera = reference.camera

    def frames(self, motion: reenact.Motion, maps: MapStream) -> Iterator[Tensor]:
        return (torch.from_numpy(normals_to_picture(frame.normals[0])) for frame in maps(self.camera))


def main(out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    subject = reenact.fit_subject(asset("demo/astronaut.jpg"))
    motion = reenact.track("laughing")[::18]
    frames = reenact.animate(subject, motion, crop=True, size=192)  # all at once: [F, H, W, 3] uint8
    print(f"{tuple(frames.shape)} of {frames.dtype}")

    pipeline = reenact.Pipeline(generator=NormalsGenerator)
    stream = pipeline(subject, motion, AnimateOptions(crop=True, size=192))  # one at a time: [H, W, 3] uint8
    normals = torch.stack(list(stream))

    rows = [torch.cat(list(row), dim=1) for row in (frames, normals)]
    reenact.save(torch.cat(rows), out / "04_frames.png")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "out", help="folder to write into")
    main(parser.parse_args().out)
