"""The dashboard's pages, a file for each."""

from typing import Any

from fastapi import APIRouter

from web.access import Viewer
from web.templating import page

router = APIRouter(include_in_schema=False)


@router.get("/")
def now(caller: Viewer) -> Any:
    return page("now.html", caller=caller)
