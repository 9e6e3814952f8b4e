# SPDX-License-Identifier: Apache-2.0
"""`Motion`: what a head does over F frames, and where it is in front of the camera."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from .arkit import ACTIONS
from .gaze import LOOK_ACTIONS
from .landmarks import LANDMARKS

_FRAME: dict[str, tuple[int, ...]] = {
    "expression": (len(ACTIONS),),
    "gaze": (2, 2),
    "rotation": (3, 3),
    "translation": (3,),
    "landmark_offset": (LANDMARKS, 3),
    "dynamic_offset": (0, 3),  # as many as the head's mesh has vertices
}
_ALWAYS = ("expression", "gaze", "rotation", "translation")
_CLIP_FRAME = ("frame", "shot", "seen", "residual_px")
_CLIP_SHOT = ("identity", "focal_px", "face_size_m", "placement")
Index = int | np.integer | slice | Sequence[int] | NDArray[np.integer] | NDArray[np.bool_] | Tensor


@dataclass(frozen=True, eq=False)
class Clip:
    """What a tracker knows beyond the motion: F frames in S shots of one video, each shot with a person and a camera.

    Tensors are on the CPU; numbers are float32.
    """

    source: str
    """Name of the file that was tracked, for the reader."""
    width: int
    height: int
    """Of the source's pictures, px; the principal point is in their middle."""
    head: str
    """Name of the head model that `identity` belongs to."""
    frame: Tensor
    """[F] int32, number of the frame in the source; rising, with gaps where frames were skipped."""
    shot: Tensor
    """[F] int32, shot of each frame, from 0, never falling."""
    seen: Tensor
    """[F] bool, False where the pose was held or interpolated."""
    residual_px: Tensor
    """[F] median distance of the fitted from the detected landmarks; NaN where no face was detected."""
    identity: Tensor
    """[S, K] standard deviations of the head model's identity components."""
    focal_px: Tensor
    """[S] focal length, px of the source."""
    face_size_m: Tensor
    """[S] metres, root mean square radius of the neutral face's landmarks."""
    placement: Tensor
    """[S, 478, 3] metres from the place of each landmark on the mesh to where the detector sees it on this person."""

    def __post_init__(self) -> None:
        frames, shots = (len(self.frame),), (len(self.identity),)
        for name in ("frame", "shot"):
            _check(name, getattr(self, name), frames, torch.int32)
        _check("seen", self.seen, frames, torch.bool)
        _check("residual_px", self.residual_px, frames)
        _check("identity", self.identity, (*shots, self.identity.shape[-1]))
        for name in ("focal_px", "face_size_m"):
            _check(name, getattr(self, name), shots)
        _check("placement", self.placement, (*shots, LANDMARKS, 3))

    def __len__(self) -> int:
        return len(self.frame)

    def select(self, frames: slice | Tensor) -> Clip:
        """Select frames; every shot keeps its person and camera."""
        return dataclasses.replace(self, **{name: getattr(self, name)[frames] for name in _CLIP_FRAME})

    def without_empty_shots(self) -> Clip:
        """Drop persons and cameras that no frame uses, and count the shots from 0 again."""
        used, shot = torch.unique(self.shot, return_inverse=True)
        kept = {name: getattr(self, name)[used] for name in _CLIP_SHOT}
        return dataclasses.replace(self, shot=shot.int(), **kept)

    @staticmethod
    def joined(parts: Sequence[Clip]) -> Clip:
        """Join the frames of several clips of one source, one after the other; their shots are counted on."""
        first, before, shots = parts[0], 0, []
        for part in parts:
            for name in ("width", "height", "head"):
                if getattr(part, name) != getattr(first, name):
                    raise ValueError(
                        f"clips of {name} {getattr(first, name)} and {getattr(part, name)} cannot be joined"
                    )
            shots.append(part.shot + before)
            before += len(part.identity)
        together = {n: torch.cat([getattr(p, n) for p in parts]) for n in (*_CLIP_FRAME, *_CLIP_SHOT)}
        return dataclasses.replace(first, **together | {"shot": torch.cat(shots)})


@dataclass(frozen=True, eq=False, init=False, repr=False)
class Motion:
    """What a head does over F frames, and where it is in front of the camera.

    Camera axes are OpenCV's (x right, y down, z away); head axes are x to the subject's left, y up, z out of the face.
    Tensors are float32, on the CPU. Iteration gives motions of one frame each.
    """

    expression: Tensor
    """[F, 52] activations in the order of `arkit.ACTIONS`. The eight of eyeLook are 0: where the eyes look is said by
    `gaze` alone, and `state.codes_of` gives the codes with both."""
    gaze: Tensor
    """[F, 2, 2] (yaw, pitch) radians, subject's left eye first; see head/gaze.py."""
    rotation: Tensor
    """[F, 3, 3] R of X_cam = R X_head + t."""
    translation: Tensor
    """[F, 3] t, metres."""
    landmark_offset: Tensor | None = None
    """[F, 478, 3] metres in head space from where the actions put each landmark to where a tracker sees it, apart from
    what is the same in all frames: where there are no dynamic offsets, skin follows it. None: not looked at."""
    dynamic_offset: Tensor | None = None
    """[F, V, 3] metres in canonical head space, what the subject's face does beyond its actions on the V vertices of
    the head's mesh (D_f of the paper, section 1). None: nothing."""
    fps: Fraction = Fraction(25)
    clip: Clip | None = None
    """What was tracked; None for a motion that no camera has seen."""

    def __init__(
        self,
        expression: ArrayLike | Tensor,
        gaze: ArrayLike | Tensor,
        rotation: ArrayLike | Tensor,
        translation: ArrayLike | Tensor,
        landmark_offset: ArrayLike | Tensor | None = None,
        dynamic_offset: ArrayLike | Tensor | None = None,
        fps: Fraction = Fraction(25),
        clip: Clip | None = None,
    ) -> None:
        """Take tensors as they are, if they are float32 on the CPU, or copy arrays.

        Args:
            expression: [F, 52]; eyeLook is set to 0. Where it is [52] there is one frame, and all others lack their
                first axis, too.
            gaze: [F, 2, 2] radians.
            rotation: [F, 3, 3].
            translation: [F, 3] metres.
            landmark_offset: [F, 478, 3] metres.
            dynamic_offset: [F, V, 3] metres.
            fps: frames a second.
            clip: of F frames.

        Raises:
            ValueError: the shapes do not fit together.
        """
        values = (expression, gaze, rotation, translation, landmark_offset, dynamic_offset)
        given = {name: _float32(value) for name, value in zip(_FRAME, values, strict=True) if value is not None}
        if given["expression"].ndim == 1:
            given = {name: value[None] for name, value in given.items()}
        frames = len(given["expression"])
        for name, value in given.items():
            points = value.shape[1:2] if name == "dynamic_offset" else _FRAME[name][:1]
            _check(name, value, (frames, *points, *_FRAME[name][1:]))
        if clip is not None and len(clip) != frames:
            raise ValueError(f"clip has {len(clip)} frames, expression {frames}; want as many")
        given["expression"] = _without_looks(given["expression"])
        for name in _FRAME:
            object.__setattr__(self, name, given.get(name))
        object.__setattr__(self, "fps", fps)
        object.__setattr__(self, "clip", clip)

    def __len__(self) -> int:
        return len(self.expression)

    def __repr__(self) -> str:
        given = [f"{kind} offsets" for kind in ("landmark", "dynamic") if getattr(self, f"{kind}_offset") is not None]
        held = ", ".join([f"{len(self)} frames at {float(self.fps):g}/s", *given])
        return f"Motion({held}, of {self.source})"

    def __iter__(self) -> Iterator[Motion]:
        return (self[row] for row in range(len(self)))

    def __getitem__(self, index: Index) -> Motion:
        """Select frames, of the clip, too: by number (which gives one frame), slice, numbers [N] or mask [F]."""
        rows = _rows(index, len(self))
        kept = {name: getattr(self, name)[rows] for name in _FRAME if getattr(self, name) is not None}
        return self.replace(**kept, clip=None if self.clip is None else self.clip.select(rows))

    def replace(self, **changes: Any) -> Motion:
        """Return the motion with other values of some fields, which are taken as the constructor takes them."""
        return dataclasses.replace(self, **changes)

    @staticmethod
    def joined(parts: Sequence[Motion]) -> Motion:
        """Join the frames of several motions, one after the other.

        Parts without offsets get zeros if others have some. The clip is that of all parts, or None where one
        has none.

        Raises:
            ValueError: there is no part, or the parts differ in frames a second or points of dynamic offsets, or
                their clips in width, height or head model.
        """
        rates = {part.fps for part in parts}
        if len(rates) != 1:
            raise ValueError(f"got motions at {sorted(map(str, rates))} frames a second; want some, at one rate")
        clips = [part.clip for part in parts if part.clip is not None]
        return Motion(
            *(torch.cat([getattr(part, name) for part in parts]) for name in _ALWAYS),
            landmark_offset=_joined_offset([part.landmark_offset for part in parts], parts),
            dynamic_offset=_joined_offset([part.dynamic_offset for part in parts], parts),
            fps=rates.pop(),
            clip=Clip.joined(clips) if len(clips) == len(parts) else None,
        )

    @property
    def source(self) -> str:
        """What to call the motion in a message."""
        return "the motion" if self.clip is None else self.clip.source

    def require_clip(self) -> Clip:
        """Return the clip. Raises ValueError if there is none."""
        if self.clip is None:
            raise ValueError("the motion has no clip; want one that was tracked")
        return self.clip

    def shots(self) -> Iterator[slice]:
        """Iterate over the rows of each shot that has frames, in order; without a clip they are one shot."""
        cuts = [] if self.clip is None else (torch.nonzero(torch.diff(self.clip.shot))[:, 0] + 1).tolist()
        return (slice(start, end) for start, end in pairwise([0, *cuts, len(self)]))


def _joined_offset(offsets: Sequence[Tensor | None], parts: Sequence[Motion]) -> Tensor | None:
    sizes = {offset.shape[1] for offset in offsets if offset is not None}
    if len(sizes) > 1:
        raise ValueError(f"got dynamic offsets of {sorted(sizes)} points; want as many in every motion")
    if not sizes:
        return None
    empty = [torch.zeros(len(part), *sizes, 3) for part in parts]
    return torch.cat([e if o is None else o for o, e in zip(offsets, empty, strict=True)])


def _without_looks(expression: Tensor) -> Tensor:
    looks = [column for eye in LOOK_ACTIONS for column in eye]
    if not expression[:, looks].any():
        return expression
    return expression.index_fill(1, torch.tensor(looks), 0.0)


def _float32(value: ArrayLike | Tensor) -> Tensor:
    if isinstance(value, Tensor):
        return value.to("cpu", torch.float32)
    return torch.from_numpy(np.array(value, np.float32))


def _rows(index: Index, count: int) -> slice | Tensor:
    """Turn an index of `count` frames into one that torch knows and that keeps the axis."""
    if isinstance(index, slice):
        step = 1 if index.step is None else index.step
        return index if step > 0 else torch.tensor(range(count)[index], dtype=torch.int64)
    if isinstance(index, int | np.integer):
        row = range(count)[index]
        return slice(row, row + 1)
    rows = torch.as_tensor(index)
    if rows.dtype != torch.bool:
        return rows.long()
    if len(rows) != count:
        raise IndexError(f"a mask of {len(rows)} cannot index {count} frames")
    return rows


def _check(name: str, value: Tensor, shape: tuple[int, ...], dtype: torch.dtype = torch.float32) -> None:
    if value.dtype != dtype:
        raise ValueError(f"{name} has shape {tuple(value.shape)} of {value.dtype}, want {shape} of {dtype}")
    if tuple(value.shape) != shape:
        raise ValueError(f"{name} has shape {tuple(value.shape)}, want {shape}")
