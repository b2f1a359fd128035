"""How fast long recordings are cut, and in how much memory: `python -m bench.audio [--hours 2] [--ffmpeg PATH]`.

Makes ten minutes of speech of the sandbox's, repeats them, and cuts them in a process of its own: decode, split,
encode. Where there is an ffmpeg it does the same: decode, find the silences, cut every 29.5 s, encode.
"""

import argparse
import json
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import av

from sandbox.recordings import FORMATS, record
from sandbox.tones import WORDS, recite
from worker.audio.decode import Recording
from worker.audio.encode import to_mp3, to_wav
from worker.audio.plan import Rules
from worker.audio.split import split

TEN_MINUTES_S = 600
SECONDS_A_WORD = 0.27
ENCODE = {"wav": to_wav, "mp3": to_mp3}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--hours", type=float, default=2.0)
    parser.add_argument("--ffmpeg", default=shutil.which("ffmpeg"))
    parser.add_argument("--one", type=Path, help="cut this file and say what it took")
    parser.add_argument("--pieces", choices=ENCODE, default="wav")
    args = parser.parse_args()
    if args.one:
        cut(args.one, args.pieces)
        return
    with tempfile.TemporaryDirectory() as folder:
        for suffix in (".mp3", ".m4a"):
            long = Path(folder, f"long{suffix}")
            make(long, hours=args.hours)
            for pieces in ENCODE:
                found = json.loads(
                    subprocess.check_output(
                        [sys.executable, "-m", "bench.audio", "--one", str(long), "--pieces", pieces]
                    )
                )
                speed = found["seconds"] / found["cpu_s"]
                print(
                    f"{suffix} 44.1 kHz stereo, {found['seconds'] / 3600:.1f} h → {found['pieces']} {pieces} pieces: "
                    f"{found['cpu_s']:.1f} s of CPU, {speed:.0f}× real time, {found['peak_mb']:.0f} MB at most"
                )
                if args.ffmpeg:
                    ffmpeg_s = by_ffmpeg(args.ffmpeg, long, pieces, Path(folder))
                    print(f"    ffmpeg: {ffmpeg_s:.1f} s of CPU; ratio {found['cpu_s'] / ffmpeg_s:.2f}")


def make(path: Path, *, hours: float) -> None:
    """Ten minutes of speech, coded once and repeated."""
    rnd = random.Random(1)
    count = int(TEN_MINUTES_S / SECONDS_A_WORD)
    words = [(rnd.choice(WORDS), 0.5 if rnd.random() < 0.05 else 0.09) for _ in range(count)]
    short = path.with_stem("short")
    record(short, recite(words), layout="stereo", as_rate=44100, bit_rate=128_000)
    with av.open(str(path), "w", format=FORMATS.get(path.suffix)) as target:
        stream = None
        shift = 0
        for _ in range(round(hours * 3600 / TEN_MINUTES_S)):
            end = 0
            with av.open(str(short), "r") as source:
                stream = stream or target.add_stream_from_template(source.streams.audio[0])
                for packet in source.demux(source.streams.audio[0]):
                    if packet.dts is not None and packet.pts is not None:
                        packet.pts += shift
                        packet.dts += shift
                        end = packet.pts + (packet.duration or 0)
                        packet.stream = stream
                        target.mux(packet)
            shift = end


def cut(path: Path, pieces: str) -> None:
    began_s = time.process_time()
    count = 0
    end_s = 0.0
    with Recording(path) as recording:
        for piece in split(recording.blocks(), Rules()):
            ENCODE[pieces](piece.samples)
            count, end_s = count + 1, piece.end_s
    peak_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(
        json.dumps(
            {
                "pieces": count,
                "seconds": end_s,
                "cpu_s": time.process_time() - began_s,
                "peak_mb": peak_kb / 1024,
            }
        )
    )


def by_ffmpeg(ffmpeg: str, path: Path, pieces: str, folder: Path) -> float:
    """Seconds of CPU."""
    before = children_s()
    silences = ["-af", "silencedetect=noise=-40dB:d=0.25"]
    segments = ["-f", "segment", "-segment_time", "29.5", str(folder / f"piece%05d.{pieces}")]
    rate = ["-b:a", "48k"] if pieces == "mp3" else []
    command = [ffmpeg, "-v", "error", "-threads", "1", "-i", str(path), "-ac", "1", "-ar", "16000"]
    subprocess.run([*command, *silences, *rate, *segments], check=True)
    return children_s() - before


def children_s() -> float:
    times = os.times()
    return times.children_user + times.children_system


if __name__ == "__main__":
    main()
