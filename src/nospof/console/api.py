"""The web API under /api/v1: the questions, the answers and the refusals of the command line.

Answers are the documents that `--format json` writes. Errors are one envelope, with the exit code that the
command would have ended with. What is done takes a while: it is accepted (202) under a run's id, done by a
process of its own, and followed at /api/v1/runs/{id}/events.
"""

from __future__ import annotations

from collections import Counter
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from nospof import __version__
from nospof.console.api_runs import acting, caller_of, document, following, looking_back
from nospof.console.desk import Desk
from nospof.console.forms import (
    REFUSALS,
    About,
    AuditTerms,
    Deeds,
    Document,
    Health,
    Login,
    Member,
    Members,
    Procedures,
    Service,
    Services,
    Session,
    Written,
)
from nospof.console.guard import COOKIE, SESSION_SECONDS, Guard, Turned
from nospof.model.findings import SEVERITIES, ServiceReport
from nospof.render import RENDERERS
from nospof.render.answers import plain
from nospof.render.documents import render_json
from nospof.render.picture import draw_svg
from nospof.services.asking import asked_procedures, described
from nospof.services.audit import Terms


def make_routes(desk: Desk, guard: Guard, *, is_tls: bool) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(prefix="/api/v1", responses=REFUSALS)
    coming_in(routes, guard, is_tls=is_tls)
    reading(routes, desk)
    of_a_service(routes, desk)
    beside(routes, desk)
    acting(routes, desk)
    looking_back(routes, desk)
    following(routes, desk)
    return routes


def coming_in(routes: APIRouter, guard: Guard, *, is_tls: bool) -> None:
    """Add what makes somebody known."""

    @routes.get("/health", tags=["session"])
    def health() -> Health:
        """Say that this server answers; needs no token."""
        return Health(status="ok", version=__version__)

    @routes.post("/session", tags=["session"])
    def log_in(login: Login, response: Response) -> Session:
        """Trade a token for a session's cookie, as the pages do; programs send the token itself."""
        role, cookie = guard.session(login.token)
        response.set_cookie(
            COOKIE,
            cookie,
            max_age=int(SESSION_SECONDS),
            httponly=True,
            samesite="strict",
            secure=is_tls,
            path="/",
        )
        return Session(role=role)

    @routes.delete("/session", tags=["session"], status_code=204)
    def log_out(request: Request, response: Response) -> None:
        """End this browser's session, wherever else its cookie is."""
        guard.end(request.cookies.get(COOKIE, ""))
        response.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict")


def reading(routes: APIRouter, desk: Desk) -> None:
    """Add the questions."""

    @routes.get("/about", tags=["reading"])
    def about(request: Request) -> About:
        """Say what account and region this server is about, and what you may do."""
        role = caller_of(request).role
        return About(version=__version__, place=desk.place(), role=role, procedures=list(asked_procedures()))

    @routes.get("/audit", tags=["reading"], response_model=Document)
    def audit(
        what_if: Annotated[list[Annotated[str, Query(max_length=300)]] | None, Query(max_length=20)] = None,
        fresh: bool = False,
    ) -> Response:
        """Find every single point of failure: what `nospof audit --format json` writes.

        The account is read anew where the last reading is older than 15 s, or with `fresh`.
        """
        report = desk.report(tuple(what_if or ()), is_new=fresh)
        return Response(render_json(report), media_type="application/json")

    @routes.get("/audit/report", tags=["reading"])
    def written(terms: Annotated[AuditTerms, Query()]) -> Written:
        """Write the same as `nospof audit` does, in any of its forms, on its terms."""
        survive = tuple(one.strip() for one in terms.survive.split(",") if one.strip())
        asked = Terms(
            service=terms.service,
            survive=survive,
            what_if=tuple(terms.what_if),
            slo=terms.slo,
            fail_on=terms.fail_on,
            allows_incomplete=terms.allow_incomplete,
        )
        report = desk.audit(asked, is_new=terms.fresh)
        render = RENDERERS[terms.format]
        text = render(report, pairs=terms.order == "2") if terms.format == "text" else render(report)
        return Written(text=text, verdict=report.verdict, exit_code=int(report.exit_code))

    @routes.get("/services", tags=["reading"])
    def services(fresh: bool = False) -> Services:
        """List the services with what is wrong with them, at a glance."""
        report = desk.report(is_new=fresh)
        return Services(
            read_at=report.read_at,
            verdict=report.verdict,
            complete=report.is_complete,
            services=[glance(one) for one in report.services],
        )


def of_a_service(routes: APIRouter, desk: Desk) -> None:
    """Add the questions about one service."""

    @routes.get(
        "/services/{service:path}/picture.svg",
        tags=["reading"],
        response_class=Response,
        responses={200: {"content": {"image/svg+xml": {"schema": {"type": "string"}}}}},
    )
    def picture(service: Service) -> Response:
        """Draw a service: tiers downwards, zones side by side, single points red."""
        return Response(draw_svg(desk.service(service)), media_type="image/svg+xml")

    @routes.get("/services/{service:path}/members", tags=["reading"])
    def members(service: Service) -> Members:
        """Say how its instances are now: checks, what their balancers say, what clients have open there."""
        seen = [{**plain(one), "serves": one.serves} for one in desk.members(service)]
        return Members.model_validate({"members": seen})

    @routes.get("/services/{service:path}/data", tags=["reading"], response_model=Document)
    def data(service: Service) -> Response:
        """Say how a service's data is kept in step: what `nospof data status --format json` writes."""
        return document(desk.data(service))


def beside(routes: APIRouter, desk: Desk) -> None:
    """Add the questions about what is ahead, what can be asked for, and who did what."""

    @routes.get("/events", tags=["reading"], response_model=Document)
    def events() -> Response:
        """List announced maintenance: what `nospof maintain events --format json` writes."""
        return document(desk.events())

    told = Procedures.model_validate({"procedures": [described(one) for one in asked_procedures()]})
    procedures_json = told.model_dump_json()

    @routes.get("/procedures", tags=["reading"], response_model=Procedures)
    def procedures() -> Response:
        """List the procedures and what each can be asked."""
        return Response(procedures_json, media_type="application/json")

    @routes.get("/deeds", tags=["reading"])
    def deeds(request: Request) -> Deeds:
        """List who did what through this API, newest first; for operators."""
        if caller_of(request).role != "operator":
            raise Turned(403, "the log is for operators")
        return Deeds.model_validate({"deeds": [plain(one) for one in desk.deeds()]})


def glance(service: ServiceReport) -> Member:
    """Return a service at a glance; findings that somebody accepted count for nothing."""
    counts = Counter(one.severity for one in service.findings if one.suppressed is None)
    return Member(
        name=service.name,
        entry=service.entry,
        members=list(service.members),
        zones=list(service.zones),
        findings={severity: counts[severity] for severity in SEVERITIES if counts[severity]},
    )
