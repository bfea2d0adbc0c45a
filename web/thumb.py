"""``/thumb/{id}``: a small upright WebP of an image."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from tagtray.config.errors import ImageError, ImageGone
from tagtray.web import problems, schemas
from tagtray.web.context import Shared
from tagtray.web.problems import Problem
from tagtray.web.thumbnails import Size

#: Seconds for which a browser may keep a thumbnail: for ever under an address that changes with the photo.
FOR_EVER, A_WHILE = 31_536_000, 60

router = APIRouter(tags=["images"])


@router.get(
    "/thumb/{image_id}",
    response_class=Response,
    responses={
        200: {"content": {"image/webp": {}}},
        404: {"model": schemas.Problem, "description": "There is no such image, or its file is gone."},
        422: {"model": schemas.Problem, "description": "The image cannot be read."},
    },
)
async def thumb(
    request: Request,
    context: Shared,
    image_id: schemas.ImageId,
    size: Annotated[
        Size, Query(description="small: 320 pixels high at most; large: 1,600 pixels on the longer side.")
    ] = "small",
    v: Annotated[
        str | None, Query(max_length=64, description="The photo's hash: browsers then keep the answer.")
    ] = None,
) -> Response:
    """A small upright WebP of an image."""
    try:
        data, tag = await context.thumbnails.get(image_id, size)
    except ImageGone as error:
        raise Problem(404, "gone", str(error)) from None
    except ImageError as error:
        raise problems.unreadable(error) from None
    headers = {
        "ETag": f'"{tag}"',
        "Cache-Control": f"private, max-age={FOR_EVER}, immutable" if v else f"private, max-age={A_WHILE}",
    }
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    return Response(data, media_type="image/webp", headers=headers)
