# SPDX-License-Identifier: Apache-2.0
"""Pictures, video and sound in and out; cuts; crop and paste-back; arrays. The lowest room: it imports no other."""

from typing import TYPE_CHECKING

from .lazy import lazy_names

if TYPE_CHECKING:
    from .crop import SquareCrop, paste_back
    from .cuts import CutDetector
    from .device import torch_device
    from .errors import InputError
    from .image import read_image, side_by_side, write_image
    from .video import Frame, VideoInfo, probe, read_frames
    from .writer import VideoWriter

__all__ = [
    "CutDetector",
    "Frame",
    "InputError",
    "SquareCrop",
    "VideoInfo",
    "VideoWriter",
    "paste_back",
    "probe",
    "read_frames",
    "read_image",
    "side_by_side",
    "torch_device",
    "write_image",
]

__getattr__ = lazy_names(
    __name__,
    {
        "CutDetector": "cuts",
        "Frame": "video",
        "InputError": "errors",
        "SquareCrop": "crop",
        "VideoInfo": "video",
        "VideoWriter": "writer",
        "paste_back": "crop",
        "probe": "video",
        "read_frames": "video",
        "read_image": "image",
        "side_by_side": "image",
        "torch_device": "device",
        "write_image": "image",
    },
)
