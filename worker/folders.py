"""Where the files lie that rows name: anywhere, for who is at this machine; among the uploads, for who is not. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

#: A file of this machine; one that came over the network, and its name: what it is by SHA-256, with its suffix.
FILE, UPLOAD = "file://", "upload:"
OBJECT = re.compile(r"s3://[^/]+/.*[^/]")
NAME = re.compile(r"[0-9a-f]{64}(\.[a-z0-9]{1,8})?")


@dataclass(frozen=True, slots=True)
class Uploads:
    """The files that rows from the network may name, as `upload:NAME`. `place`: an absolute path, or s3://….

    `along`: files that came with the rows, by the names that they had → their names here.
    """

    place: str
    along: Mapping[str, str] = field(default_factory=dict)

    def find(self, given: str) -> str:
        """Where the file of such a name is; what is none, as it is. Raises ValueError for a name that cannot be."""
        if given in self.along:
            return f"{self.place}/{self.along[given]}"
        if not given.startswith(UPLOAD):
            return given
        name = given.removeprefix(UPLOAD)
        if NAME.fullmatch(name) is None:
            raise ValueError("is what no upload is called; give it as the upload's answer had it")
        return f"{self.place}/{name}"


Files = Path | Uploads


def placed(folder: Files, given: str) -> str:
    """What a row names, with an upload's name made its place. Raises ValueError."""
    if given.startswith("s3://") and OBJECT.fullmatch(given) is None:
        raise ValueError("names no object; write it as s3://bucket/name")
    return folder.find(given) if isinstance(folder, Uploads) else given


def file_in(folder: Files, given: str) -> Path:
    """The file of this machine that a row names; relative ones start from the folder.

    Raises ValueError for one that may not be named; the message goes on after the value.
    """
    path = path_of(given) if given.startswith(FILE) else Path(given)
    if isinstance(folder, Path):
        return Path(folder, path).absolute()
    if not path.is_absolute() or path.parent != Path(folder.place):
        raise ValueError("cannot be: from here no files of the server can be named; upload it, or give a URL or s3://…")
    return path


def path_of(url: str) -> Path:
    """Where a file:// URL leads."""
    return Path(unquote(urlsplit(url).path))
