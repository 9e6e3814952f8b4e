# SPDX-License-Identifier: Apache-2.0
"""What a generator gains from a dense, personal control signal: the paper's ablation, section 3, on small networks.

    python -m benchmarks.generator_ablation scenes DATA          # of every arm, of people to learn from and of others
    python -m benchmarks.generator_ablation train personal 0     # an arm and a seed; goes on where it was
    python -m benchmarks.generator_ablation compare --record     # scores on people never learnt from

Equal networks in equal steps are told of the driven head

landmarks   its 2D landmarks
coarse      normals of the coarse head of the photo
personal    normals of the person's own head, with static offsets, and dynamic ones by which skin follows the landmarks
copied      the same with the dynamic offsets that were fitted to the very frames, which in self-reenactment are true
warped      as personal, and regions, the warped photo, and what of it to believe

All but the last begin with the photo, moved by the affine map that fits the driven head's landmarks best; the last
begins with the warped photo. Every scene is self-reenactment: photo and frames are of one clip. Personal heads are
fitted to the clip. Scores are PSNR, dB, two steps of sampling, whole pictures; a person's is the
mean of their scenes; differences are over people, of means over seeds.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Annotated, Final, Literal

import cv2
import numpy as np
import torch
import tyro
from numpy.typing import NDArray
from tyro.conf import Positional, arg

from benchmarks.common import OUT, Recorded, record
from reenact.app.progress import ProgressLine
from reenact.generator.diffusion.compact.encoders import INPUTS
from reenact.generator.diffusion.compact.flow import Sampling, sample
from reenact.generator.diffusion.compact.network import CompactConfig, CompactNet
from reenact.generator.diffusion.controls import NO_SURFACE
from reenact.head.motion import Motion
from reenact.head.open import open_head
from reenact.head.regions import EMPTY
from reenact.head.subject import Subject
from reenact.lab.evaluation.protocol import validation_people
from reenact.lab.evaluation.summary import difference, mean_over_pairs
from reenact.lab.training.compact import CompactTraining, train_compact
from reenact.lab.training.data.scene_making import PERMITTED, RUN, Clip, Framing, clips_of, planned
from reenact.lab.training.data.scenes import Scene, save_scene
from reenact.lab.training.generator_batches import Cut, batch
from reenact.lab.training.generator_loss import importance
from reenact.lab.training.loop import RunOptions, Schedule, load_checkpoint
from reenact.media import InputError, VideoWriter, probe, read_frames
from reenact.perception.dense.shipped import shipped_estimator
from reenact.subject.fit_subject import fit_subject
from reenact.subject.head_fit import fit_head
from reenact.subject.store import load_head, save_head
from reenact.subject.texture import require_motion
from reenact.tracking import load_motion, save_motion, track
from reenact.transfer.retarget import retarget

Image = NDArray[np.uint8]
ArmName = Literal["landmarks", "coarse", "personal", "copied", "warped"]
ARMS: Final[tuple[ArmName, ...]] = ("landmarks", "coarse", "personal", "copied", "warped")
_INPUTS: Final = ("photo", "normals", "warped")
"""Of all arms but the last; the affinely moved photo stands for the warped one."""
PARTS: Final = ("frame", "face", "mouth")
_LONGEST: Final = 120
"""Frames that are looked at of a clip: a head's dynamic offsets are fitted to each."""
_WIDTHS: Final = (32, 64, 128)
_DEPTH: Final = 3
_FRAMES: Final = 4


@dataclass(frozen=True)
class Scenes:
    """Make the scenes of all arms; those that are there already are kept."""

    data: Positional[Annotated[Path, arg(metavar="FOLDER", help="Holds the clips of permitted.json and dev/clips.")]]
    scenes: int = 2
    """Of each clip."""
    size: int = 256
    """Side of the pictures, px."""
    output: Annotated[Path, arg(aliases=["-o"])] = OUT / "ablation"

    def run(self) -> None:
        """Fit, render, write."""
        people = validation_people()
        unseen = [Clip(self.data / "dev/clips" / p.clips[0], p.person, "not said") for p in people if p.clips]
        for folder, clips in (("held-out", unseen), ("train", clips_of(self.data, PERMITTED))):
            for clip in clips:
                try:
                    make_scenes(clip, self.output / folder, self.scenes, self.size)
                except InputError as error:  # too short, or no face in a frame
                    print(f"{clip.path.name}: left out, {error}", flush=True)


@dataclass(frozen=True)
class Train:
    """Train one arm with one seed, until the schedule or the time is over; a later run goes on."""

    arm: Positional[ArmName]
    seed: Positional[int]
    steps: int = 1500
    learning_rate: float = 2e-3
    cut: int = 128
    """Side of what is cut out of a scene, px."""
    seconds: float = 1e9
    """Of this training run."""
    device: str = "cpu"
    output: Annotated[Path, arg(aliases=["-o"])] = OUT / "ablation"

    def run(self) -> None:
        """Train; log.jsonl of the run's folder has scores on held-out people."""
        torch.set_num_threads(1)
        config = config_of(self.arm)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            start = CompactNet(config).state_dict()
        learnt, unseen = (
            sorted((self.output / kind / self.arm).glob("*.safetensors")) for kind in ("train", "held-out")
        )
        np.random.default_rng(self.seed).shuffle(learnt)  # the order says what each step draws
        settings = CompactTraining(
            Schedule(self.steps, self.learning_rate, optimiser="muon"), config, Cut(self.cut, _FRAMES)
        )
        with ProgressLine(sys.stderr) as progress:
            options = RunOptions(folder_of(self.output, self.arm, self.seed), torch.device(self.device), self.seconds)
            run = train_compact(settings, learnt, unseen, replace(options, start=start, progress=progress))
        print(f"{run.folder}: step {run.step} of {self.steps}")


def config_of(arm: ArmName) -> CompactConfig:
    """Return what the network of an arm is told."""
    return CompactConfig(_WIDTHS, _DEPTH, INPUTS if arm == "warped" else _INPUTS)


def folder_of(output: Path, arm: str, seed: int) -> Path:
    """Return the folder of a run."""
    return output / "runs" / f"{arm}-{seed}"


@dataclass(frozen=True)
class Compare(Recorded):
    """Score all runs that there are and compare the arms."""

    device: str = "cpu"
    output: Annotated[Path, arg(aliases=["-o"])] = OUT / "ablation"

    def run(self) -> None:
        """Print, and record, means over people and differences between neighbouring arms."""
        torch.set_num_threads(1)
        arms: dict[str, dict[str, dict[str, float]]] = {}  # arm -> part -> person -> dB, mean over seeds
        rows: list[dict[str, float | str | int]] = []
        gains: list[dict[str, float | str | int]] = []
        for name in ARMS:
            runs = sorted((self.output / "runs").glob(f"{name}-*"))
            if not runs:
                continue
            scored = [scores(run, name, self.output / "held-out" / name, torch.device(self.device)) for run in runs]
            arms[name] = {part: _mean_of([one[part] for one, _ in scored]) for part in scored[0][0]}
            means = {part: mean_over_pairs(list(by.values())) for part, by in arms[name].items()}
            steps = min(step for _, step in scored)
            rows.append({"control": name, "seeds": len(runs), "steps": steps} | {k: m.mean for k, m in means.items()})
        for first, second in (("landmarks", "coarse"), ("coarse", "personal"), ("copied", "personal"),
                              ("personal", "warped")):  # fmt: skip
            if first in arms and second in arms:
                for part in PARTS:
                    gained, p = difference(arms[first][part], arms[second][part])
                    row = {"from": first, "to": second, "part": part, "people": gained.pairs, "db": gained.mean}
                    row |= {"low": gained.low, "high": gained.high}
                    gains.append(row | ({} if np.isnan(p) else {"p": p}))
        record("generator-ablation", rows, self)
        record("generator-ablation-gains", gains, self)


def make_scenes(clip: Clip, output: Path, scenes: int, size: int) -> None:
    """Write the scenes of a clip for every arm. Raises InputError where no face is found."""
    stem = clip.path.stem
    done, moving = output / f"{stem}.json", output / f"{stem}.motion.safetensors"
    if done.exists():
        return
    output.mkdir(parents=True, exist_ok=True)
    frames = [frame.image for frame in islice(read_frames(probe(clip.path)), _LONGEST)]
    with tempfile.TemporaryDirectory() as folder:
        looked = written(frames, Path(folder) / clip.path.with_suffix(".mp4").name)
        if not moving.exists():
            save_motion(track(open_head(), looked).motion, moving)
        performance = load_motion(moving)
        plans = planned(performance, stem, scenes)
        if not plans:
            raise InputError(f"{clip.path} shows one face too briefly")
        known = output / f"{stem}.head"
        if not known.exists():
            save_head(fit_head(open_head(), [looked], shipped_estimator(), textured=False), known, references=False)
    person = load_head(known)
    for number, (photo, rows) in enumerate(plans):
        about = {"person": clip.person, "source": clip.path.name, "licence": clip.licence, "photo": str(photo)}
        for arm, (pictures, landmarks) in of_arms(person, performance, frames, photo, rows, size).items():
            (output / arm).mkdir(exist_ok=True)
            path, runs = output / arm / f"{stem}-{number:02}.safetensors", [RUN] * (len(rows) // RUN)
            save_scene(path, pictures, landmarks, runs, about)
    done.write_text(json.dumps([photo for photo, _ in plans]), encoding="utf-8")
    print(f"{stem}: {len(plans)} scenes", flush=True)


def written(frames: Iterable[Image], path: Path) -> Path:
    """Write frames as a video, hardly compressed."""
    first, *others = frames
    with VideoWriter(path, Fraction(25), first.shape[1], first.shape[0], crf=8) as writer:
        for frame in (first, *others):
            writer.write(frame)
    return path


def of_arms(
    person: Subject,
    performance: Motion,
    frames: Sequence[Image],
    photo: int,
    rows: Sequence[int],
    size: int,
) -> dict[ArmName, tuple[dict[str, Sequence[Image]], NDArray[np.floating]]]:
    """Make the pictures and landmarks of one scene, arm by arm.

    Args:
        person: fitted to the clip.
        performance: tracked in the clip.
        frames: of the clip.
        photo: number of the frame that is the photo.
        rows: numbers of the frames that are driven.
        size: side of the pictures, px.
    """
    at = {int(number): row for row, number in enumerate(performance.require_clip().frame)}
    chosen = [at[row] for row in rows]
    subject = fit_subject(open_head(), [frames[photo]], known=person)
    coarse = fit_subject(open_head(), [frames[photo]])
    states, plain = (
        retarget(performance, one, "relative", neutral=at[photo])[chosen] for one in (subject, coarse)
    )  # fmt: skip
    own = require_motion(person)
    place = {int(number): row for row, number in enumerate(own.require_clip().frame)}
    missing = [number for number in (photo, *rows) if number not in place]
    if missing or own.dynamic_offset is None:
        raise InputError(f"frames {missing} show no face to fit a head to")
    copied = states.replace(landmark_offset=None, dynamic_offset=own.dynamic_offset[[place[row] for row in rows]])
    (reference,) = subject.references
    at_rest = reference.motion.replace(dynamic_offset=own.dynamic_offset[[place[photo]]])
    with_copied = subject.replace(references=(replace(reference, motion=at_rest),))
    framing = Framing.of(subject, states, size)
    whole = framing.driven(subject, states)
    still = framing.cut(np.asarray(frames[photo]))
    marks = framing.landmarks(subject, states)
    (own_marks,) = framing.landmarks(subject, reference.motion)
    common = {"photo": [still], "frames": [framing.cut(frames[row]) for row in rows]}
    moved = [moved_photo(still, own_marks, goal) for goal in marks]
    begun = common | whole | {"warped": moved}
    drawn = {"photo_normals": [drawn_landmarks(own_marks, size)], "normals": [drawn_landmarks(m, size) for m in marks]}
    normals = {
        "landmarks": drawn,
        "coarse": _normals_of(framing.driven(coarse, plain)),
        "personal": {},
        "copied": _normals_of(framing.driven(with_copied, copied)),
    }
    found: dict[ArmName, tuple[dict[str, Sequence[Image]], NDArray[np.floating]]] = {
        "warped": (common | whole, marks)
    }  # fmt: skip
    for arm in ARMS[:-1]:
        found[arm] = (begun | normals[arm], marks)
    return found


def _normals_of(driven: Mapping[str, Sequence[Image]]) -> dict[str, Sequence[Image]]:
    return {name: driven[name] for name in ("photo_normals", "normals")}


def moved_photo(photo: Image, own: NDArray[np.floating], goal: NDArray[np.floating]) -> Image:
    """Move a photo [S, S, 3] by the affine map that takes its landmarks [478, 2] nearest to others, px."""
    points = np.column_stack([own, np.ones(len(own))])
    there = np.linalg.lstsq(points, goal, rcond=None)[0].T
    moved = cv2.warpAffine(photo, there, photo.shape[1::-1], flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    return np.asarray(moved, np.uint8)


def drawn_landmarks(marks: NDArray[np.floating], size: int) -> Image:
    """Draw landmarks [478, 2] px as bright points on what stands for no surface [size, size, 3]."""
    out = np.full((size, size, 3), NO_SURFACE, np.uint8)
    for x, y in marks:
        cv2.circle(out, (round(float(x)), round(float(y))), 1, (255, 255, 255), -1)
    return out


@torch.no_grad()
def scores(run: Path, arm: ArmName, scenes: Path, device: torch.device) -> tuple[dict[str, dict[str, float]], int]:
    """Score a run on held-out scenes: PSNR by part and person, also of what it begins with (*_start); its steps."""
    found = load_checkpoint(run)
    if found is None:
        raise SystemExit(f"{run} holds no checkpoint")
    net = CompactNet(config_of(arm)).to(device).eval()
    net.load_state_dict({k.removeprefix("average."): v for k, v in found[0].items() if k.startswith("average.")})
    each: defaultdict[str, defaultdict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for path in sorted(scenes.glob("*.safetensors")):
        scene = Scene(path)
        whole = Cut(scene.picture("photo").shape[0], RUN, augment=False)
        for number in range(len(scene.runs)):
            controls, truth = batch([scene], np.random.default_rng(number), whole, 1)
            controls, truth = controls.to(device), truth.to(device)
            made = sample(net, controls, Sampling()).clean.clamp(-1, 1)
            face = controls.regions[:, :, None] != EMPTY
            parts = {"frame": torch.ones_like(face), "face": face, "mouth": importance(controls) > 2}
            for part, mask in parts.items():
                for key, picture in ((part, made), (f"{part}_start", controls.warped)):
                    if mask.any():
                        error = (mask * (picture - truth).square()).sum() / (3 * mask.sum())
                        each[key][scene.person].append(10.0 * float(torch.log10(4.0 / error)))
    return {part: {who: float(np.mean(db)) for who, db in by.items()} for part, by in each.items()}, found[1]["step"]


def _mean_of(seeds: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {person: float(np.mean([one[person] for one in seeds])) for person in seeds[0]}


if __name__ == "__main__":
    tyro.cli(Scenes | Train | Compare, description=__doc__).run()
