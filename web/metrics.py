"""What Prometheus reads."""

from fastapi import APIRouter, Request, Response

from web.access import Viewer
from worker import metrics

router = APIRouter()


@router.get("/metrics", include_in_schema=False)
def read(request: Request, _: Viewer) -> Response:
    """As text, in Prometheus's own format."""
    return Response(metrics.exposition(request.app.state.engine), headers={"Content-Type": metrics.CONTENT_TYPE})
