# SPDX-License-Identifier: Apache-2.0
"""reenact: portrait reenactment through an explicit, personalised 3D head.

    import reenact

    motion = reenact.track("driving.mp4")
    subject = reenact.fit_subject("photo.jpg")
    target = reenact.retarget(motion, subject)
    maps = reenact.render(subject, target[:8])
    frames = reenact.animate(subject, motion, "out.mp4")

Importing the package loads nothing heavy: names are imported when they are first used.
"""

from typing import TYPE_CHECKING

from reenact.media.lazy import lazy_names

if TYPE_CHECKING:
    from reenact.api import Pipeline, animate, fit_subject, load, render, retarget, save, track
    from reenact.head.motion import Motion
    from reenact.head.subject import Subject

__version__ = "0.1.0"

__all__ = [
    "Motion",
    "Pipeline",
    "Subject",
    "animate",
    "fit_subject",
    "load",
    "render",
    "retarget",
    "save",
    "track",
]

__getattr__ = lazy_names(
    __name__,
    dict.fromkeys(("Pipeline", "animate", "fit_subject", "load", "render", "retarget", "save", "track"), "api")
    | {"Motion": "head.motion", "Subject": "head.subject"},
)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
