# SPDX-License-Identifier: Apache-2.0
"""What a known person does in each frame: dynamic offsets and pose, some frames at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch
from torch import Tensor

from reenact.perception.dense.maps import DenseEstimator, View
from reenact.perception.dense.shipped import INPUT_PX
from reenact.tracking import Progress, silent

from .checkpoint import FitCheckpoint
from .fit import Stage, fit_stages
from .observation import Observation, observe
from .offsets import Offsets
from .source import Source


@dataclass(frozen=True)
class Chunk:
    """n frames."""

    offsets: Tensor  # [n, V, 3] D_f, metres
    rotation: Tensor  # [n, 3, 3] R_cam_head
    translation: Tensor  # [n, 3] t_cam_head, metres
    last: tuple[Tensor, Tensor, Tensor]  # see Offsets.last

    def tensors(self) -> dict[str, Tensor]:
        """To keep."""
        ends = {f"last_{i}": x for i, x in enumerate(self.last)}
        return {"offsets": self.offsets, "rotation": self.rotation, "translation": self.translation} | ends

    @staticmethod
    def of(tensors: dict[str, Tensor]) -> Chunk:
        """The reverse."""
        last = (tensors["last_0"], tensors["last_1"], tensors["last_2"])
        return Chunk(tensors["offsets"], tensors["rotation"], tensors["translation"], last)


def fitted_chunks(
    source: Source,
    rows: np.ndarray,
    person: Offsets,
    estimator: DenseEstimator,
    stage: Stage,
    progress: Progress,
    checkpoint: FitCheckpoint | None = None,
) -> Iterator[Chunk]:
    """Fit `stage.batch` of the rows (rising) at a time, each chunk beginning as the one before ended.

    person: whose static part stays. checkpoint: chunks fitted before, which are not fitted again.
    """
    done: list[Chunk] = []
    while checkpoint is not None and (found := checkpoint.load(_name(len(done)))) is not None:
        done.append(Chunk.of(found))
    yield from done
    last = done[-1].last if done else None
    first = sum(len(chunk.rotation) for chunk in done)
    views = source.views(rows[first:], INPUT_PX)
    number = len(done)
    while chunk := list(islice(views, stage.batch)):
        observation = observe_rows(source, rows[first : first + len(chunk)], chunk, estimator)
        offsets = Offsets(len(chunk), person.scale, person.person, person)
        if last is not None:
            offsets.start_from(last)
        fit_stages(offsets, observation, [stage], silent)
        first += len(chunk)
        last = offsets.last()
        with torch.no_grad():
            fitted = Chunk(offsets.dynamic(torch.arange(len(chunk))), *offsets.poses(observation), last)
        if checkpoint is not None:
            checkpoint.save(_name(number), fitted.tensors())
        number += 1
        progress("fitting every frame", first, len(rows))
        yield fitted


def observe_rows(source: Source, rows: np.ndarray, views: Sequence[View], estimator: DenseEstimator) -> Observation:
    """What is known of some rows, whose pictures are `views`."""
    marks = [source.points[row] for row in rows]
    return observe(source.subject, source.motion[rows], source.motion[0], views, estimator(views), marks)


def _name(number: int) -> str:
    return f"frames-{number:05}"
