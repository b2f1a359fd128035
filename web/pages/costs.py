"""What was spent, and what may be."""

from typing import Any, Literal

from fastapi import APIRouter, Response

from web.access import Viewer
from web.database import Database
from web.queries import spending
from web.templating import page

router = APIRouter()

#: Models that a chart tells apart; the others together.
SERIES = 6


@router.get("/costs")
def costs(database: Database, caller: Viewer, days: Literal["7", "30", "90"] = "30") -> Response:
    found = spending.read(database.connection(), days=int(days))
    names = [each.name for each in found.models[:SERIES]]
    columns: list[dict[str, float]] = [series(each, names) for each in found.days]
    return page("costs.html", caller=caller, here="/costs", found=found, days=days, names=names, columns=columns)


def series(day: spending.Day, names: list[str]) -> dict[str, float]:
    """A day's costs by the number of the model's colour."""
    made: dict[str, Any] = {}
    for model, cost in day.by_model.items():
        place = str(names.index(model) if model in names else SERIES)
        made[place] = made.get(place, 0.0) + float(cost)
    return made
