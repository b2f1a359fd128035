"""Which paths a pattern takes."""

import re

import pytest

from worker.patterns import Patterns, parse_patterns

TAKES = {
    "any folder or none": (["**/*.m4a"], ["a.m4a", "x/a.m4a", "x/y/a.m4a"], ["a.wav", "a.m4a/b", "am4a"]),
    "the top alone": (["*.m4a"], ["a.m4a"], ["x/a.m4a"]),
    "one folder deep": (["*/*.m4a"], ["x/a.m4a"], ["a.m4a", "x/y/a.m4a"]),
    "a folder, and all in it": (["talks/**"], ["talks/a.m4a", "talks/x/b.wav"], ["a.m4a", "old/talks/a.m4a"]),
    "case makes no difference": (["**/*.wav"], ["REC001.WAV", "x/a.Wav"], []),
    "either": (["**/*.{mp3,wav}"], ["a.mp3", "x/a.wav"], ["a.m4a"]),
    "more than one": (["**/*.mp3", "**/*.wav"], ["a.mp3", "a.wav"], ["a.m4a"]),
    "but not these": (["**/*.wav", "!old/**", "!**/*-draft.*"], ["a.wav"], ["old/a.wav", "x/a-draft.wav"]),
    "one character": (["day-?.mp3"], ["day-1.mp3", "day-ü.mp3"], ["day-.mp3", "day-10.mp3", "day-/.mp3"]),
    "one of these": (["[a-c]*.mp3", "![!ab]*"], ["a.mp3", "bx.mp3"], ["c.mp3"]),
    "hidden ones are not taken": (["**/*.m4a"], [], ["._REC.m4a", ".trash/a.m4a", "x/.y/a.m4a"]),
    "unless they are named": (["**/.kept/*.m4a"], [".kept/a.m4a"], ["x/.other/a.m4a"]),
    "a character as it is": ([r"a\*b.mp3", "[[]x].mp3"], ["a*b.mp3", "[x].mp3"], ["axb.mp3"]),
    "odd names": (["**/*.wav"], ["100% #1 (ü).wav", "a\nb.wav", "a b/c.wav"], []),
    "by default all that sounds": ([], ["a.wav", "x/B.MP3", "c.m4a", "d.opus", "e.mp4", "f.mkv"], ["a.txt", "b.json"]),
}


@pytest.mark.parametrize(("patterns", "taken", "left"), TAKES.values(), ids=TAKES)
def test_patterns(patterns: list[str], taken: list[str], left: list[str]) -> None:
    takes = Patterns.of(parse_patterns(patterns)).takes
    assert [each for each in [*taken, *left] if takes(each)] == taken


BAD = {
    "": "is empty; write a pattern such as **/*.m4a",
    "!": "is empty",
    "/srv/a.m4a": "paths are relative to the source",
    "../a.m4a": "paths are relative to the source",
    "a//b": "paths are relative to the source",
    "talks/": "'talks/' is a folder; talks/** are the files in it",
    "!old/**": "'!old/**' only takes away; name what is to be taken too",
    "{1..1000000}": "stands for too many patterns",
}


@pytest.mark.parametrize(("pattern", "said"), BAD.items())
def test_a_pattern_that_takes_nothing_is_refused(pattern: str, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        parse_patterns([pattern])


ENTERS = {
    "any": (["**/*.wav"], ["a", "a/b/c"], [".snapshot", "a/.git"]),
    "the top alone": (["*.wav"], [], ["a"]),
    "one deep": (["*/*.wav", "!x/**"], ["a"], ["a/b"]),
    "hidden ones that are named": (["**/.kept/*.wav"], [".kept", "a/.kept"], []),
    "either of two depths": (["{a/b,c}/*.wav"], ["a", "a/b"], ["a/b/c"]),
}


@pytest.mark.parametrize(("patterns", "entered", "left"), ENTERS.values(), ids=ENTERS)
def test_folders_without_anything_to_take_are_not_entered(
    patterns: list[str], entered: list[str], left: list[str]
) -> None:
    enters = Patterns.of(parse_patterns(patterns)).enters
    assert [each for each in [*entered, *left] if enters(each)] == entered
