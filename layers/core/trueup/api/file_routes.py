"""Exported files in place of an API: look at one, give it, list what is kept, forget it."""

from __future__ import annotations

import base64
import json
from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Path, Query
from aws_lambda_powertools.event_handler.router import APIGatewayHttpRouter

from trueup import bootstrap
from trueup.api.access import Role
from trueup.api.file_views import given_file_view, look_view
from trueup.api.replies import allowed, written
from trueup.domain.errors import InputInvalid
from trueup.domain.exported_files import FileKind
from trueup.usecases.file_import import GivenFile, forget_file, given_files, import_file, look_at_file

router = APIGatewayHttpRouter()  # type: ignore[no-untyped-call]  # Powertools leaves it without types.

Kind = Annotated[FileKind, Path()]
Columns = Annotated[
    str,
    Query(
        max_length=4000,
        description='Which column is which, as JSON: {"seats": "Users"}; an empty text says that there is none',
    ),
]
BODY = "The body is the file as it was exported (CSV; 5 MB at most), in UTF-8, or with a content type of "
BODY += "application/octet-stream in UTF-16 or Windows-1252 too."


@router.get("/v1/files", tags=["files"], summary="What files are kept, how old they are, and their columns")
def list_files() -> dict[str, Any]:
    allowed(router, Role.VIEWER)
    files = given_files(uploads=bootstrap.state().uploads)
    return {"items": [given_file_view(file, bootstrap.clock().now()) for file in files], "next_cursor": None}


@router.post(
    "/v1/files/<kind>/preview",
    tags=["files"],
    summary="What a file looks like: its header, and which column would be taken for what. Nothing is kept",
    description=BODY,
)
def preview_file(kind: Kind, columns: Columns = "") -> dict[str, Any]:
    allowed(router, Role.PREPARER)
    look = look_at_file(
        kind,
        raw_content(router.current_event.raw_event),
        columns={name: header for name, header in chosen_columns(columns).items() if header},
        files=bootstrap.exported_files(),
        uploads=bootstrap.state().uploads,
    )
    return look_view(look)


@router.put("/v1/files/<kind>", tags=["files"], summary="Give a file: all rows or none", description=BODY)
def put_file(
    kind: Kind,
    columns: Columns = "",
    confirm: Annotated[bool, Query(description="The columns were looked at and are right")] = False,
) -> Response[str]:
    """The columns are confirmed once; the next file of the kind with the same columns needs no word."""
    caller = allowed(router, Role.PREPARER)
    content = raw_content(router.current_event.raw_event)

    def write() -> dict[str, Any]:
        given = import_file(
            kind,
            content,
            columns=chosen_columns(columns),
            is_confirmed=confirm,
            actor=caller.name,
            files=bootstrap.exported_files(),
            uploads=bootstrap.state().uploads,
            clock=bootstrap.clock(),
        )
        return given_file_view(given, bootstrap.clock().now())

    return written(router, caller, write)


@router.delete("/v1/files/<kind>", tags=["files"], summary="Forget a file")
def delete_file(kind: Kind) -> Response[str]:
    caller = allowed(router, Role.PREPARER)

    def write() -> dict[str, Any]:
        forget_file(kind, actor=caller.name, uploads=bootstrap.state().uploads, clock=bootstrap.clock())
        return given_file_view(GivenFile(kind, None, {}), bootstrap.clock().now())

    return written(router, caller, write)


def raw_content(event: dict[str, Any]) -> bytes:
    """The body's own bytes; they need not be UTF-8."""
    text = str(event.get("body") or "")
    return base64.b64decode(text) if event.get("isBase64Encoded") else text.encode(errors="surrogatepass")


def chosen_columns(text: str) -> dict[str, str]:
    """What a person says of the columns. Raises InputInvalid (``columns``)."""
    if not text:
        return {}
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict) or not all(isinstance(header, str) for header in found.values()):
        raise InputInvalid(
            "columns is no JSON object of texts", field="columns", remedy='Send it as {"seats": "Users"}.'
        )
    return {str(name): header for name, header in found.items()}
