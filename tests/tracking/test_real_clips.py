# SPDX-License-Identifier: Apache-2.0
"""Real performers, where the test clips are there: amplitude and closure, which synthetic truth cannot prove.

Lids, tongues and cuts are the detector's and the network's word, which refinement by flow leaves alone: it is left out.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from reenact.head.arkit import index
from reenact.head.head_model import personalised
from reenact.head.motion import Motion
from reenact.head.open import open_head
from reenact.media import InputError, VideoWriter, probe, read_frames
from reenact.tracking import TrackOptions, track

CLIPS = Path(__file__).parents[3] / "shared" / "data" / "dev" / "clips"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not CLIPS.is_dir(), reason="needs the real clips in ../shared/data/dev"),
]


PLAIN = TrackOptions(refine="none")


def face_height_px(motion: Motion) -> float:
    """Forehead to chin at the median distance."""
    clip = motion.require_clip()
    neutral = open_head().topology.at_landmarks(personalised(open_head(), clip.identity[0]).neutral).numpy()
    height_m = float(np.linalg.norm(neutral[10] - neutral[152]))
    return float(clip.focal_px[0] * height_m / motion.translation[:, 2].median())


def test_a_broad_smile_is_an_expression_with_teeth_showing() -> None:
    motion = track(open_head(), CLIPS / "liveportrait_d0.mp4").motion
    clip = motion.require_clip()
    assert len(motion) == 78 and clip.seen.all() and (clip.shot == 0).all()
    assert clip.residual_px.median() < 0.007 * face_height_px(motion)
    names = ("mouthSmileLeft", "mouthSmileRight", "mouthUpperUpLeft", "mouthUpperUpRight")
    shown = motion.expression[:, [index(n) for n in names]].mean(dim=1)
    assert shown[:10].mean() < 0.15 < 0.35 < shown[30:50].mean() and shown[-5:].mean() < 0.2


def test_winks_are_tracked_eye_by_eye() -> None:
    motion = track(open_head(), CLIPS / "alp_driving_video.mp4", PLAIN).motion
    left, right = (motion.expression[:, index(f"eyeBlink{side}")].numpy() for side in ("Left", "Right"))
    assert (right - left).max() > 0.3  # one eye shut, the other open
    assert np.minimum(left, right).max() > 0.4  # and, at another time, both
    assert motion.expression[:, index("jawOpen")].max() < 0.2  # the lips stay closed throughout


def test_a_tongue_put_out_is_told_from_one_behind_the_teeth(tmp_path: Path) -> None:
    """Of one performer: put out in frames 425 to 435, behind bared teeth in 490 to 505."""
    frames = [f for f in islice(read_frames(probe(CLIPS / "liveportrait_d6.mp4")), 506) if f.index >= 425]
    chosen = [f for f in frames if f.index <= 435 or f.index >= 490]
    height, width = chosen[0].image.shape[:2]
    with VideoWriter(tmp_path / "tongue.mp4", Fraction(30), width, height, crf=8) as writer:
        for frame in chosen:
            writer.write(frame.image)
    motion = track(open_head(), tmp_path / "tongue.mp4", PLAIN).motion
    out = motion.expression[:, index("tongueOut")]
    assert out[:11].median() > 0.7 and out[13:].max() == 0.0


def test_a_cut_starts_a_new_shot_or_ends_the_first() -> None:
    clip = CLIPS / "hellomeme_jgz.mp4"
    motion = track(open_head(), clip, PLAIN).motion
    assert len(motion) == 59 and [shot.start for shot in motion.shots()] == [0, 31]
    assert len(motion.require_clip().identity) == len(motion.require_clip().focal_px) == 2
    assert len(track(open_head(), clip, TrackOptions(cuts="first", refine="none")).motion) == 31
    with pytest.raises(InputError, match=r"hellomeme_jgz\.mp4 has a cut at frame 31"):
        track(open_head(), clip, TrackOptions(cuts="fail"))
