# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from reenact.generator.warp.generator import WarpGenerator
from reenact.head.arkit import ACTIONS, index
from reenact.head.motion import Motion
from reenact.head.open import open_head
from reenact.head.shape import HeadShape
from reenact.head.subject import Reference, Subject
from reenact.media import SquareCrop, read_image
from reenact.media.files import asset
from reenact.perception import ExpressionEvidence
from reenact.rendering import Camera
from reenact.rendering.head_renderer import HeadRenderer
from reenact.tracking import find_face, fit_frames, fit_identity
from reenact.tracking.priors import EVIDENCE_SCALE

PHOTO = asset("demo/astronaut.jpg")
CROP = SquareCrop(x0=96, y0=0, size=256, output_px=384)


@dataclass(frozen=True)
class DemoSubject:
    subject: Subject
    generator: WarpGenerator
    maps: HeadRenderer

    @property
    def head(self) -> HeadShape:
        return self.subject.head

    @property
    def reference(self) -> Reference:
        return self.subject.require_reference()

    @property
    def image(self) -> np.ndarray:
        return self.reference.image.numpy()

    @property
    def motion(self) -> Motion:
        return self.reference.motion

    @property
    def camera(self) -> Camera:
        return self.reference.camera

    def motion_with(
        self,
        actions: Mapping[str, float] = MappingProxyType({}),
        *,
        yaw: float = 0.0,
        pitch: float = 0.0,
        gaze: tuple[float, float] = (0.0, 0.0),
    ) -> Motion:
        """The reference's motion with actions set, the head rotated about the neck (degrees), the gaze moved (rad)."""
        return motion_with(self.head, self.motion, actions, yaw=yaw, pitch=pitch, gaze=gaze)


def motion_with(
    head: HeadShape,
    motion: Motion,
    actions: Mapping[str, float] = MappingProxyType({}),
    *,
    yaw: float = 0.0,
    pitch: float = 0.0,
    gaze: tuple[float, float] = (0.0, 0.0),
) -> Motion:
    """See `DemoSubject.motion_with`."""
    turn = Rotation.from_euler("yx", [yaw, pitch], degrees=True).as_matrix().astype(np.float32)
    rotation, translation = motion.rotation[0].numpy(), motion.translation[0].numpy()
    neck = rotation @ head.joints[0].numpy() + translation
    expression = motion.expression.clone()
    for name, value in actions.items():
        expression[:, index(name)] = value
    return Motion(
        expression[0],
        motion.gaze[0].numpy() + np.asarray(gaze, np.float32),
        turn @ rotation,
        turn @ (translation - neck) + neck,
    )


def fixed_sigma() -> np.ndarray:
    """[52] standard deviations that are 0.15 in the fit, 0.4 of lids and jaw; nothing of what landmarks do not show."""
    sigma = np.full(len(ACTIONS), 0.15 / EVIDENCE_SCALE, np.float32)
    sigma[[a.startswith("mouthClose") for a in ACTIONS]] = 0.15  # which the fit does not scale
    sigma[[a.startswith(("eyeBlink", "jawOpen")) for a in ACTIONS]] = 0.4
    sigma[[a.startswith(("noseSneer", "cheekPuff", "cheekSquint", "tongueOut", "eyeLook")) for a in ACTIONS]] = np.inf
    return sigma


def demo_subject() -> DemoSubject:
    """The demo photo's astronaut, fitted, in a crop of 384 px; maps at 256 px.

    The landmark network's scores are her expression as they are, with fixed deviations, so that what is tested of
    images does not depend on the weights of the expression network.
    """
    image = read_image(PHOTO)
    face = find_face(image, 0, PHOTO)
    points, evidence = face.points[None], ExpressionEvidence(face.blendshapes[None], fixed_sigma()[None])
    subject = fit_identity(open_head(), points, image.shape[1], image.shape[0], evidence)
    motion = fit_frames(subject, points, np.zeros(0, bool), evidence=evidence)
    camera = subject.camera.cropped(CROP.x0, CROP.y0, CROP.size, CROP.output_px)
    reference = Reference(torch.from_numpy(CROP.extract(image)), motion, camera)
    generator = WarpGenerator(subject.head, reference)
    maps = HeadRenderer(subject, reference, size=256)
    return DemoSubject(subject.replace(references=(reference,)), generator, maps)
