"""``/metrics``: what the stores and this process tell Prometheus."""

from __future__ import annotations

from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.responses import Response

from tagtray.app.metrics import server
from tagtray.web.context import Shared

router = APIRouter(tags=["status"])


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {}}}},
)
def metrics(context: Shared) -> Response:
    """Metrics of the ledger, the queue and this process, for Prometheus; with a token, it sends that."""
    found = generate_latest(server.registry(context.engine, context.settings))
    return Response(found, media_type=CONTENT_TYPE_LATEST)
