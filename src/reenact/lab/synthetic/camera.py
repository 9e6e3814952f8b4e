# SPDX-License-Identifier: Apache-2.0
"""From light to a picture: exposure, white balance, tone curve, lens blur, sensor noise, JPEG. Seeded a frame."""

from __future__ import annotations

import cv2
import numpy as np

from .noise import rng
from .scene import Scene

Image = np.ndarray  # uint8 RGB [H, W, 3]


def develop(light: np.ndarray, scene: Scene, frame: int) -> Image:
    """[H, W, 3] linear light -> uint8 RGB. `frame` numbers the sensor noise, so that a video's flickers."""
    size = light.shape[1]
    sigma = scene.blur * size / 256
    if sigma > 0.15:
        light = cv2.GaussianBlur(light, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
    value = light * scene.balance * 2.0**scene.exposure
    grey = value @ np.asarray([0.2126, 0.7152, 0.0722], np.float32)
    value = np.maximum(grey[..., None] + scene.saturation * (value - grey[..., None]), 0.0)
    # A shoulder instead of clipping, as cameras have; 0.8 of full light still shows its colour.
    value = value / (1.0 + 0.22 * value) * 1.1
    encoded = np.where(value <= 0.0031308, 12.92 * value, 1.055 * np.maximum(value, 1e-6) ** (1 / 2.4) - 0.055)
    encoded = 255.0 * (0.5 + scene.contrast * (encoded - 0.5))
    if scene.noise > 0:
        draw = rng(scene.seed, f"sensor{frame}")
        grain = draw.standard_normal(light.shape, dtype=np.float32)
        grain = 0.7 * grain + 0.6 * grain.mean(-1, keepdims=True)
        # Sensors are noisier where it is dark, once the tone curve has lifted it.
        encoded = encoded + scene.noise * grain * (1.25 - 0.5 * np.clip(encoded / 255, 0, 1))
    image = np.clip(np.round(encoded), 0, 255).astype(np.uint8)
    if scene.jpeg is not None:
        packed = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, scene.jpeg])[1]
        image = np.ascontiguousarray(np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR))[..., ::-1])
    return image
