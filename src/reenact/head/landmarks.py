# SPDX-License-Identifier: Apache-2.0
"""MediaPipe's 478 face landmarks: which of them are lips, lids, brows and irises.

Lines of lips run from the subject's right to their left, those of lids from an eye's outer corner to its inner one.
"""

from __future__ import annotations

from typing import Final

LANDMARKS: Final = 478
FACE_LANDMARKS: Final = 468
"""The first ones lie on the skin, the others on the irises."""


def _ring(lower: tuple[int, ...], upper: tuple[int, ...]) -> tuple[int, ...]:
    """Join two lines with common ends to a ring."""
    return (*lower, *reversed(upper[1:-1]))


FACE_OVAL: Final = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152, 148, 176, 149,
    150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)  # fmt: skip
"""It slides along the silhouette as the head turns: these are no material points."""
UPPER_OUTER_LIP: Final = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291)
LOWER_OUTER_LIP: Final = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291)
UPPER_INNER_LIP: Final = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308)
LOWER_INNER_LIP: Final = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308)
OUTER_LIPS: Final = _ring(LOWER_OUTER_LIP, UPPER_OUTER_LIP)
INNER_LIPS: Final = _ring(LOWER_INNER_LIP, UPPER_INNER_LIP)
LIPS: Final = (*OUTER_LIPS, *INNER_LIPS)
RIGHT_UPPER_LID: Final = (33, 246, 161, 160, 159, 158, 157, 173, 133)
RIGHT_LOWER_LID: Final = (33, 7, 163, 144, 145, 153, 154, 155, 133)
LEFT_UPPER_LID: Final = (263, 466, 388, 387, 386, 385, 384, 398, 362)
LEFT_LOWER_LID: Final = (263, 249, 390, 373, 374, 380, 381, 382, 362)
RIGHT_LIDS: Final = _ring(RIGHT_LOWER_LID, RIGHT_UPPER_LID)
LEFT_LIDS: Final = _ring(LEFT_LOWER_LID, LEFT_UPPER_LID)
EYE_CORNERS: Final = ((362, 263), (133, 33))
"""Inner and outer, of the subject's left eye first."""
RIGHT_BROW: Final = (46, 53, 52, 65, 55, 70, 63, 105, 66, 107)
LEFT_BROW: Final = (276, 283, 282, 295, 285, 300, 293, 334, 296, 336)
NOSE: Final = (168, 6, 197, 195, 5, 4, 1, 19, 94, 2, 48, 278, 64, 294, 98, 327, 129, 358)
"""Bridge, tip, base and wings."""
IRIS: Final = (tuple(range(473, 478)), tuple(range(468, 473)))
"""Centre and four points of the edge, of the subject's left eye first."""
