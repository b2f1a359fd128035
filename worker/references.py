"""`{{ ROLE }}` and `{{ ROLE of KEY }}` in a row's input: an output of a job that comes before it. Pure.

ROLE is what the output is to its job (image, video, text …), or `output` for its first. KEY is the job's;
it may be left out where the row comes after one job alone.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from worker.wording import shown

BRACES = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
FORM = re.compile(r"([a-z_]+)(?:\s+of\s+(.+))?", re.DOTALL)
#: The role that stands for whichever output is the first.
FIRST = "output"


@dataclass(frozen=True, slots=True)
class Reference:
    """`start`, `end`: where it stands in its text."""

    role: str
    key: str | None
    start: int
    end: int


def references(text: str) -> Iterator[Reference]:
    """All that a text refers to. Raises ValueError for braces that are no reference."""
    end = 0
    for found in BRACES.finditer(text):
        end = found.end()
        form = FORM.fullmatch(found[1].strip())
        if form is None:
            raise ValueError(
                f"has {shown(found[0])}, which names no output; write it as {{{{ text of KEY }}}} or {{{{ output }}}}"
            )
        yield Reference(form[1], form[2], *found.span())
    if (open_at := text.find("{{", end)) >= 0:
        raise ValueError(f"has {shown(text[open_at : open_at + 30])}, whose braces end nowhere; close them with }}}}")


def is_reference(text: str) -> bool:
    """Whether it is one, and nothing else."""
    found = BRACES.fullmatch(text.strip())
    return found is not None and FORM.fullmatch(found[1].strip()) is not None
