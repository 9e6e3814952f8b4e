# SPDX-License-Identifier: Apache-2.0
"""Scenes (data/scenes.py) as the Wan generator (experimental) learns from them: windows, their latents encoded once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from reenact.generator.diffusion.controls import Controls, HeadImages, colours_to_float
from reenact.generator.diffusion.wan.base import load_image_encoder, load_vae
from reenact.generator.diffusion.wan.latents import encode, encode_grey, image_tokens
from reenact.media.errors import InputError
from reenact.media.files import existing_file
from reenact.media.progress import Progress
from reenact.media.tensors import read_tensors, write_weights

from .data.scenes import Scene


@dataclass(frozen=True)
class _Window:
    """Some frames of a scene that follow each other."""

    scene: Path
    latents: Path
    number: int
    """Of the window among the scene's."""
    first: int
    """Its first frame."""


@dataclass(frozen=True)
class Sample:
    """A window as it is learned from (B = 1)."""

    controls: Controls
    clip: Tensor
    """[1, z, T, h, w]"""
    photo: Tensor
    """[1, z, 1, h, w]"""
    image_tokens: Tensor | None
    """[1, n, d]"""


class Windows:
    """All windows of `frames` frames in some scenes. Raises InputError if there is none, or sizes differ.

    side: of a token, px, of which pictures are to be a multiple.
    """

    def __init__(self, scenes: Sequence[Path], cache: Path, frames: int, base: str, side: int) -> None:
        self.frames, self.windows = frames, list[_Window]()
        longest, sizes = 0, dict[int, Path]()
        for path in scenes:
            scene = Scene(existing_file(path, "a scene"))
            longest = max(longest, *scene.runs)
            sizes.setdefault(scene.picture("photo").shape[0], path)
            latents = cache / f"{path.stem}-{_digest(path, frames, base)}.safetensors"
            self.windows += [_Window(path, latents, n, f) for n, f in enumerate(window_starts(scene.runs, frames))]
        if not self.windows:
            raise InputError(
                f"no run of the {len(scenes)} scenes is {frames} frames long, the longest {longest}; want longer runs, "
                "or windows of fewer frames"
            )
        if len(sizes) > 1 or any(size % side for size in sizes):
            found = ", ".join(f"{path} of {size} px" for size, path in sizes.items())
            raise InputError(f"there are scenes such as {found}; want all of one size, a multiple of {side} px")
        self.size = next(iter(sizes))
        self.grey = cache / f"grey-{_digest(None, frames, base, self.size)}.safetensors"
        self.base = base

    def __len__(self) -> int:
        return len(self.windows)

    def encode(self, device: torch.device, progress: Progress, rank: int, ranks: int, *, images: bool) -> None:
        """Write the latents that are missing, every `ranks`-th scene's; `images`: those of the image encoder too.

        In half precision: latents are about 1 large, and a VAE's error is far above a thousandth.
        """
        jobs = sorted({(w.scene, w.latents) for w in self.windows})[rank::ranks]
        missing = [job for job in jobs if not job[1].exists()]
        if not missing and (rank or self.grey.exists()):
            return
        self.grey.parent.mkdir(parents=True, exist_ok=True)
        vae = load_vae(self.base).to(device)
        encoder = load_image_encoder(self.base).to(device) if images else None
        if not rank and not self.grey.exists():
            write_weights(self.grey, {"grey": encode_grey(vae, self.frames, self.size)})
        for done, (path, latents) in enumerate(missing):
            progress("encoding", done, len(missing))
            scene = Scene(path)
            photo = colours_to_float(_image(scene, "photo"))[None]
            found = {"photo": encode(vae, photo[:, None])}
            for number, first in enumerate(window_starts(scene.runs, self.frames)):
                rows = range(first, first + self.frames)
                video = torch.stack([colours_to_float(_image(scene, "frames", row)) for row in rows])[None]
                found[f"window{number}"] = encode(vae, video)
            if encoder is not None:
                found["image_tokens"] = image_tokens(encoder, photo)
            write_weights(latents, found)

    def blank(self, device: torch.device) -> Tensor:
        """Read the latents of a grey clip [1, z, T, h, w]."""
        return read_tensors(self.grey, "file of latents")[0]["grey"].to(device).float()

    def sample(self, number: int, device: torch.device) -> Sample:
        """Read a window's controls and latents."""
        window = self.windows[number]
        latents, _ = read_tensors(window.latents, "file of latents")
        tensors = {name: value.to(device).float() for name, value in latents.items()}
        controls = scene_controls(Scene(window.scene), window.first, self.frames).to(device)
        return Sample(controls, tensors[f"window{window.number}"], tensors["photo"], tensors.get("image_tokens"))


def window_starts(runs: Sequence[int], frames: int) -> list[int]:
    """First frames of windows side by side in each run, and of one that ends with it."""
    starts, begun = [], 0
    for run in runs:
        if run >= frames:
            starts += sorted({*range(begun, begun + run - frames + 1, frames), begun + run - frames})
        begun += run
    return starts


def scene_controls(scene: Scene, first: int, count: int) -> Controls:
    """Return the controls of `count` frames (B = 1)."""
    regions = _image(scene, "photo_regions")
    reference_head = HeadImages(_image(scene, "photo_normals"), regions, regions)  # its visibility is not used
    rows = range(first, first + count)
    heads = [HeadImages(*(_image(scene, name, row) for name in ("normals", "regions", "visibility"))) for row in rows]
    warped = [_image(scene, "warped", row) for row in rows]
    return Controls.from_images(_image(scene, "photo"), reference_head, warped, heads)


def _image(scene: Scene, name: str, row: int = 0) -> Tensor:
    return torch.from_numpy(scene.picture(name, row).copy())  # torch takes no array that is read-only


def together(samples: Sequence[Sample]) -> Sample:
    """Join samples of the same size to one batch."""
    controls = [s.controls for s in samples]
    joined = {name: torch.cat([getattr(c, name) for c in controls]) for name in Controls.__dataclass_fields__}
    tokens = [s.image_tokens for s in samples if s.image_tokens is not None]
    return Sample(
        Controls(**joined),
        torch.cat([s.clip for s in samples]),
        torch.cat([s.photo for s in samples]),
        torch.cat(tokens) if tokens else None,
    )


def _digest(path: Path | None, *about: object) -> str:
    """Hash what latents depend on, so that a scene made again is encoded again."""
    stat = None if path is None else path.stat()
    key = [*map(str, about), None if stat is None else [str(path), stat.st_size, stat.st_mtime_ns]]
    return hashlib.sha256(json.dumps(key).encode()).hexdigest()[:16]
