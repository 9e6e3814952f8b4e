# SPDX-License-Identifier: Apache-2.0
"""Lips end where they meet: their inner side lies behind that line, also when the mouth opens wide.

The actions move the line where the lips meet farther than the rows of vertices behind it, which then hang into the
opening: lips would swell to a thick ring as the mouth opens, and the opening be smaller than the driving person's.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from .contact_constraint import geodesic_distances, line_places
from .landmarks import LOWER_INNER_LIP, UPPER_INNER_LIP
from .model import Topology
from .mouth import head_size
from .regions import MOUTH_INTERIOR, region_ids
from .smoothstep import smoothstep

_BEHIND_M = 0.0003  # behind the line, on an adult's neutral, from where skin counts as the inner side
_APART_M = (0.0010, 0.0035)  # distance of the lips from where on they stand apart
_SLOPE = 0.3  # metres outwards a metre behind the line: what is flush with it would look out between its vertices
_CLEAR_M = 0.03  # deeper than teeth or cavity could stick out of the lips, cheeks or chin in front of them
_INNER = 8.0  # times its depth behind their edge is how much deeper the inner side of the lips is rendered
_TONGUE_OUT_M = (0.004, -0.002)  # behind the lips: a tongue that is put out is in front of them


class InnerLips(nn.Module):
    """The inner sides of both lips of one head, and what lies inside of the mouth."""

    _corners: Tensor  # [2, P, 3] vertices of the landmarks where the lips meet
    _weights: Tensor  # [2, P, 3]
    _contacts: Tensor  # [n] vertices where the lips meet
    _interior: Tensor  # [V] metres by which the mouth's interior is always rendered deeper, 0 elsewhere
    _tongue: Tensor
    _rows: Tensor  # [N] vertices of the inner sides, those of the upper lip first
    _depth: Tensor  # [N] metres behind the line of the lips, in a mouth at rest
    _before: Tensor  # [N] place on both lips' lines, one after the other, that comes before each of them
    _share: Tensor  # [N] how far on the way to the next place they are
    _up: Tensor  # [2, 1, 1] 1 for the upper lip, -1 for the lower

    def __init__(self, topology: Topology, neutral: Tensor, eyes: Tensor) -> None:
        """neutral: [V, 3] canonical, metres; eyes: [2, 3] eyeball centres."""
        super().__init__()
        marks = torch.tensor([UPPER_INNER_LIP, LOWER_INNER_LIP])
        device = neutral.device

        def rows_of(*names: str) -> Tensor:
            return topology.region_vertices(*region_ids(*names)).to(device)

        self.register_buffer("_corners", topology.landmark_vertices[marks].to(device))
        self.register_buffer("_weights", topology.landmark_weights[marks].to(neutral))
        lips, pairs = rows_of("lips"), topology.lip_contacts.to(device)
        inside, tongue = rows_of(*MOUTH_INTERIOR), rows_of("tongue")
        interior = neutral.new_zeros(len(neutral)).index_fill(0, inside[~torch.isin(inside, lips)], _CLEAR_M)
        self.register_buffer("_interior", interior)
        self.register_buffer("_tongue", tongue)
        self.register_buffer("_contacts", pairs)
        line = self.lines(neutral[None])[0].mean(0)  # [P, 3]
        before, share = line_places(line[:, 0], neutral[lips, 0])
        depth = torch.lerp(line[before, 2], line[before + 1, 2], share) - neutral[lips, 2]
        behind = depth > _BEHIND_M * head_size(eyes)
        faces = topology.faces[topology.region_faces(*region_ids("lips"))]
        with torch.no_grad():
            upper, lower = (geodesic_distances(faces, neutral, pairs[:, i])[lips] for i in (0, 1))
        on_upper = upper < lower
        inner = torch.cat([torch.nonzero(behind & side)[:, 0] for side in (on_upper, ~on_upper)])
        self.register_buffer("_rows", lips[inner])
        self.register_buffer("_depth", depth[inner])
        self.register_buffer("_before", before[inner] + len(line) * ~on_upper[inner])
        self.register_buffer("_share", share[inner])
        self.register_buffer("_up", neutral.new_tensor([1.0, -1.0])[:, None, None])

    def lines(self, values: Tensor) -> Tensor:
        """[F, V, C] -> [F, 2, P, C] along the line where the lips meet, on the upper and on the lower lip."""
        return torch.einsum("flpkc,lpk->flpc", values[:, self._corners], self._weights)

    def _along(self, values: Tensor) -> Tensor:
        """[F, 2, P, C] along the lines of both lips -> [F, N, C] before the inner vertices."""
        flat = values.flatten(1, 2)
        return torch.lerp(flat[:, self._before], flat[:, self._before + 1], self._share[:, None])

    def _apart(self, lines: Tensor) -> Tensor:
        """[F, N] whether the lips stand apart before each inner vertex, 0 to 1; lines: [F, 2, P, 3].

        Where they touch, soft flesh fills what is left between them.
        """
        gap = (lines[:, 0] - lines[:, 1]).norm(dim=-1)
        share = smoothstep(*_APART_M, gap)
        return self._along(share[:, None, :, None].expand(-1, 2, -1, 1))[..., 0]

    def forward(self, shapes: Tensor) -> Tensor:
        """[F, V, 3] canonical -> the same, the inner sides no farther into the opening than the line before them."""
        lines = self.lines(shapes)
        edge = lines[..., :2]
        along = torch.cat(
            [
                edge[:, :, 1:2] - edge[:, :, :1],
                0.5 * (edge[:, :, 2:] - edge[:, :, :-2]),
                edge[:, :, -1:] - edge[:, :, -2:-1],
            ],
            2,
        )
        outward = self._up * torch.stack([-along[..., 1], along[..., 0]], -1)
        outward = outward / outward.norm(dim=-1, keepdim=True).clamp(min=1e-9)
        at, way = self._along(torch.cat([edge, outward], -1)).split(2, -1)
        inwards = _SLOPE * self._depth - ((shapes[:, self._rows, :2] - at) * way).sum(-1)
        step = (self._apart(lines) * inwards.clamp(min=0.0))[..., None] * way
        return shapes.index_add(1, self._rows, functional.pad(step, (0, 1)))

    def hidden_depth(self, shapes: Tensor) -> Tensor:
        """[F, V] metres by which vertices are rendered deeper than they are: nothing in a mouth comes out of a face.

        shapes: [F, V, 3] canonical.
        """
        out = self._interior.to(shapes).expand(len(shapes), -1)
        out = out.index_add(1, self._rows, _INNER * self._apart(self.lines(shapes)) * self._depth)
        behind = smoothstep(*_TONGUE_OUT_M, self.depth_behind_lips(shapes, self._tongue))
        return out.index_add(1, self._tongue, -_CLEAR_M * behind)

    def depth_behind_lips(self, shapes: Tensor, rows: Tensor) -> Tensor:
        """[F, N] metres along the head's axis that vertices `rows` are behind where the lips meet before them."""
        out = []
        for shape in shapes:
            line = shape[self._contacts].mean(1)
            line = line[line[:, 0].argsort()]
            before, share = line_places(line[:, 0], shape[rows, 0])
            out.append(torch.lerp(line[before, 2], line[before + 1, 2], share) - shape[rows, 2])
        return torch.stack(out)
