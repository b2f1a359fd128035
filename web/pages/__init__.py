"""The dashboard's pages, a file for each."""

from typing import Any

from fastapi import APIRouter

from web.access import Viewer
from web.pages import login
from web.templating import page

router = APIRouter(include_in_schema=False)
router.include_router(login.router)


@router.get("/")
def now(caller: Viewer) -> Any:
    return page("now.html", caller=caller)
