# SPDX-License-Identifier: Apache-2.0
"""Dynamic offsets as a subject's own face makes them: the shipped transfer network at work (paper, section 2)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Literal

import torch
from scipy.spatial import KDTree
from torch import Tensor

from reenact.head.levels import open_levels
from reenact.head.motion import Motion
from reenact.head.open import OpenHead
from reenact.head.regions import region_ids
from reenact.head.shape import HeadShape
from reenact.head.smoothstep import smoothstep
from reenact.head.state import codes_of, vertex_offset
from reenact.head.subject import Subject
from reenact.media import InputError, torch_device
from reenact.media.files import asset
from reenact.media.tensors import load_weights

from .network import TransferNet, frames_of
from .subject_features import face_rows, subject_features

Detail = Literal["none", "own"]
"""What a face does beyond its 52 actions added up: nothing, or what the network predicts of the subject's own face."""
ASSET = asset("transfer.safetensors")


@lru_cache(maxsize=2)
def load_transfer(path: Path = ASSET, device: str | None = "cpu") -> TransferNet:
    """Load the network, with its shipped weights or others, on a device (see `torch_device`). Raises InputError."""
    net = TransferNet()
    load_weights(net, path, "transfer network", "reenact train transfer")
    return net.eval().requires_grad_(False).to(torch_device(device))


@dataclass(frozen=True)
class DynamicOffsets:
    """The network's predictions for one subject; N vertices of the fit mesh are on the face (`face_rows`)."""

    head: HeadShape  # of the open head's topology
    basis: Tensor  # [N, 3, CODES] see VertexMLP; on the network's device
    net: TransferNet

    @staticmethod
    def of(head: HeadShape, fine_offset: Tensor | None = None, net: TransferNet | None = None) -> DynamicOffsets:
        """Show a subject's neutral to the network.

        fine_offset: [W, 3] metres, static offsets on the fit mesh. net: None for the shipped one.
        """
        net = net or load_transfer()
        neutral = open_levels()[1].upsample(head.neutral)
        neutral = neutral if fine_offset is None else neutral + fine_offset
        with torch.no_grad():
            device = net.vertices.own.device
            return DynamicOffsets(head, net.vertices(subject_features(neutral[None].to(device)))[0], net)

    @torch.no_grad()
    def __call__(self, motion: Motion) -> Tensor:
        """[F, N, 3] D_f on the face in consecutive frames, metres, canonical."""
        codes = codes_of(self.head, motion).to(self.basis.device)
        return frames_of(self.basis[None], self.net.encoder(codes[None]))[0].cpu()


def with_own_offsets(subject: Subject, motion: Motion, device: str | None = None) -> Motion:
    """Add the dynamic offsets that the network predicts of a subject's own face to those of a motion.

    The motion's shots are clips: the encoder's filter in time does not reach across a cut.

    Args:
        subject: of the open head.
        motion: the subject's.
        device: of the network, see `torch_device`.

    Returns:
        The motion with dynamic offsets [F, V, 3], those by which skin follows the landmarks among them.

    Raises:
        InputError: the subject has another head model than the one the network knows.
    """
    if subject.model.name != OpenHead.name:
        raise InputError(f"dynamic offsets are predicted for the head {OpenHead.name}; got {subject.model.name}")
    predicted = DynamicOffsets.of(subject.head, subject.fine_offset, load_transfer(device=device))
    here = face_rows() < len(subject.head.neutral)  # the fit mesh begins with the head's own vertices
    rows = face_rows()[here]
    share = _beside_lids(subject.head)[rows][:, None]
    given = vertex_offset(subject.head, motion)
    out = torch.zeros(len(motion), *subject.head.neutral.shape) if given is None else given.clone()
    for shot in motion.shots():
        out[shot, rows] += share * predicted(motion[shot])[:, here]
    return motion.replace(landmark_offset=None, dynamic_offset=out)


def with_own_references(subject: Subject, device: str | None = None) -> Subject:
    """Add the predicted offsets to the motions of a subject's references, as `with_own_offsets`.

    A generator moves a picture by what the target differs from the reference: both need their dynamic offsets.
    """
    references = (replace(one, motion=with_own_offsets(subject, one.motion, device)) for one in subject.references)
    return subject.replace(references=tuple(references))


def _beside_lids(head: HeadShape) -> Tensor:
    """[V] 0 on the lids, rising to 1 over 4 mm around them.

    Lids have to meet each other and the eyeball, and a renderer of photos shows them 0.25 dB truer without what is
    added to the actions (docs/transfer.md).
    """
    lids = head.neutral[head.topology.region_vertices(*region_ids("eyelids", "eyelashes"))]
    distance = torch.from_numpy(KDTree(lids.numpy()).query(head.neutral.numpy())[0])
    return smoothstep(0.0, 0.004, distance).float()
