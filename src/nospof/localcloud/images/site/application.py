"""What the demonstration site does beside its pages: comments and uploads, both in its database.

    /comments, /files              for browsers: a list and a form
    /comments.json, /files.json    for programs: the list; a comment is posted to its list
    /files/NAME                    PUT keeps a file, GET brings it, with its hash as its ETag
    /health/database               whether comments can be read now

Nothing is acknowledged (201, or the redirect a form gets) before it is kept. A writer gives each
comment an id of its own, and a file its name, so that asking twice writes once. What could not be
done now is answered 503 with Retry-After: it may have been done.

/health goes on to say whether this instance can serve its pages. Were it to ask the database, which
all instances share, its outage would take the pages away everywhere.
"""

from __future__ import annotations

import email
import email.policy
import html
import json
import os
import re
import urllib.parse
import uuid
from dataclasses import replace
from http import HTTPStatus

from . import server
from .comments import Comment, Comments
from .database import Database, Unavailable
from .server import TYPES, Answer, Request, plain
from .uploads import KINDS, MAX_BYTES, Upload, Uploads, is_name, is_what_it_is_called, kind_of

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
METHODS_OF_A_FILE = ("GET", "HEAD", "PUT")
HTML, JSON = TYPES[".html"], TYPES[".json"]
NOT_KEPT = "Cache-Control: no-store\r\n"
# Under one name there is one content for ever, and a browser is not to guess what it is.
OF_A_FILE = 'ETag: "{sha256}"\r\nCache-Control: public, max-age=31536000, immutable\r\n' + (
    "X-Content-Type-Options: nosniff\r\n"
)
COMMENT_FORM = """
<form method="post" action="/comments">
  <input type="hidden" name="id" value="{id}">
  <label>Your name <input name="name" maxlength="100" autocomplete="name" required></label>
  <label>What you think of the paint
    <textarea name="text" rows="4" maxlength="4000" required></textarea></label>
  <button>Send</button>
</form>
"""
FILE_FORM = """
<form method="post" action="/files" enctype="multipart/form-data">
  <label>A picture or a document, of {megabytes} MB at most
    <input type="file" name="file" accept="{accept}" required></label>
  <button>Upload</button>
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
        if request.path.startswith("/files/"):
            return MAX_BYTES if request.method == "PUT" else 0
        return COMMENT_BYTES if request.path in METHODS else -1

    async def answer(self, request: Request) -> Answer:
        """Answer a whole request. Never raises."""
        allowed = METHODS.get(request.path, METHODS_OF_A_FILE)
        if request.method not in allowed:
            return replace(plain(HTTPStatus.METHOD_NOT_ALLOWED), extra=f"Allow: {', '.join(allowed)}\r\n")
        try:
            return await self._answer(request)
        except Refused as error:
            return self._said(request, HTTPStatus.BAD_REQUEST, error)
        except Conflict as error:
            return self._said(request, HTTPStatus.CONFLICT, error)
        except (Unavailable, OSError) as error:
            print(f"{request.method} {request.path}: {error}", flush=True)  # noqa: T201
            answer = self._said(request, HTTPStatus.SERVICE_UNAVAILABLE, error)
            return replace(answer, extra=f"{answer.extra}Retry-After: 1\r\n")

    async def _answer(self, request: Request) -> Answer:
        is_read = request.method in ("GET", "HEAD")
        if request.path.startswith("/files/"):
            name = urllib.parse.unquote(request.path.removeprefix("/files/"))
            return await (self._bring(name, request) if is_read else self._keep(name, request.body))
        if is_read:
            return await self._show(request.path)
        if request.path == "/comments.json":
            return await self._take(comment_of_json(request.body))
        if request.path == "/comments":
            await self._take(comment_of_form(request.body))
        else:
            await self._keep(*file_of_form(request))
        return Answer(HTTPStatus.SEE_OTHER, extra=f"Location: {request.path}\r\n")

    async def _show(self, path: str) -> Answer:
        if path == "/comments":
            return self._page_of(path, "Comments", comments_in_html(await self._comments.latest(SHOWN)))
        if path == "/files":
            return self._page_of(path, "Files", files_in_html(await self._uploads.latest(SHOWN)))
        if path == "/files.json":
            return in_json(HTTPStatus.OK, {"files": [vars(one) for one in await self._uploads.all()]})
        if path == "/comments.json":
            return in_json(HTTPStatus.OK, {"comments": [vars(one) for one in await self._comments.all()]})
        await self._comments.latest(1)
        return Answer(HTTPStatus.OK, body=b"ok\n")

    async def _take(self, comment: Comment) -> Answer:
        if not await self._comments.add(comment):
            raise Conflict(f"another comment has the id {comment.id}")
        return in_json(HTTPStatus.CREATED, {"id": comment.id})

    async def _keep(self, name: str, content: bytes) -> Answer:
        if not is_name(name):
            kinds = " ".join(KINDS)
            raise Refused(f"a file is named with letters, digits, - and _, and ends with one of {kinds}")
        if not is_what_it_is_called(name, content):
            raise Refused(f"{name} is not what its name says: its content begins as something else does")
        if not await self._uploads.add(name, content):
            raise Conflict(f"there is another file named {name}: give yours another name")
        return replace(
            in_json(HTTPStatus.CREATED, {"name": name}), extra=f"Location: /files/{name}\r\n{NOT_KEPT}"
        )

    async def _bring(self, name: str, request: Request) -> Answer:
        found = await self._uploads.content(name) if is_name(name) else None
        if found is None:
            return plain(HTTPStatus.NOT_FOUND)
        content, sha256 = found
        extra = OF_A_FILE.replace("{sha256}", sha256)
        if sha256 in request.headers.get("if-none-match", ""):
            return Answer(HTTPStatus.NOT_MODIFIED, extra=extra)
        return Answer(HTTPStatus.OK, kind_of(name), content, extra)

    def _page_of(self, path: str, title: str, main: str, status: HTTPStatus = HTTPStatus.OK) -> Answer:
        text = self._page.replace(f'<a href="{path}">', f'<a href="{path}" aria-current="page">')
        text = text.replace("{title}", title).replace("{main}", main)
        return Answer(status, HTML, text.encode(), NOT_KEPT)

    def _said(self, request: Request, status: HTTPStatus, error: Exception) -> Answer:
        """Return an answer that says what went wrong: a page to who sent a form, else JSON."""
        if request.method == "PUT" or request.path.endswith(".json"):
            return in_json(status, {"error": str(error)})
        note = f'<p class="note">{html.escape(str(error))}.</p><p><a href="{request.path}">Back</a></p>'
        return self._page_of(request.path, "That did not work", note, status)


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
        f"<article><h2>{html.escape(one.name)}</h2>"
        f'<time datetime="{one.at}">{one.at[:16].replace("T", " ")} UTC</time>'
        f"<p>{html.escape(one.text)}</p></article>"
        for one in comments
    ]
    return COMMENT_FORM.replace("{id}", uuid.uuid4().hex) + "\n".join(articles)


def files_in_html(files: list[Upload]) -> str:
    """Return the form, and below it the pictures and the names of the rest."""
    form = FILE_FORM.replace("{accept}", ",".join(KINDS)).replace("{megabytes}", str(MAX_BYTES >> 20))
    pictures = [
        f'<figure><a href="/files/{one.name}"><img src="/files/{one.name}" alt="" loading="lazy"></a>'
        f"<figcaption>{one.name}</figcaption></figure>"
        for one in files
        if one.is_picture
    ]
    others = [
        f'<li><a href="/files/{one.name}">{one.name}</a> <small>{one.bytes:,} bytes</small></li>'
        for one in files
        if not one.is_picture
    ]
    shown = f'<div class="pictures">{"".join(pictures)}</div>' * bool(pictures)
    return form + shown + f"<ul>{''.join(others)}</ul>" * bool(others)


def in_json(status: HTTPStatus, value: object) -> Answer:
    """Return an answer for programs."""
    return Answer(status, JSON, json.dumps(value).encode() + b"\n", NOT_KEPT)


def main() -> int:
    """Serve the site of the machine this runs in."""
    with open(os.path.join(os.path.dirname(__file__), "page.html"), encoding="utf-8") as file:
        page = file.read()
    database = Database("etc/web.database")
    return server.main(Guestbook(Comments(database), Uploads(database), page))
