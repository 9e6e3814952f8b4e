# SPDX-License-Identifier: Apache-2.0
"""Sound stays the same bytes and in step, to the millisecond."""

import logging
from fractions import Fraction
from pathlib import Path

import av
import pytest
from made_clips import lag_s, make_clip, sound_packets

from reenact.media import VideoWriter, probe, read_frames

NTSC = Fraction(1001, 30000)
RATE_HZ = 44100


def rewrite(source: Path, target: Path, most: int = 10**9) -> None:
    """What the program does with a performance, but for the acting."""
    info = probe(source)
    with VideoWriter(target, info.fps, info.width, info.height, audio_from=source) as writer:
        for frame in read_frames(info):
            if frame.index < most:
                writer.write(frame.image)


def lengths(path: Path) -> tuple[Fraction, Fraction]:
    """Durations in s of the video and of the audio track."""
    with av.open(str(path)) as container:
        video, audio = container.streams.video[0], container.streams.audio[0]
        assert video.duration and video.time_base and audio.duration and audio.time_base
        return video.duration * video.time_base, audio.duration * audio.time_base


def test_ntsc_film_keeps_its_length_and_its_sound_bit_for_bit(tmp_path: Path) -> None:
    source, target = tmp_path / "in.mp4", tmp_path / "out.mp4"
    make_clip(source, range(90), NTSC, sound="aac", sound_seconds=3.003)
    rewrite(source, target)
    assert sound_packets(target) == sound_packets(source)
    assert probe(target).fps == 1 / NTSC
    assert lengths(target)[0] == lengths(source)[0] == 90 * NTSC
    assert abs(lengths(target)[1] - lengths(source)[1]) <= NTSC
    assert lag_s(source, RATE_HZ, 0.0) == pytest.approx(0, abs=0.001)
    assert lag_s(target, RATE_HZ, 0.0) == pytest.approx(0, abs=0.001)


@pytest.mark.parametrize(
    ("encoder", "suffix", "rate_hz"),
    [
        ("aac", ".mkv", 44100),
        ("libmp3lame", ".mp4", 44100),
        ("ac3", ".mkv", 48000),
        ("eac3", ".mp4", 48000),
        ("libopus", ".mkv", 48000),
        ("flac", ".mkv", 44100),
        ("alac", ".mp4", 44100),
    ],
)
def test_what_mp4_can_hold_is_copied(tmp_path: Path, encoder: str, suffix: str, rate_hz: int) -> None:
    source, target = tmp_path / f"in{suffix}", tmp_path / "out.mp4"
    make_clip(source, range(40), Fraction(1, 25), sound=encoder, sound_rate_hz=rate_hz)
    rewrite(source, target)
    copied, given = sound_packets(target), sound_packets(source)
    # The source's sound is 0.2 s longer than its pictures, and that is left out.
    assert len(copied) > 10 and copied == given[: len(copied)]
    assert abs(lengths(target)[1] - lengths(target)[0]) <= Fraction(1, 25)
    assert lag_s(target, rate_hz, 0.0) - lag_s(source, rate_hz, 0.0) == pytest.approx(0, abs=0.001)


@pytest.mark.parametrize(
    ("encoder", "suffix", "rate_hz"),
    [("pcm_s16le", ".mkv", 44100), ("pcm_s16le", ".avi", 22050), ("libmp3lame", ".mkv", 8000)],
)
def test_what_mp4_cannot_hold_is_encoded_anew_and_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, encoder: str, suffix: str, rate_hz: int
) -> None:
    source, target = tmp_path / f"in{suffix}", tmp_path / "out.mp4"
    make_clip(source, range(40), Fraction(1, 25), sound=encoder, sound_rate_hz=rate_hz)
    with caplog.at_level(logging.WARNING):
        rewrite(source, target)
    assert "encoded anew as AAC" in caplog.text and str(source) in caplog.text
    with av.open(str(target)) as container:
        assert container.streams.audio[0].codec_context.name == "aac"
    assert lengths(target)[1] == pytest.approx(40 / 25, abs=0.025)
    begin_s = float(probe(source).start_s)
    assert lag_s(target, rate_hz, 0.0) == pytest.approx(lag_s(source, rate_hz, 0.0) - begin_s, abs=0.001)


@pytest.mark.parametrize("encoder", ["aac", "flac", "pcm_s16le"])
def test_sound_is_aligned_to_the_first_shown_picture(tmp_path: Path, encoder: str) -> None:
    """Pictures that begin 0.52 s after the sound: what sounded before the first of them goes."""
    source, target = tmp_path / "in.mkv", tmp_path / "out.mp4"
    make_clip(source, range(13, 60), Fraction(1, 25), sound=encoder)
    rewrite(source, target)
    assert probe(source).start_s == Fraction(13, 25)
    assert probe(target).start_s == 0
    # The decoder may deliver the lead-in; a player hears the sound from time zero on.
    assert lag_s(target, RATE_HZ, 0.52) == pytest.approx(0, abs=0.002)


@pytest.mark.parametrize("encoder", ["aac", "alac"])
def test_edit_lists_are_honoured(tmp_path: Path, encoder: str) -> None:
    """Of picture and sound, a player skips the first 0.4 s of this file: so does the copy."""
    source, target = tmp_path / "in.mp4", tmp_path / "out.mp4"
    make_clip(source, range(-10, 40), Fraction(1, 25), sound=encoder)
    assert probe(source).start_s == 0
    rewrite(source, target)
    assert len(list(read_frames(target))) == 40
    assert lag_s(target, RATE_HZ, 0.0) == pytest.approx(lag_s(source, RATE_HZ, 0.0), abs=0.001)


def test_sound_that_starts_late_stays_late(tmp_path: Path) -> None:
    early, source, target = tmp_path / "early.mp4", tmp_path / "in.mp4", tmp_path / "out.mp4"
    make_clip(early, range(30), Fraction(1, 25), sound="aac")
    with av.open(str(early)) as given, av.open(str(source), "w") as late:
        streams = {stream.index: late.add_stream_from_template(stream) for stream in given.streams}
        for packet in given.demux():
            if packet.dts is None or packet.pts is None:
                continue
            if packet.stream.type == "audio":
                shift = round(Fraction(3, 10) / packet.time_base)
                packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
            packet.stream = streams[packet.stream_index]
            late.mux(packet)
    rewrite(source, target)
    assert lag_s(source, RATE_HZ, 0.0) == pytest.approx(0.3, abs=0.001)
    assert lag_s(target, RATE_HZ, 0.0) == pytest.approx(0.3, abs=0.001)


def test_transport_stream_aac_loses_its_headers_only(tmp_path: Path) -> None:
    source, target = tmp_path / "in.ts", tmp_path / "out.mp4"
    make_clip(source, range(40), Fraction(1, 25), sound="aac")
    rewrite(source, target)
    copied, given = sound_packets(target), sound_packets(source)
    assert len(copied) > 10
    assert copied == [packet[7:] for packet in given[: len(copied)]]
    start_s = float(probe(source).start_s)
    assert lag_s(target, RATE_HZ, 0.0) == pytest.approx(lag_s(source, RATE_HZ, 0.0) - start_s, abs=0.001)


def test_sound_stops_with_the_pictures(tmp_path: Path) -> None:
    source, target = tmp_path / "in.mp4", tmp_path / "out.mp4"
    make_clip(source, range(60), NTSC, sound="aac")
    rewrite(source, target, most=20)
    video, audio = lengths(target)
    assert video == 20 * NTSC and abs(audio - video) < NTSC
    copied, given = sound_packets(target), sound_packets(source)
    assert copied == given[: len(copied)] and len(copied) < len(given) / 2


def test_silence_is_no_error(tmp_path: Path) -> None:
    source, target = tmp_path / "in.mp4", tmp_path / "out.mp4"
    make_clip(source, range(5), Fraction(1, 25))
    rewrite(source, target)
    assert not probe(target).audio


def test_broken_sound_costs_no_picture(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    source, target = tmp_path / "in.mkv", tmp_path / "out.mp4"
    make_clip(source, range(50), Fraction(1, 25), sound="mp2")
    packet = sound_packets(source)[20]
    source.write_bytes(source.read_bytes().replace(packet, b"\xff" * len(packet)))
    with caplog.at_level(logging.WARNING):
        rewrite(source, target)
    assert "damaged sound skipped" in caplog.text
    assert len(list(read_frames(target))) == 50
    assert lengths(target)[1] == pytest.approx(2, abs=0.03)


def test_damage_in_copied_sound_stays_where_it_is(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    source, target = tmp_path / "in.ts", tmp_path / "out.mp4"
    make_clip(source, range(50), Fraction(1, 25), sound="aac")
    rewrite(source, target)
    whole = sound_packets(target)
    data = bytearray(source.read_bytes())
    data[data.index(sound_packets(source)[20][:20])] = 0  # its transport header is none any more
    source.write_bytes(data)
    with caplog.at_level(logging.WARNING):
        rewrite(source, target)
    assert "damaged sound skipped" in caplog.text
    copied = sound_packets(target)
    assert copied[:20] == whole[:20] and copied[-60:] == whole[-60:]
    assert len(list(read_frames(target))) == 50


def test_sound_that_lost_its_header_is_encoded_anew(tmp_path: Path) -> None:
    source, target = tmp_path / "in.mkv", tmp_path / "out.mp4"
    make_clip(source, range(50), Fraction(1, 25), sound="flac")
    data = bytearray(source.read_bytes())
    private = data.rindex(b"\x63\xa2", 0, data.index(b"fLaC"))  # Matroska's CodecPrivate
    data[private + 1] = 0xA3
    source.write_bytes(data)
    rewrite(source, target)
    assert len(list(read_frames(target))) == 50
    assert lag_s(target, RATE_HZ, 0.0) == pytest.approx(0, abs=0.001)
