# SPDX-License-Identifier: Apache-2.0
"""A .glb file read by somebody else's code (pygltflib), and nothing of ours: what the export is checked with."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pygltflib import GLTF2, Accessor

_KINDS = {5121: np.uint8, 5123: np.uint16, 5125: np.uint32, 5126: np.float32}
_WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4}


@dataclass(frozen=True)
class ReadPart:
    """A primitive: N vertices, G triangles, A morph targets."""

    material: str
    points: NDArray[np.float32]  # [N, 3]
    normals: NDArray[np.float32]  # [N, 3]
    uv: NDArray[np.float32]  # [N, 2] v down
    faces: NDArray[np.int64]  # [G, 3]
    targets: NDArray[np.float32]  # [A, N, 3]
    texture: NDArray[np.uint8]  # [H, W, 4] of the material, opaque where the file says nothing else
    blended: bool  # the material is drawn over what is behind it


@dataclass(frozen=True)
class ReadNode:
    """A node and its mesh."""

    name: str
    translation: NDArray[np.float64]  # [3]
    parts: list[ReadPart]
    target_names: list[str]
    children: list[str]


@dataclass(frozen=True)
class ReadGlb:
    """What a viewer would know."""

    nodes: dict[str, ReadNode]
    channels: dict[tuple[str, str], tuple[NDArray[np.float32], NDArray[np.float32]]]
    """By node and path: times [K] in seconds and values [K, C]."""
    yfov: float
    sparse: int = field(default=0)
    """Accessors of that kind."""


def read_glb(path: Path) -> ReadGlb:
    """Read the first animation, the first camera, and all nodes."""
    file = GLTF2.load_binary(str(path))
    assert file is not None
    blob = bytes(file.binary_blob() or b"")
    nodes = {str(node.name): _node(file, blob, index) for index, node in enumerate(file.nodes)}
    channels = {}
    animation = file.animations[0]
    for channel in animation.channels:
        sampler = animation.samplers[channel.sampler]
        times = _values(file, blob, sampler.input)[:, 0]
        values = _values(file, blob, sampler.output).reshape(len(times), -1)
        channels[str(file.nodes[channel.target.node or 0].name), str(channel.target.path)] = times, values
    sparse = sum(accessor.sparse is not None for accessor in file.accessors)
    lens = file.cameras[0].perspective
    assert lens is not None and lens.yfov is not None
    return ReadGlb(nodes, channels, float(lens.yfov), sparse)


def _node(file: GLTF2, blob: bytes, index: int) -> ReadNode:
    node = file.nodes[index]
    mesh = None if node.mesh is None else file.meshes[node.mesh]
    parts = []
    for primitive in [] if mesh is None else mesh.primitives:
        attributes = primitive.attributes
        points, normals, uv = (
            _values(file, blob, a) for a in (attributes.POSITION, attributes.NORMAL, attributes.TEXCOORD_0)
        )
        faces = _values(file, blob, primitive.indices).astype(np.int64).reshape(-1, 3)
        moved = [_values(file, blob, _position(target)) for target in primitive.targets or []]
        targets = np.stack(moved) if moved else np.zeros((0, *points.shape), np.float32)
        assert primitive.material is not None
        material = file.materials[primitive.material]
        picture, blended = _texture(file, blob, primitive.material), material.alphaMode == "BLEND"
        parts.append(ReadPart(str(material.name), points, normals, uv, faces, targets, picture, blended))
    names = [] if mesh is None else list((mesh.extras or {}).get("targetNames", []))
    place = np.asarray(node.translation or [0.0, 0.0, 0.0])
    return ReadNode(str(node.name), place, parts, names, [str(file.nodes[c].name) for c in node.children or []])


def _position(target: Any) -> int:
    return target["POSITION"]


def _texture(file: GLTF2, blob: bytes, material: int) -> NDArray[np.uint8]:
    surface = file.materials[material].pbrMetallicRoughness
    assert surface is not None and surface.baseColorTexture is not None
    source = file.textures[surface.baseColorTexture.index].source
    assert source is not None
    number = file.images[source].bufferView
    assert number is not None
    view = file.bufferViews[number]
    start = view.byteOffset or 0
    return np.asarray(Image.open(io.BytesIO(blob[start : start + view.byteLength])).convert("RGBA"))


def _values(file: GLTF2, blob: bytes, index: int | None) -> NDArray[np.float32]:
    """[N, C] of an accessor, dense or sparse (glTF 2.0, section 3.6.2.3)."""
    assert index is not None
    accessor: Accessor = file.accessors[index]
    width, count = _WIDTHS[accessor.type], accessor.count
    if accessor.bufferView is None:
        out = np.zeros((count, width), np.float32)
    else:
        out = _raw(file, blob, accessor.bufferView, accessor.byteOffset or 0, accessor.componentType, count * width)
        out = out.reshape(count, width).copy()
    if accessor.sparse is not None:
        where, what = accessor.sparse.indices, accessor.sparse.values
        rows = _raw(file, blob, where.bufferView, where.byteOffset or 0, where.componentType, accessor.sparse.count)
        new = _raw(file, blob, what.bufferView, what.byteOffset or 0, accessor.componentType, len(rows) * width)
        out[rows] = new.reshape(-1, width)
    return out


def _raw(file: GLTF2, blob: bytes, view: int, offset: int, kind: int, count: int) -> NDArray:
    start = (file.bufferViews[view].byteOffset or 0) + offset
    return np.frombuffer(blob, _KINDS[kind], count, start)
