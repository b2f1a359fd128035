"""Pages from the package's own templates and files; nothing is loaded from elsewhere."""

import hashlib
from functools import cache
from pathlib import Path
from typing import Any

from fastapi import Response
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

from models.state import FINAL
from web import charts
from web.words import FILTERS

STATIC = Path(__file__).with_name("static")


@cache
def static(name: str) -> str:
    """The URL of a file, with a mark of its content, so that browsers keep it for good."""
    digest = hashlib.blake2b((STATIC / name).read_bytes(), digest_size=6).hexdigest()
    return f"/static/{name}?{digest}"


templates = Environment(
    loader=PackageLoader("web"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
templates.globals |= {"static": static, "charts": charts, "FINAL": FINAL}
templates.filters |= FILTERS


def page(name: str, *, status: int = 200, **values: Any) -> Response:
    """A rendered template."""
    return HTMLResponse(templates.get_template(name).render(**values), status)
