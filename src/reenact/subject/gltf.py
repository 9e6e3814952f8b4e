# SPDX-License-Identifier: Apache-2.0
"""A person's own head as a glTF 2.0 binary: neutral, texture, 52 morph targets, eyes that turn, the motion.

Canonical head space (metres, x to the subject's left, y up, z out of the face) is glTF's own: the front of an asset
faces +z. Eyeballs are nodes of their own, below the head's, with their origin in their centre; the eyeLook targets
move the lids only, so that the gaze acts on the eyes once. Dynamic offsets D_f change from frame to frame and are no
combination of targets: they are left out.

A motion is an animation: weights of the morph targets, pose of the head, rotation of the eyes, and the camera. Its
camera has OpenCV's axes (x right, y down, z away); a camera of glTF looks along its -z, y up. The change is
C = diag(1, -1, -1), a half turn about x, so X_gltf = C (R X_head + t): the head's node turns by C R and stands at C t,
metres, in front of a camera at the origin. The head's own axes need no change.
"""

from __future__ import annotations

import io
import math
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.spatial.transform import Rotation
from torch import Tensor

from reenact import __version__
from reenact.head.arkit import ACTIONS
from reenact.head.gaze import gaze_rotations, with_look_activations
from reenact.head.motion import Motion
from reenact.head.regions import EYEBALL
from reenact.head.subject import Subject

from .export_mesh import Detail, Shape, shape_of
from .glb_writer import GlbWriter
from .store import packed_texture
from .texture import plain_texture, require_motion

EYE_NODES: Final = ("leftEye", "rightEye")
_EYES, _LASHES = "eyes", "lashes"
PARTS: Final = {
    "skin": (("skin", "neck", "ears", "eyelids", "lips", "eye_socket"), 0.65),
    "mouth": (("mouth_cavity", "tongue"), 0.45),
    "teeth": (("teeth_upper", "teeth_lower"), 0.30),
    _LASHES: (("eyelashes",), 0.95),
    _EYES: (EYEBALL, 0.15),
}
"""The regions and the roughness of each material."""

_FLIP = np.asarray([1.0, -1.0, -1.0])  # C
_NEAR_M = 0.01
_LASH_PX, _LASH_HAIRS, _LASH_SEED = (64, 256), 46, 4
_LASH_COLOUR = (30, 23, 20)
_LASH_ROOT, _LASH_TIP = 0.0105, 0.0025  # half the width of a hair, of the band's length
_LASH_CURVE = 0.05  # how far a tip leans outwards
_LASH_DENSEST = 0.95


def head_to_glb(subject: Subject, detail: Detail) -> bytes:
    """Write a subject as the bytes of a .glb file.

    Nodes: `head` (the mesh, whose morph targets bear ARKit's names), `leftEye` and `rightEye` below it, and `camera`.
    At rest the head is at the origin and looks along +z; the animation puts it where the camera saw it.
    """
    texture = plain_texture(subject) if subject.texture is None else subject.texture
    shape, motion = shape_of(subject, detail), require_motion(subject)
    out = GlbWriter(f"reenact {__version__}")
    material = _materials(out, texture)
    primitives = []
    for name, (regions, _) in PARTS.items():
        if name != _EYES:
            rows = shape.rows(*regions)
            places = (shape.lashes, shape.faces) if name == _LASHES else (shape.atlas.uv, shape.atlas.faces)
            primitive, vertex = _primitive(out, shape, rows, places, material[name])
            primitive["targets"] = [{"POSITION": out.displacements(target[vertex])} for target in shape.targets]
            primitives.append(primitive)
    mesh = {"name": "head", "primitives": primitives, "weights": [0.0] * len(ACTIONS)}
    mesh["extras"] = {"targetNames": list(ACTIONS)}
    node = out.add("nodes", {"name": "head", "mesh": out.add("meshes", mesh)})
    eyes = [_eye(out, shape, side, material[_EYES]) for side in (0, 1)]
    out.entry("nodes", node)["children"] = eyes
    _add_animation(out, motion, subject.head.gaze_limits, node, eyes)
    out.set_scene([node, _add_camera(out, motion)])
    return out.to_bytes()


def _materials(out: GlbWriter, texture: Tensor) -> dict[str, int]:
    # Clamped, with mipmaps: 33071 CLAMP_TO_EDGE, 9987 LINEAR_MIPMAP_LINEAR.
    sampler = out.add("samplers", {"magFilter": 9729, "minFilter": 9987, "wrapS": 33071, "wrapT": 33071})
    pictures = {}
    for name, kind, content in (("skin", "jpeg", packed_texture(texture)), (_LASHES, "png", _lash_picture())):
        view = out.bytes_view(content)
        image = out.add("images", {"name": name, "mimeType": f"image/{kind}", "bufferView": view})
        pictures[name] = out.add("textures", {"source": image, "sampler": sampler})
    materials = {}
    for name, (_, roughness) in PARTS.items():
        surface = {
            "baseColorTexture": {"index": pictures.get(name, pictures["skin"])},
            "metallicFactor": 0.0,
            "roughnessFactor": roughness,
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
    """Make a primitive of triangles `rows`, and return which vertex each of its own is.

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
    """Add the node of an eyeball (0: the subject's left), its origin in the middle of the ball."""
    centre = shape.eyes[side]
    ball, _ = _primitive(out, shape, shape.eyeball(side), (shape.atlas.uv, shape.atlas.faces), material, origin=centre)
    mesh = out.add("meshes", {"name": EYE_NODES[side], "primitives": [ball]})
    return out.add("nodes", {"name": EYE_NODES[side], "mesh": mesh, "translation": centre.tolist()})


def _lash_picture() -> bytes:
    """Render single lashes as a PNG with transparency, [64, 256]; its top row is v = 1, the tips."""
    draw = np.random.default_rng(_LASH_SEED)
    u = (np.arange(_LASH_PX[1]) + 0.5)[None] / _LASH_PX[1]
    v = 1.0 - (np.arange(_LASH_PX[0]) + 0.5)[:, None] / _LASH_PX[0]
    clear = np.ones((_LASH_PX[0], _LASH_PX[1]))
    for root in (np.arange(_LASH_HAIRS) + draw.uniform(0.2, 0.8, _LASH_HAIRS)) / _LASH_HAIRS:
        length = draw.uniform(0.65, 1.0) * (0.55 + 0.45 * np.sin(np.pi * root))
        lean = _LASH_CURVE * (root - 0.35 + draw.normal(0.0, 0.35))
        middle = root + lean * v**2
        half = np.maximum(_LASH_ROOT + (_LASH_TIP - _LASH_ROOT) * v / length, 1e-4)
        hair = np.clip(1.5 - np.abs(u - middle) / half, 0.0, 1.0) * np.clip((length - v) * 12.0, 0.0, 1.0)
        clear *= 1.0 - _LASH_DENSEST * hair
    picture = np.empty((_LASH_PX[0], _LASH_PX[1], 4), np.uint8)
    picture[..., :3] = _LASH_COLOUR
    picture[..., 3] = np.round(255.0 * (1.0 - clear))
    packed = io.BytesIO()
    Image.fromarray(picture).save(packed, format="PNG")
    return packed.getvalue()


def _frame_times(track: Motion) -> NDArray[np.float32]:
    """Return the time of each frame [F], s: its number in the source divided by the exact frame rate, rounded once."""
    return np.asarray([float(int(frame) / track.fps) for frame in track.require_clip().frame], np.float32)


def _add_animation(out: GlbWriter, track: Motion, gaze_limits: Tensor, head: int, eyes: list[int]) -> None:
    """Add the animation of F frames. head, eyes: indices of the nodes, the subject's left eye first."""
    times = out.samples(_frame_times(track), bounds=True)
    codes = with_look_activations(track.expression, track.gaze, gaze_limits).numpy()
    moves = [
        (head, "weights", codes.ravel()),
        (head, "rotation", _quaternions(_FLIP[:, None] * track.rotation.numpy())),
        (head, "translation", _FLIP * track.translation.numpy()),
    ]
    moves += [(node, "rotation", _quaternions(gaze_rotations(track.gaze[:, i]).numpy())) for i, node in enumerate(eyes)]
    samplers, channels = [], []
    for node, path, values in moves:
        channels.append({"sampler": len(samplers), "target": {"node": node, "path": path}})
        samplers.append({"input": times, "output": out.samples(values), "interpolation": "LINEAR"})
    out.add("animations", {"name": "performance", "samplers": samplers, "channels": channels})


def _add_camera(out: GlbWriter, track: Motion) -> int:
    """Add the node of the first shot's camera, at the origin."""
    clip = track.require_clip()
    lens = {
        "aspectRatio": clip.width / clip.height,
        "yfov": 2.0 * math.atan(0.5 * clip.height / float(clip.focal_px[0])),
        "znear": _NEAR_M,
    }
    camera = out.add("cameras", {"name": "camera", "type": "perspective", "perspective": lens})
    return out.add("nodes", {"name": "camera", "camera": camera})


def _quaternions(rotations: NDArray[np.floating]) -> NDArray[np.float64]:
    """Convert [F, 3, 3] to [F, 4] x, y, z, w; of the two that mean the same, the one nearer to the frame before."""
    found = Rotation.from_matrix(rotations).as_quat()
    turned = (found[1:] * found[:-1]).sum(axis=1) < 0.0
    found[1:] *= np.where(np.cumsum(turned) % 2 == 1, -1.0, 1.0)[:, None]
    return found
