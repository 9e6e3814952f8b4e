# SPDX-License-Identifier: Apache-2.0
"""A person's own head as a glTF 2.0 binary: neutral, texture, 52 morph targets, eyes that turn, the motion.

Canonical head space (metres, x to the subject's left, y up, z out of the face) is glTF's own: the front of an asset
faces +z. Eyeballs are nodes of their own, below the head's, with their origin in their centre; the eyeLook targets
move the lids only, so that a look is told twice and drawn once. Dynamic offsets D_f change from frame to frame and are
no combination of targets: they are left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from reenact import __version__
from reenact.head.arkit import ACTIONS
from reenact.head.regions import EYEBALL
from reenact.head.subject import Subject

from .export_mesh import Detail, Shape, shape_of
from .glb_writer import GlbWriter
from .gltf_animation import add_animation, add_camera
from .lash_strands import lash_picture
from .store import packed_texture
from .texture import plain_texture, require_motion

EYE_NODES: Final = ("leftEye", "rightEye")


@dataclass(frozen=True)
class Part:
    """Some regions of the head that share a material."""

    regions: tuple[str, ...]
    roughness: float


_EYES, _LASHES = "eyes", "lashes"
PARTS: Final = {
    "skin": Part(("skin", "neck", "ears", "eyelids", "lips", "eye_socket"), 0.65),
    "mouth": Part(("mouth_cavity", "tongue"), 0.45),
    "teeth": Part(("teeth_upper", "teeth_lower"), 0.30),
    _LASHES: Part(("eyelashes",), 0.95),
    _EYES: Part(EYEBALL, 0.15),
}
"""Materials by name."""


def head_to_glb(subject: Subject, detail: Detail) -> bytes:
    """The bytes of a .glb file.

    Nodes: `head` (the mesh, whose morph targets bear ARKit's names), `leftEye` and `rightEye` below it, and `camera`.
    At rest the head is at the origin and looks along +z; the animation puts it where the camera saw it.
    """
    texture = plain_texture(subject) if subject.texture is None else subject.texture
    shape, motion = shape_of(subject, detail), require_motion(subject)
    out = GlbWriter(f"reenact {__version__}")
    material = _materials(out, texture)
    primitives = []
    for name, part in PARTS.items():
        if name != _EYES:
            rows = shape.rows(*part.regions)
            places = (shape.lashes, shape.faces) if name == _LASHES else (shape.atlas.uv, shape.atlas.faces)
            primitive, vertex = _primitive(out, shape, rows, places, material[name])
            primitive["targets"] = [{"POSITION": out.displacements(target[vertex])} for target in shape.targets]
            primitives.append(primitive)
    mesh = {"name": "head", "primitives": primitives, "weights": [0.0] * len(ACTIONS)}
    mesh["extras"] = {"targetNames": list(ACTIONS)}
    node = out.add("nodes", {"name": "head", "mesh": out.add("meshes", mesh)})
    eyes = [_eye(out, shape, side, material[_EYES]) for side in (0, 1)]
    out.entry("nodes", node)["children"] = eyes
    add_animation(out, motion, subject.head.gaze_limits, node, eyes)
    out.set_scene([node, add_camera(out, motion)])
    return out.to_bytes()


def _materials(out: GlbWriter, texture: Tensor) -> dict[str, int]:
    # Clamped, with mipmaps: 33071 CLAMP_TO_EDGE, 9987 LINEAR_MIPMAP_LINEAR.
    sampler = out.add("samplers", {"magFilter": 9729, "minFilter": 9987, "wrapS": 33071, "wrapT": 33071})
    pictures = {}
    for name, kind, content in (("skin", "jpeg", packed_texture(texture)), (_LASHES, "png", lash_picture())):
        view = out.bytes_view(content)
        image = out.add("images", {"name": name, "mimeType": f"image/{kind}", "bufferView": view})
        pictures[name] = out.add("textures", {"source": image, "sampler": sampler})
    materials = {}
    for name, part in PARTS.items():
        surface = {
            "baseColorTexture": {"index": pictures.get(name, pictures["skin"])},
            "metallicFactor": 0.0,
            "roughnessFactor": part.roughness,
        }
        strands = {"alphaMode": "BLEND", "doubleSided": True} if name == _LASHES else {}
        materials[name] = out.add("materials", {"name": name, "pbrMetallicRoughness": surface, **strands})
    return materials


def _primitive(
    out: GlbWriter,
    shape: Shape,
    rows: NDArray[np.intp],
    places: tuple[NDArray[np.float32], NDArray[np.integer]],
    material: int,
    origin: NDArray[np.float32] | None = None,
) -> tuple[dict[str, Any], NDArray[np.integer]]:
    """Triangles `rows` as a primitive, and which vertex each of its own is.

    places: texture coordinates (v up) and the faces that index them. A vertex with two places becomes two, which move
    alike and have one normal.
    """
    uv, uv_faces = places
    corners = np.stack([shape.faces[rows].ravel(), uv_faces[rows].ravel()], axis=1)
    pairs, where = np.unique(corners, axis=0, return_inverse=True)
    vertex, place = pairs.T
    points = shape.neutral[vertex] - (0.0 if origin is None else origin)
    primitive = {
        "attributes": {
            "POSITION": out.attribute(points, bounds=True),
            "NORMAL": out.attribute(shape.normals[vertex]),
            # glTF counts v from the top of the picture.
            "TEXCOORD_0": out.attribute(np.stack([uv[place, 0], 1.0 - uv[place, 1]], axis=1)),
        },
        "indices": out.indices(where.reshape(-1, 3)),
        "material": material,
    }
    return primitive, vertex


def _eye(out: GlbWriter, shape: Shape, side: int, material: int) -> int:
    """Node of an eyeball (0: the subject's left), its origin in the middle of the ball."""
    centre = shape.eyes[side]
    ball, _ = _primitive(out, shape, shape.eyeball(side), (shape.atlas.uv, shape.atlas.faces), material, origin=centre)
    mesh = out.add("meshes", {"name": EYE_NODES[side], "primitives": [ball]})
    return out.add("nodes", {"name": EYE_NODES[side], "mesh": mesh, "translation": centre.tolist()})
