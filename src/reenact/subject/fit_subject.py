# SPDX-License-Identifier: Apache-2.0
"""From pictures of a person to a `Subject`: coarse at once, or with offsets and a texture in minutes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from reenact.head.model import ParametricHead
from reenact.head.subject import Subject
from reenact.perception.dense.maps import DenseEstimator
from reenact.perception.dense.shipped import shipped_estimator
from reenact.tracking import Pictures, Progress, TrackOptions, silent

from .checkpoint import FitCheckpoint
from .fit import FRAMES
from .head_fit import fit_head
from .source import read_source

SubjectDetail = Literal["coarse", "personal"]


def fit_subject(
    model: ParametricHead,
    sources: Sequence[Pictures],
    options: TrackOptions | None = None,
    *,
    detail: SubjectDetail = "coarse",
    known: Subject | None = None,
    size: int | None = None,
    estimator: DenseEstimator | None = None,
    checkpoint: FitCheckpoint | None = None,
    every_frame: bool = True,
    progress: Progress = silent,
) -> Subject:
    """Fit the person seen in photos and videos. Each becomes a reference: a photo as it is, a video by one frame.

    Args:
        model: the head that is fitted.
        sources: files or pictures of one person; identity and camera of a coarse subject are fitted to the first.
        options: of finding and following the face, the same for every source; None for the defaults.
        detail: "coarse": coefficients of the model alone, from landmarks and expression evidence. "personal": static
            and dynamic offsets and a texture, too, from dense maps of all sources; takes minutes.
        known: the very person, whose head is taken as it is; then only pose and expression are fitted.
        size: longer side, px, to which photos are resized first; None: as they are.
        estimator: of dense maps; None for the shipped network.
        every_frame: fit what a personal subject does in every frame of the first source, and bake a texture. False:
            only who it is, and the reference pictures, which is all that a generator of pictures takes; a photo then
            takes half as long.
        checkpoint: where an interrupted fit of a personal subject goes on.
        progress: called with a stage, steps done and their number.

    Raises:
        InputError: a file cannot be used or shows no such face.
    """
    options = options or TrackOptions()
    if not sources:
        raise ValueError("no source was given; want at least one photo or video")
    if detail == "personal" and known is None:
        estimator = estimator or shipped_estimator(options.device)
        stage = FRAMES if every_frame else None
        return fit_head(
            model,
            sources,
            estimator,
            options,
            progress=progress,
            size=size,
            every_frame=stage,
            checkpoint=checkpoint,
        )
    first = read_source(model, sources[0], options, progress, known, size)
    known = first.subject if known is None else known
    others = [read_source(model, path, options, progress, known, size) for path in sources[1:]]
    every = (first, *others)
    references = tuple(source.reference() for source in every)
    provenance = {"sources": [source.path.name for source in every]}
    return first.subject.replace(references=references, motion=first.motion, provenance=provenance)
