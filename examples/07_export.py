# SPDX-License-Identifier: Apache-2.0
"""Export a subject to .head and .glb and a motion to .csv, and read all three back.

    python examples/07_export.py

Writes 07_clip.mp4, 07_subject.head, 07_subject.glb (glTF: mesh, 52 morph targets, animation), 07_motion.csv (the layout
of Live Link Face), and 07_glb.png: the normals of the mesh in the .glb from three sides, rendered by the rasteriser.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
import trimesh
from scipy.spatial.transform import Rotation

import reenact
from reenact.head.arkit import index
from reenact.media.files import asset
from reenact.rendering import Camera, normals_to_picture, render_head_maps

CAMERA = Camera(focal_px=900.0, cx=128.0, cy=128.0, width=256, height=256)
DISTANCE_M = 1.0


def normals(mesh: trimesh.Trimesh, yaw_deg: float) -> torch.Tensor:
    """Render a glTF mesh (y up, front along +z, metres) that is turned about its vertical axis: [256, 256, 3] uint8."""
    turn = Rotation.from_euler("YX", [yaw_deg, 180.0], degrees=True).as_matrix()  # to camera axes (y down, z away)
    points = (mesh.vertices - mesh.bounds.mean(axis=0)) @ turn + (0.0, 0.0, DISTANCE_M)
    faces = torch.from_numpy(np.array(mesh.faces))
    regions = torch.zeros(len(faces), dtype=torch.uint8)
    maps = render_head_maps(torch.from_numpy(points).float()[None], faces, CAMERA, regions=regions)
    return torch.from_numpy(normals_to_picture(maps.normals[0]))


def main(out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    clip = out / "07_clip.mp4"
    reenact.animate(asset("demo/astronaut.jpg"), reenact.track("smile")[10:34:2], clip, crop=True, size=256)
    subject = reenact.fit_subject(clip)
    assert subject.motion is not None  # what the subject does in the clip

    reenact.save(subject, out / "07_subject.head")
    loaded = reenact.load(out / "07_subject.head")
    assert isinstance(loaded, reenact.Subject)
    print(f".head: the neutral differs by {float((loaded.neutral() - subject.neutral()).abs().max()):.1e} m")

    reenact.save(subject.motion, out / "07_motion.csv")
    motion = reenact.load(out / "07_motion.csv")
    assert isinstance(motion, reenact.Motion)
    print(f".csv: {len(motion)} frames; jawOpen up to {float(motion.expression[:, index('jawOpen')].max()):.2f}")

    reenact.save(subject, out / "07_subject.glb")
    mesh = trimesh.load_scene(out / "07_subject.glb").to_mesh()
    print(f".glb: {len(mesh.vertices)} vertices, {len(mesh.faces)} triangles")
    reenact.save(torch.cat([normals(mesh, yaw) for yaw in (-40.0, 0.0, 40.0)], dim=1), out / "07_glb.png")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "out", help="folder to write into")
    main(parser.parse_args().out)
