"""The console's pages: rendered here, and each act on them is a call of the web API.

They read without scripts, work by keyboard and on a phone, in light and in dark, and load nothing from
elsewhere.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from importlib.resources import files
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from nospof.console.api import glance
from nospof.console.desk import Desk
from nospof.console.forms import RunId
from nospof.console.guard import Turned
from nospof.errors import ExitCode, NospofError
from nospof.model.findings import SEVERITIES, AuditReport, ServiceReport
from nospof.model.runs import Run
from nospof.render.answers import moment
from nospof.render.page import service_html
from nospof.render.plot import draw_load
from nospof.render.result_text import data_text
from nospof.services.asking import asked_procedures, described
from nospof.services.backups import DISCARDED
from nospof.services.undoing import UNDONE

PARTS = (
    ("/services", "Services"),
    ("/audit", "Audit"),
    ("/runs", "Runs"),
    ("/act", "Act"),
    ("/deeds", "Log"),
)
OPERATORS = ("/act", "/deeds")
MOODS = {ExitCode.FINDINGS: "bad", ExitCode.INCOMPLETE: "warn"}
TAKEN_BACK = (*UNDONE, *DISCARDED, "cut-over")
STATIC = {
    "console.css": ("nospof.console", "static/console.css", "text/css"),
    "console.js": ("nospof.console", "static/console.js", "text/javascript"),
    "icon.svg": ("nospof.console", "static/icon.svg", "image/svg+xml"),
    "page.css": ("nospof.render", "page.css", "text/css"),
    "page.js": ("nospof.render", "page.js", "text/javascript"),
}
SHOWN = (
    "instance_id",
    "service",
    "run_id",
    "zone",
    "twin_id",
    "command",
    "by",
    "port",
    "path",
    "health_path",
)
"""The fields that most people say; the others are folded."""
TYPED = ("str", "int", "float", "bool", "tuple[str, ...]", "tuple[int, ...]")
"""What can be typed into a page. What has parts of its own, such as a drill's writes, is for the API."""
MOST_WHOLE = 20
"""So many services are shown whole on one page: each is some 20 kB."""
LINKED = ("instance_id", "service", "run_id")
"""What a link may fill in: nobody is to agree to what a link of somebody else has filled in."""


def about(run: Run) -> str:
    """Return what a run is about."""
    request = run.request
    return (
        f"{run.procedure} {request.get('instance_id') or request.get('service') or request.get('run_id', '')}"
    )


PAGES = Environment(loader=PackageLoader("nospof.console"), autoescape=True, undefined=StrictUndefined)
PAGES.filters |= {"at": moment, "about": about, "data": data_text}
PAGES.filters |= {"words": lambda name: name.replace("_", " "), "json": partial(json.dumps, indent=2)}


class Shown:
    """Renders pages for whoever asks."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def page(self, request: Request, template: str, title: str, status: int = 200, **more: Any) -> Response:
        """Return a page."""
        caller = request.state.caller
        here = next((path for path, _ in PARTS if request.url.path.startswith(path)), "")
        role = caller.role if caller else ""
        parts = [one for one in PARTS if role == "operator" or one[0] not in OPERATORS]
        place = self._desk.place() if role else ""
        text = PAGES.get_template(template).render(
            title=title, role=role, parts=parts, here=here, place=place, **more
        )
        return HTMLResponse(text, status)


def make_pages(desk: Desk) -> APIRouter:
    """Return the routes of the pages."""
    routes, shown = APIRouter(include_in_schema=False), Shown(desk)
    files_and_way_in(routes, shown)
    of_services(routes, shown, desk)
    of_runs(routes, shown, desk)
    of_acts(routes, shown)
    return routes


def files_and_way_in(routes: APIRouter, shown: Shown) -> None:
    """Add what is there for everybody."""

    @routes.get("/")
    def first() -> Response:
        return RedirectResponse("/services", 303)

    @routes.get("/static/{name}")
    def static(name: str) -> Response:
        if name not in STATIC:
            raise Turned(404, f"there is no file {name!r}")
        package, path, kind = STATIC[name]
        return Response((files(package) / path).read_bytes(), media_type=kind)

    @routes.get("/login")
    def login(request: Request) -> Response:
        return shown.page(request, "login.html", "Sign in")


def said(report: AuditReport) -> dict[str, Any]:
    """Return what every page says of a report."""
    return {
        "verdict": report.verdict,
        "mood": MOODS.get(report.exit_code, "good"),
        "read_at": report.read_at,
    }


def of_services(routes: APIRouter, shown: Shown, desk: Desk) -> None:
    """Add the pages of what was read."""

    @routes.get("/services")
    def services(request: Request, *, fresh: bool = False) -> Response:
        report = desk.report(is_new=fresh, may_be_old=True)
        found = desk.events(is_new=fresh, may_be_old=True)
        ahead = Counter(one.name for each in found.ahead for one in each.serving)
        rows = [{**glance(one).model_dump(), "events": ahead[one.name]} for one in report.services]
        return shown.page(request, "services.html", "Services", services=rows, **said(report))

    @routes.get("/services/{name:path}/now")
    def now(request: Request, name: str) -> Response:
        return shown.page(
            request,
            "now.html",
            f"{name} now",
            members=told(desk.members, name),
            data=told(desk.data, name),
            asked_at=time.time(),
        )

    @routes.get("/services/{name:path}")
    def service(request: Request, name: str) -> Response:
        found = desk.service(name)
        events = [
            one for one in desk.events(may_be_old=True).ahead if name in {each.name for each in one.serving}
        ]
        return shown.page(
            request,
            "service.html",
            name,
            acts=acts_on(name, found.members),
            events=events,
            drills=desk.drills(name),
            audit=Markup(service_html(found, 0)),  # noqa: S704 - it escapes what was read
            read_at=desk.report(may_be_old=True).read_at,
        )

    @routes.get("/audit")
    def audit(request: Request, what_if: Annotated[str, Query(max_length=300)] = "") -> Response:
        report = desk.report((what_if,) if what_if else (), may_be_old=True)
        whole, others = worst_first(report.services)
        parts = [Markup(service_html(one, number)) for number, one in enumerate(whole)]  # noqa: S704
        return shown.page(
            request,
            "audit.html",
            "Audit",
            what_if=what_if,
            services=parts,
            others=[glance(one).model_dump() for one in others],
            unread=[one.says for one in report.unread],
            **said(report),
        )


def worst_first(services: tuple[ServiceReport, ...]) -> tuple[list[ServiceReport], list[ServiceReport]]:
    """Return the services that a page has room to show whole, the worst, and all others."""

    def how_bad(one: ServiceReport) -> tuple[int, ...]:
        found = glance(one).findings
        return tuple(-found.get(severity, 0) for severity in SEVERITIES)

    ordered = sorted(services, key=how_bad)
    return ordered[:MOST_WHOLE], ordered[MOST_WHOLE:]


def told(ask: Callable[[str], Any], service: str) -> tuple[Any, str]:
    """Return what is known of a service, or why it is not."""
    try:
        return ask(service), ""
    except NospofError as error:
        return None, str(error)


def acts_on(service: str, members: tuple[str, ...]) -> list[tuple[str, str, str]]:
    """Return what can be asked for a service: the procedure, what it is called, and what is known already."""
    of_service = urlencode({"service": service})
    if len(members) == 1:
        one = urlencode({"instance_id": members[0]})
        return [("pair", "Make it two", one), ("clone", "Clone", one)]
    return [
        ("drill", "Drill", of_service),
        ("apply", "Take what is announced", of_service),
        ("backup", "Back up", of_service),
        ("maintain-run", "Run a command on each", of_service),
    ]


def of_runs(routes: APIRouter, shown: Shown, desk: Desk) -> None:
    """Add the pages of runs, and who did what."""

    @routes.get("/runs")
    def runs(request: Request, after: Annotated[str, Query(max_length=100)] = "") -> Response:
        page, following = desk.page(50, after)
        return shown.page(request, "runs.html", "Runs", runs=page, next=following)

    @routes.get("/runs/{run_id}")
    def run(request: Request, run_id: RunId) -> Response:
        found = desk.run(run_id)
        sight = desk.sight(run_id)
        return shown.page(
            request,
            "run.html",
            run_id,
            run=found,
            now=sight,
            load=Markup(draw_load(sight.loads)),  # noqa: S704 - it escapes what instances call themselves
            outcome=desk.outcome(found),
            log=desk.log(run_id),
            undo=found.procedure in TAKEN_BACK,
        )

    @routes.get("/runs/{run_id}/undo")
    def undo(request: Request, run_id: RunId) -> Response:
        return shown.page(request, "undo.html", f"Take apart what {run_id} made", run=desk.run(run_id))

    @routes.get("/deeds")
    def deeds(request: Request) -> Response:
        for_operators(request)
        return shown.page(request, "deeds.html", "Who did what", deeds=desk.deeds())


def of_acts(routes: APIRouter, shown: Shown) -> None:
    """Add the pages on which something is asked for, by operators: first the plan, then a yes."""

    @routes.get("/act")
    def acts(request: Request) -> Response:
        for_operators(request)
        each = [described(one) for one in asked_procedures()]
        return shown.page(request, "acts.html", "What can be done", procedures=each)

    @routes.get("/act/{procedure}")
    def act(request: Request, procedure: str) -> Response:
        for_operators(request)
        if procedure not in asked_procedures():
            raise Turned(404, f"there is no procedure {procedure!r}")
        told = described(procedure)
        entries = [
            {**one, "usual": typed(one["default"]), "value": value_of(one, request)}
            for one in told["fields"]
            if one["type"] in TYPED
        ]
        first = [one for one in entries if one["required"] or one["name"] in SHOWN]
        rest = [one for one in entries if one not in first]
        return shown.page(request, "act.html", procedure, told=told, shown=first, folded=rest)


def for_operators(request: Request) -> None:
    """Turn others away. Raises Turned."""
    if request.state.caller.role != "operator":
        raise Turned(403, "this is for operators; sign in with the operator's token")


def value_of(field: dict[str, Any], request: Request) -> Any:
    """Return what stands in a field at first: as usual, or of the link for what only says which one."""
    usual = field["default"] if field["type"] == "bool" else typed(field["default"])
    return request.query_params.get(field["name"], usual) if field["name"] in LINKED else usual


def typed(value: Any) -> str:
    """Return a field's value as it is typed; several with commas."""
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)


def wrong(request: Request, desk: Desk, status: int, says: str) -> Response:
    """Return the page that says what went wrong."""
    return Shown(desk).page(request, "wrong.html", "That did not work", status, says=says)
