"""Which files of a source a schedule takes, by patterns of their paths. Pure.

As in a shell with `**`: `*` and `?` stop at `/`, `**/` is any folders or none, `{a,b}` either; `!` in front takes
away. What begins with a dot is hidden. Case makes no difference: recorders write `.WAV`.
"""

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from wcmatch import glob

#: The containers that recordings come in.
SOUND = "**/*.{wav,mp3,m4a,aac,ogg,oga,opus,flac,webm,mp4,mkv,mov}"
FLAGS = glob.GLOBSTAR | glob.BRACE | glob.NEGATE | glob.IGNORECASE | glob.FORCEUNIX


def parse_patterns(given: Sequence[str]) -> list[str]:
    """The patterns, or SOUND where there is none. Raises ValueError for one that no path can match."""
    for each in given:
        check(each)
    if given and all(each.startswith("!") for each in given):
        raise ValueError(f"{given[0]!r} only takes away; name what is to be taken too, such as **/*.m4a")
    return list(given) or [SOUND]


def check(pattern: str) -> None:
    body = pattern.removeprefix("!")
    if not body.strip():
        raise ValueError(f"{pattern!r} is empty; write a pattern such as **/*.m4a")
    if body.startswith("/") or {"", ".", ".."} & set(body.rstrip("/").split("/")):
        raise ValueError(f"{pattern!r} matches nothing: paths are relative to the source, without ./, ../ and //")
    if body.endswith("/"):
        raise ValueError(f"{pattern!r} is a folder; {pattern}** are the files in it")
    try:
        glob.compile(body, flags=FLAGS)
    except Exception:  # noqa: BLE001 - the library has no public name for it
        raise ValueError(f"{pattern!r} stands for too many patterns") from None


@dataclass(frozen=True, slots=True)
class Patterns:
    """Which paths (relative to the source, with `/`) match one of the patterns and none of those with `!`."""

    takes: Callable[[str], bool]
    #: Whether there is anything to be had in hidden folders, and how many folders deep.
    hidden: bool
    depth: float

    @classmethod
    def of(cls, patterns: Sequence[str]) -> "Patterns":
        wanted = [each for each in patterns if not each.startswith("!")]
        return cls(
            takes=glob.compile(list(patterns), flags=FLAGS).match,
            hidden=any(re.search(r"(^|[/{,])\.", each) for each in wanted),
            depth=math.inf if any("**" in each for each in wanted) else max(each.count("/") for each in wanted),
        )

    def enters(self, folder: str) -> bool:
        """Whether files in this folder, or below, may match: a disk's snapshots are not looked through in vain."""
        hidden = folder.rpartition("/")[2].startswith(".")
        return folder.count("/") < self.depth and (self.hidden or not hidden)
