# SPDX-License-Identifier: Apache-2.0
"""The container of a glTF 2.0 binary: numbers laid into one buffer, and the JSON that says where they are.

Written here and not with a library: none that is kept up writes the sparse accessors which keep 52 morph targets small.
"""

from __future__ import annotations

import json
import struct
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

_TYPES: Final = {1: "SCALAR", 2: "VEC2", 3: "VEC3", 4: "VEC4"}
_COMPONENTS: Final = {np.dtype(np.uint16): 5123, np.dtype(np.uint32): 5125, np.dtype(np.float32): 5126}
_ATTRIBUTE, _INDEX = 34962, 34963
_JSON, _BIN = 0x4E4F534A, 0x004E4942


class GlbWriter:
    """One glTF asset. Lists of the JSON (`nodes`, `meshes` ...) are appended to by `add`, which returns the index."""

    def __init__(self, generator: str) -> None:
        self._json: dict[str, Any] = {"asset": {"version": "2.0", "generator": generator}}
        self._data = bytearray()

    def add(self, kind: str, entry: dict[str, Any]) -> int:
        """Append an entry to one of the top-level lists: its index in it."""
        entries = self._json.setdefault(kind, [])
        entries.append(entry)
        return len(entries) - 1

    def entry(self, kind: str, index: int) -> dict[str, Any]:
        """An entry added before, to be completed."""
        return self._json[kind][index]

    def set_scene(self, nodes: list[int]) -> None:
        """Make a scene of the root nodes, the one that is shown."""
        self._json["scene"] = self.add("scenes", {"nodes": nodes})

    def bytes_view(self, data: bytes) -> int:
        """Bufferview of raw bytes, as of an image file."""
        return self._view(data, None)

    def attribute(self, values: NDArray[np.float32], *, bounds: bool = False) -> int:
        """Accessor of a vertex attribute [N, 2 or 3]; bounds: say its smallest and largest, as positions must."""
        return self._accessor(np.ascontiguousarray(values, np.float32), _ATTRIBUTE, bounds)

    def indices(self, triangles: NDArray[np.integer]) -> int:
        """Accessor of triangles [G, 3], in 16 bits where they suffice."""
        flat = np.ascontiguousarray(triangles).ravel()
        # The largest 16-bit index is kept free: it restarts strips.
        small = flat.max() < np.iinfo(np.uint16).max
        return self._accessor(flat.astype(np.uint16 if small else np.uint32), _INDEX, False)

    def samples(self, values: NDArray[np.floating], *, bounds: bool = False) -> int:
        """Accessor of an animation's times [K] or values [K] or [K, C]; bounds: as times must have."""
        return self._accessor(np.ascontiguousarray(values, np.float32), None, bounds)

    def displacements(self, values: NDArray[np.float32]) -> int:
        """Accessor of a morph target [N, 3]: only its rows that are not 0 take room."""
        values = np.ascontiguousarray(values, np.float32)
        rows = np.flatnonzero(values.any(axis=1))
        bounds = {"min": values.min(axis=0).tolist(), "max": values.max(axis=0).tolist()}
        about = {"componentType": 5126, "type": "VEC3", "count": len(values), **bounds}
        if not len(rows):
            return self.add("accessors", about)  # without a view all is 0
        kind = np.uint16 if len(values) <= np.iinfo(np.uint16).max else np.uint32
        if len(rows) * (12 + np.dtype(kind).itemsize) >= 12 * len(values):
            return self._accessor(values, _ATTRIBUTE, True)
        sparse = {
            "count": len(rows),
            "indices": {
                "bufferView": self._view(rows.astype(kind).tobytes(), None),
                "componentType": _COMPONENTS[np.dtype(kind)],
            },
            "values": {"bufferView": self._view(values[rows].tobytes(), None)},
        }
        return self.add("accessors", {**about, "sparse": sparse})

    def to_bytes(self) -> bytes:
        """The whole file."""
        self._align()
        text = json.dumps({**self._json, "buffers": [{"byteLength": len(self._data)}]}, separators=(",", ":")).encode()
        text += b" " * (-len(text) % 4)
        length = 12 + 8 + len(text) + 8 + len(self._data)
        head = struct.pack("<4sII", b"glTF", 2, length) + struct.pack("<II", len(text), _JSON)
        return head + text + struct.pack("<II", len(self._data), _BIN) + bytes(self._data)

    def _accessor(self, values: NDArray[Any], target: int | None, bounds: bool) -> int:
        rows = values.reshape(len(values), -1)
        about: dict[str, Any] = {
            "bufferView": self._view(values.tobytes(), target),
            "componentType": _COMPONENTS[values.dtype],
            "type": _TYPES[rows.shape[1]],
            "count": len(rows),
        }
        if bounds:
            about |= {"min": rows.min(axis=0).tolist(), "max": rows.max(axis=0).tolist()}
        return self.add("accessors", about)

    def _view(self, data: bytes, target: int | None) -> int:
        self._align()
        view: dict[str, Any] = {"buffer": 0, "byteOffset": len(self._data), "byteLength": len(data)}
        if target is not None:
            view["target"] = target
        self._data += data
        return self.add("bufferViews", view)

    def _align(self) -> None:
        """Every view, and the whole, begins and ends on four bytes."""
        self._data += bytes(-len(self._data) % 4)
