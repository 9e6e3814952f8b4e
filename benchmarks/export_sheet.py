# SPDX-License-Identifier: Apache-2.0
"""Does each morph target of an exported head do what its name says? A contact sheet to look at.

The .glb is read by pygltflib, not by us. Each of its 52 targets is moved alone, all the way, and drawn; then the first
frames of its performance.

python -m benchmarks.export_sheet person.glb
python -m benchmarks.export_sheet person.glb --yaw 50 --plain
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import tyro
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy.spatial.transform import Rotation

from benchmarks.common import OUT
from benchmarks.read_glb import ReadGlb, ReadPart, read_glb
from reenact.media.image import write_image
from reenact.rendering import Camera, interpolate, interpolate_directions, rasterise, vertex_normals

_OVER = 2  # drawn this much larger
_DISTANCE_M, _TALL_M = 0.9, 0.25
_LOOKS_AT_M = np.asarray([0.0, -0.01, -0.02])
_FLIP = np.asarray([1.0, -1.0, -1.0])  # a camera of glTF looks along -z, y up


@dataclass(frozen=True)
class Arguments:
    """Draw every target of a .glb alone."""

    glb: tyro.conf.Positional[Path]
    """File that `reenact export` has written."""
    yaw: float = 20.0
    """Degrees that the head is turned to its left."""
    cell: int = 256
    """Side of one picture in pixels."""
    columns: int = 8
    """Pictures in a row."""
    plain: bool = False
    """Grey, without the texture: shows the shape."""
    frames: int = 0
    """Moments of the performance to draw after the targets, as its camera sees them."""
    out: Path = OUT / "export"
    """Folder for the sheet."""


class Drawn:
    """The read file as one mesh: the head's parts, then the eyes."""

    def __init__(self, read: ReadGlb) -> None:
        head = read.nodes["head"]
        self.eyes = [read.nodes[name] for name in head.children]
        self.parts: list[ReadPart] = head.parts + [p for eye in self.eyes for p in eye.parts]
        self.count = sum(len(p.points) for p in head.parts)
        offsets = np.cumsum([0, *(len(p.points) for p in self.parts)])
        self.faces = torch.from_numpy(
            np.concatenate([p.faces + start for p, start in zip(self.parts, offsets, strict=False)])
        )
        self.uv = torch.from_numpy(np.concatenate([p.uv for p in self.parts]))
        self.head = np.concatenate([p.points for p in head.parts])
        self.targets = np.concatenate([p.targets for p in head.parts], axis=1)
        self.part = torch.from_numpy(np.repeat(np.arange(len(self.parts)), [len(p.faces) for p in self.parts]))
        # Vertices that a seam of the texture made two of: they share a normal.
        everything = self.points(np.zeros(len(self.targets)))
        _, weld = np.unique(np.round(everything, 6), axis=0, return_inverse=True)
        self.weld = torch.from_numpy(weld.reshape(-1))

    def points(self, weights: NDArray, gaze: tuple[Rotation, Rotation] | None = None) -> NDArray[np.float32]:
        """[N, 3] in the head's space."""
        moved = self.head + np.tensordot(weights, self.targets, axes=1)
        turns = gaze or (Rotation.identity(), Rotation.identity())
        balls = [
            turn.apply(p.points) + eye.translation
            for eye, turn in zip(self.eyes, turns, strict=True)
            for p in eye.parts
        ]
        return np.concatenate([moved, *balls]).astype(np.float32)

    def picture(self, cam: NDArray[np.float32], camera: Camera, plain: bool) -> NDArray[np.uint8]:
        """[H, W, 3] of points [N, 3] in camera space (x right, y down, z away)."""
        points = torch.from_numpy(cam)[None]
        welded = torch.zeros(1, int(self.weld.max()) + 1, 3)
        welded[:, self.weld] = points
        normals = vertex_normals(welded, self.weld[self.faces])[:, self.weld]
        solid = ~torch.isin(self.part, torch.tensor([i for i, p in enumerate(self.parts) if p.blended]))
        colour = torch.full((camera.height, camera.width, 3), 70.0)
        for faces, two_sided in ((torch.nonzero(solid)[:, 0], False), (torch.arange(len(self.part)), True)):
            colour = self._over(colour, points, normals, faces, camera, plain, two_sided)
            if plain:
                break
        height, width = colour.shape[:2]
        small = colour.reshape(height // _OVER, _OVER, width // _OVER, _OVER, 3).mean((1, 3))
        return small.clamp(0, 255).byte().numpy()

    def _over(
        self,
        behind: torch.Tensor,
        points: torch.Tensor,
        normals: torch.Tensor,
        rows: torch.Tensor,
        camera: Camera,
        plain: bool,
        two_sided: bool,
    ) -> torch.Tensor:
        faces = self.faces[rows]
        seen = rasterise(camera.project(points), faces, camera.height, camera.width, cull_back=not two_sided)
        lie = interpolate_directions(normals, faces, seen)[0]
        light = (lie @ torch.nn.functional.normalize(torch.tensor([-0.35, -0.45, -0.85]), dim=0)).clamp(min=0.0)
        covered = (seen.face[0] >= 0)[..., None]
        if plain:
            return torch.where(covered, (60.0 + 190.0 * light)[..., None], behind)
        uv = interpolate(self.uv, faces, seen)[0] * 2.0 - 1.0
        shown = torch.where(covered[..., 0], self.part[rows][seen.face[0].long()], -1)
        for number, part in enumerate(self.parts):
            if part.blended != two_sided:
                continue
            texture = torch.from_numpy(part.texture.astype(np.float32)).permute(2, 0, 1)[None]
            rgba = torch.nn.functional.grid_sample(texture, uv[None], align_corners=False)[0].permute(1, 2, 0)
            share = (shown == number)[..., None] * rgba[..., 3:] / 255.0
            lit = rgba[..., :3] * (0.55 + 0.5 * light)[..., None]
            behind = behind + share * (lit - behind)
        return behind


def main(arguments: Arguments) -> None:
    """Write the sheet."""
    read = read_glb(arguments.glb)
    drawn, names = Drawn(read), read.nodes["head"].target_names
    turn = Rotation.from_euler("y", arguments.yaw, degrees=True)
    side = arguments.cell * _OVER
    camera = Camera(side * _DISTANCE_M / _TALL_M, side / 2, side / 2, side, side)

    def alone(weights: NDArray) -> NDArray[np.uint8]:
        cam = turn.apply(drawn.points(weights) - _LOOKS_AT_M) * _FLIP + [0.0, 0.0, _DISTANCE_M]
        return drawn.picture(cam.astype(np.float32), camera, arguments.plain)

    every = np.eye(len(names))
    cells = [_labelled(alone(np.zeros(len(names))), "neutral")]
    cells += [_labelled(alone(weights), name) for weights, name in zip(every, names, strict=True)]
    times = read.channels["head", "weights"][0]
    for i in np.linspace(0, len(times) - 1, arguments.frames).astype(int):
        cells.append(_labelled(_performed(drawn, read, int(i), side, arguments.plain), f"{times[i]:.3f} s"))
    cells += [np.zeros_like(cells[0])] * (-len(cells) % arguments.columns)
    rows = [np.concatenate(cells[i : i + arguments.columns], 1) for i in range(0, len(cells), arguments.columns)]
    arguments.out.mkdir(parents=True, exist_ok=True)
    sheet = arguments.out / f"{arguments.glb.stem}-{'plain' if arguments.plain else 'targets'}-{arguments.yaw:g}.png"
    write_image(sheet, np.concatenate(rows))
    print(f"{len(names)} targets of {arguments.glb}, {read.sparse} sparse accessors: wrote {sheet}")


def _performed(drawn: Drawn, read: ReadGlb, frame: int, side: int, plain: bool) -> NDArray[np.uint8]:
    """A moment of the animation, by the file's own camera, the picture's middle square."""
    channel = {key: values[frame] for key, (_, values) in read.channels.items()}
    eyes = (Rotation.from_quat(channel[eye.name, "rotation"]) for eye in drawn.eyes)
    points = drawn.points(channel["head", "weights"], (next(eyes), next(eyes)))
    placed = Rotation.from_quat(channel["head", "rotation"]).apply(points) + channel["head", "translation"]
    focal = 0.5 * side / np.tan(read.yfov / 2)
    return drawn.picture((placed * _FLIP).astype(np.float32), Camera(focal, side / 2, side / 2, side, side), plain)


def _labelled(picture: NDArray[np.uint8], text: str) -> NDArray[np.uint8]:
    image = Image.fromarray(picture)
    ImageDraw.Draw(image).text((4, 2), text, fill=(255, 255, 120))
    return np.asarray(image)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(tyro.cli(Arguments))
