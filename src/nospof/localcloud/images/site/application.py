"""What the demonstration site does beside its pages: comments in its database, uploads on its disk.

    /comments, /files              for browsers: a list and a form
    /comments.json, /files.json    for programs: the list; a comment is posted to its list
    /files/NAME                    PUT keeps a file; it is read like any page
    /health/database               whether comments can be read now

Nothing is acknowledged (201, or the redirect a form gets) before it is kept. A writer gives each
comment an id of its own, and a file its name, so that asking twice writes once. What could not be
done now is answered 503 with Retry-After: it may have been done.

/health goes on to say whether this instance can serve its pages. Were it to ask the database, which
all instances share, its outage would take the pages away everywhere.
"""

from __future__ import annotations

import asyncio
import email
import email.policy
import html
import json
import os
import re
import urllib.parse
import uuid
from http import HTTPStatus

from . import server
from .database import Comment, Comments, Unavailable
from .server import TYPES, Answer, Request, plain
from .uploads import MAX_BYTES, SUFFIXES, Uploads

COMMENT_BYTES = 64 << 10
SHOWN = 100
ID = re.compile(r"[A-Za-z0-9._-]{1,100}")
NAME_CHARACTERS, TEXT_CHARACTERS = 100, 4000
MULTIPART_BYTES = 64 << 10  # what a form adds to the file it carries
METHODS = {
    "/comments": ("GET", "HEAD", "POST"),
    "/comments.json": ("GET", "HEAD", "POST"),
    "/files": ("GET", "HEAD", "POST"),
    "/files.json": ("GET", "HEAD"),
    "/health/database": ("GET", "HEAD"),
}
HTML, JSON = TYPES[".html"], TYPES[".json"]
COMMENT_FORM = """
<form method="post" action="/comments">
  <input type="hidden" name="id" value="{id}">
  <p><label>Your name<br><input name="name" maxlength="100" required></label></p>
  <p><label>What you think of the paint<br>
    <textarea name="text" rows="4" maxlength="4000" required></textarea></label></p>
  <p><button>Send</button></p>
</form>
"""
FILE_FORM = """
<form method="post" action="/files" enctype="multipart/form-data">
  <p><label>A picture or a document<br><input type="file" name="file" accept="{accept}" required></label></p>
  <p><button>Upload</button></p>
</form>
"""


class Refused(ValueError):
    """The request asks for what cannot be, whoever asks and whenever."""


class Conflict(Exception):
    """Another content has the name or the id this one asks for."""


class Guestbook:
    """The application.

    Args:
        comments: where comments are kept.
        uploads: where files are kept.
        page: an HTML page with {title} and {main} in it.
    """

    def __init__(self, comments: Comments, uploads: Uploads, page: str) -> None:
        self._comments = comments
        self._uploads = uploads
        self._page = page

    def accepts(self, request: Request) -> int:
        """Return how many bytes of a body it takes with this request, -1 when the request is not for it."""
        if request.path == "/files":
            return MAX_BYTES + MULTIPART_BYTES
        if request.path.startswith("/files/") and request.method == "PUT":
            return MAX_BYTES
        return COMMENT_BYTES if request.path in METHODS else -1

    async def answer(self, request: Request) -> Answer:
        """Answer a whole request. Never raises."""
        allowed = METHODS.get(request.path, ("PUT",))
        if request.method not in allowed:
            answer = plain(HTTPStatus.METHOD_NOT_ALLOWED)
            return Answer(answer.status, answer.kind, answer.body, f"Allow: {', '.join(allowed)}\r\n")
        try:
            if request.method in ("GET", "HEAD"):
                return await self._show(request.path)
            if request.path == "/comments.json":
                return await self._take(comment_of_json(request.body))
            if request.path == "/comments":
                await self._take(comment_of_form(request.body))
                return Answer(HTTPStatus.SEE_OTHER, extra="Location: /comments\r\n")
            if request.path == "/files":
                await self._keep(*file_of_form(request))
                return Answer(HTTPStatus.SEE_OTHER, extra="Location: /files\r\n")
            return await self._keep(urllib.parse.unquote(request.path.removeprefix("/files/")), request.body)
        except Refused as error:
            return said(HTTPStatus.BAD_REQUEST, error)
        except Conflict as error:
            return said(HTTPStatus.CONFLICT, error)
        except (Unavailable, OSError) as error:
            print(f"{request.method} {request.path}: {error}", flush=True)  # noqa: T201
            return said(HTTPStatus.SERVICE_UNAVAILABLE, error, "Retry-After: 1\r\n")

    async def _show(self, path: str) -> Answer:
        if path == "/comments":
            return self._shown("Comments", comments_in_html(await self._comments.latest(SHOWN)))
        if path == "/files":
            return self._shown("Files", files_in_html(self._uploads.names()))
        if path == "/files.json":
            return in_json(HTTPStatus.OK, {"files": self._uploads.names()})
        if path == "/comments.json":
            return in_json(HTTPStatus.OK, {"comments": [vars(one) for one in await self._comments.all()]})
        await self._comments.latest(1)
        return Answer(HTTPStatus.OK, body=b"ok\n")

    async def _take(self, comment: Comment) -> Answer:
        if not await self._comments.add(comment):
            raise Conflict(f"another comment has the id {comment.id}")
        return in_json(HTTPStatus.CREATED, {"id": comment.id})

    async def _keep(self, name: str, content: bytes) -> Answer:
        if not self._uploads.takes(name):
            kinds = " ".join(SUFFIXES)
            raise Refused(f"a file is named with letters, digits, - and _, and ends with one of {kinds}")
        if not await asyncio.to_thread(self._uploads.add, name, content):
            raise Conflict(f"there is another file named {name}")
        return Answer(HTTPStatus.CREATED, JSON, as_json({"name": name}), f"Location: /files/{name}\r\n")

    def _shown(self, title: str, main: str) -> Answer:
        text = self._page.replace("{title}", title).replace("{main}", main)
        return Answer(HTTPStatus.OK, HTML, text.encode(), "Cache-Control: no-store\r\n")


def comment_of_json(body: bytes) -> Comment:
    """Return the comment a program sends. Raises Refused."""
    try:
        given = json.loads(body)
    except ValueError as error:
        raise Refused(f"the body is not JSON: {error}") from error
    if not isinstance(given, dict):
        raise Refused("the body is not a JSON object with id, name and text")
    return checked(given.get("id"), given.get("name"), given.get("text"))


def comment_of_form(body: bytes) -> Comment:
    """Return the comment a browser sends. Raises Refused."""
    try:
        given = dict(urllib.parse.parse_qsl(body.decode(), max_num_fields=10, errors="strict"))
    except ValueError as error:
        raise Refused(f"the form cannot be read: {error}") from error
    return checked(given.get("id"), given.get("name"), given.get("text"))


def checked(id_: object, name: object, text: object) -> Comment:
    """Return a comment whose parts are what they should be. Raises Refused."""
    if not isinstance(id_, str) or not ID.fullmatch(id_):
        raise Refused("id is not 1 to 100 letters, digits, dots, - or _: give each comment one of its own")
    for part, value, longest in (("name", name, NAME_CHARACTERS), ("text", text, TEXT_CHARACTERS)):
        if not isinstance(value, str) or not 1 <= len(value) <= longest or "\0" in value:
            raise Refused(f"{part} is not a text of 1 to {longest} characters")
    return Comment(id_, str(name), str(text))


def file_of_form(request: Request) -> tuple[str, bytes]:
    """Return name and content of the file a browser sends. Raises Refused."""
    head = f"Content-Type: {request.headers.get('content-type', '')}\r\n\r\n".encode("latin-1")
    form = email.message_from_bytes(head + request.body, policy=email.policy.HTTP)
    for part in form.iter_parts() if form.is_multipart() else ():
        name = part.get_filename()
        if name is not None:
            content = part.get_payload(decode=True)
            return tidied(name), content if isinstance(content, bytes) else b""
    raise Refused("the form carries no file")


def tidied(name: str) -> str:
    """Return a visitor's name of a file as it is named here: "My Boat.JPG" is My-Boat.jpg."""
    stem, dot, suffix = name.rpartition(".")
    return re.sub(r"[^A-Za-z0-9_-]+", "-", stem).strip("-_") + dot + suffix.lower()


def comments_in_html(comments: list[Comment]) -> str:
    """Return the form and the comments below it."""
    articles = [
        f"<article><h2>{html.escape(one.name)}</h2><time>{one.at}</time><p>{html.escape(one.text)}</p></article>"
        for one in comments
    ]
    return COMMENT_FORM.replace("{id}", uuid.uuid4().hex) + "\n".join(articles)


def files_in_html(names: list[str]) -> str:
    """Return the form and the files below it."""
    links = [f'<li><a href="/files/{name}">{name}</a></li>' for name in names]
    return FILE_FORM.replace("{accept}", ",".join(SUFFIXES)) + f"<ul>{''.join(links)}</ul>"


def in_json(status: HTTPStatus, value: object) -> Answer:
    """Return an answer for programs."""
    return Answer(status, JSON, as_json(value), "Cache-Control: no-store\r\n")


def as_json(value: object) -> bytes:
    """Return a value as one line of JSON."""
    return json.dumps(value).encode() + b"\n"


def said(status: HTTPStatus, error: Exception, extra: str = "") -> Answer:
    """Return an answer that says what went wrong."""
    return Answer(status, JSON, as_json({"error": str(error)}), extra)


def main() -> int:
    """Serve the site of the machine this runs in."""
    with open(os.path.join(os.path.dirname(__file__), "page.html"), encoding="utf-8") as file:
        page = file.read()
    return server.main(Guestbook(Comments("etc/web.database"), Uploads("srv/www/files"), page))
