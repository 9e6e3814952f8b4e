# SPDX-License-Identifier: Apache-2.0
"""What a known person does in each frame: dynamic offsets and pose, some frames at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch

from reenact.head.levels import Levels
from reenact.head.model import Float, ParametricHead
from reenact.perception.dense.maps import DenseEstimator, View
from reenact.perception.dense.shipped import INPUT_PX

from .fit import Progress, fit_stages
from .observation import Observation, observe
from .offsets import Offsets
from .personal_head import QuantisedOffsets
from .resume import Kept
from .source import Source
from .stages import Stage


@dataclass(frozen=True)
class Chunk:
    """n frames."""

    offsets: QuantisedOffsets
    turn: Float  # [n, 3, 3] R_cam_head
    shift: Float  # [n, 3] t_cam_head, metres
    last: tuple[torch.Tensor, torch.Tensor, torch.Tensor]  # see Offsets.last

    def tensors(self) -> dict[str, torch.Tensor]:
        """To keep."""
        o = self.offsets
        arrays = {"values": o.values, "scale": o.scale, "vertices": o.vertices, "turn": self.turn, "shift": self.shift}
        ends = {f"last_{i}": x for i, x in enumerate(self.last)}
        return {k: torch.from_numpy(np.ascontiguousarray(v)) for k, v in arrays.items()} | ends

    @staticmethod
    def of(kept: dict[str, torch.Tensor]) -> Chunk:
        """The reverse."""
        offsets = QuantisedOffsets(*(kept[k].numpy() for k in ("vertices", "values", "scale")))
        return Chunk(
            offsets, kept["turn"].numpy(), kept["shift"].numpy(), (kept["last_0"], kept["last_1"], kept["last_2"])
        )


def fitted_chunks(
    model: ParametricHead,
    levels: Levels,
    source: Source,
    rows: np.ndarray,
    person: Offsets,
    estimator: DenseEstimator,
    stage: Stage,
    progress: Progress,
    kept: Kept | None = None,
) -> Iterator[Chunk]:
    """Fit `stage.batch` of the rows (rising) at a time, each chunk beginning as the one before ended.

    person: whose static part stays. kept: chunks fitted before, which are not fitted again.
    """
    done: list[Chunk] = []
    while kept is not None and (found := kept.load(_name(len(done)))) is not None:
        done.append(Chunk.of(found))
    yield from done
    last = done[-1].last if done else None
    first = sum(len(chunk.turn) for chunk in done)
    views = source.views(rows[first:], INPUT_PX)
    number = len(done)
    while chunk := list(islice(views, stage.batch)):
        seen = observe_rows(source, rows[first : first + len(chunk)], chunk, estimator)
        offsets = Offsets(levels, len(chunk), person.scale, person.person, person)
        if last is not None:
            offsets.start_from(last)
        fit_stages(offsets, seen, model.topology, [stage], lambda *said: None)
        first += len(chunk)
        last = offsets.last()
        with torch.no_grad():
            moved = offsets.dynamic(torch.arange(len(chunk))).numpy()
        vertices = np.flatnonzero(levels[0].face > 0.0).astype(np.int32)
        fitted = Chunk(QuantisedOffsets.of(moved, vertices), *offsets.poses(seen), last)
        if kept is not None:
            kept.save(_name(number), fitted.tensors())
        number += 1
        progress("fitting every frame", first, len(rows))
        yield fitted


def observe_rows(source: Source, rows: np.ndarray, views: Sequence[View], estimator: DenseEstimator) -> Observation:
    """What is known of some rows, whose pictures are `views`."""
    marks = [source.points[row] for row in rows]
    return observe(source.person, source.states[rows], source.states[0], views, estimator(views), marks)


def _name(number: int) -> str:
    return f"frames-{number:05}"
