"""What is asked of the web API and answered, as its OpenAPI document says it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import Header, Path
from pydantic import BaseModel, ConfigDict, Field

from nospof.model.findings import FailOn
from nospof.render import RENDERERS

KEY = r"^[\x21-\x7e]{1,200}$"


class ErrorBody(BaseModel):
    """What went wrong, to what, and what to do next."""

    model_config = ConfigDict(extra="allow")
    kind: str
    message: str
    exit_code: int = Field(description="what the command line would have ended with")


class Envelope(BaseModel):
    """Every error, from every route."""

    error: ErrorBody


class Login(BaseModel):
    """A token, to be traded for a session."""

    model_config = ConfigDict(extra="forbid")
    token: str = Field(min_length=1, max_length=200)


class Order(BaseModel):
    """A procedure and what is asked of it."""

    model_config = ConfigDict(extra="forbid")
    procedure: str = Field(description="one of /api/v1/procedures")
    request: dict[str, Any] = Field(default_factory=dict, description="its fields, as the procedure has them")


class CommandLine(BaseModel):
    """What is typed to ask for the same."""

    command: str


class TakingBack(BaseModel):
    """What taking a run back needs to know."""

    model_config = ConfigDict(extra="forbid")
    clients_are_back: bool = Field(
        default=False, description="your word that no client comes in through the load balancer any more"
    )


class Accepted(BaseModel):
    """A run that will be begun or taken up."""

    run_id: str
    act: str
    place: str


class Stopping(BaseModel):
    """A run that was asked to stop after its step."""

    run_id: str
    state: str


class Health(BaseModel):
    """That the server answers."""

    status: str
    version: str


class Session(BaseModel):
    """What a session may do."""

    role: str


class About(BaseModel):
    """What this server is about."""

    version: str
    place: str
    role: str
    procedures: list[str]


class AuditTerms(BaseModel):
    """What is asked of an audit, as the options of `nospof audit`."""

    model_config = ConfigDict(extra="forbid")
    service: str = Field(default="", max_length=300)
    survive: str = Field(default="", max_length=300)
    what_if: list[Annotated[str, Field(max_length=300)]] = Field(default=[], max_length=20)
    slo: float | None = Field(default=None, ge=0, le=100)
    fail_on: FailOn = "low"
    allow_incomplete: bool = False
    order: Literal["1", "2"] = Field(default="1", description="2 lists the pairs of failures, too")
    fresh: bool = Field(default=False, description="read the account anew, however lately it was")
    format: str = Field(default="text", pattern=f"^({'|'.join(RENDERERS)})$")


class Written(BaseModel):
    """A report as the command writes it, and what the command would end with."""

    text: str
    verdict: str
    exit_code: int


class Member(BaseModel):
    """A service at a glance."""

    name: str
    entry: str
    members: list[str]
    zones: list[str]
    findings: dict[str, int]


class Services(BaseModel):
    """The services of the account, as they were read."""

    read_at: float
    verdict: str
    complete: bool
    services: list[Member]


class Seat(BaseModel):
    """Where a member gets traffic from, and what the balancer says of it."""

    group: str
    port: int
    state: str
    reason: str


class Traffic(BaseModel):
    """What clients have open at a member; `problem` is why nobody can tell."""

    requests: int
    idle: int
    problem: str


class MemberNow(BaseModel):
    """An instance of a service at this moment."""

    instance_id: str
    zone: str
    state: str
    checks: str
    seats: list[Seat]
    traffic: Traffic | None
    serves: bool | None = Field(description="null where no balancer asks it, so that nobody knows")


class Members(BaseModel):
    """The instances of a service at this moment."""

    members: list[MemberNow]


class RunSummary(BaseModel):
    """A run without its steps."""

    id: str
    procedure: str
    request: dict[str, Any]
    state: str
    started_at: float
    updated_at: float
    error: str
    attempts: int


class RunPage(BaseModel):
    """Some runs, newest first; `next` is what `after` is for those after them, empty at the end."""

    runs: list[RunSummary]
    next: str


class DeedLine(BaseModel):
    """Who did what."""

    at: float
    role: str
    address: str
    did: str
    status: int
    run_id: str


class Deeds(BaseModel):
    """The log's last lines, newest first."""

    deeds: list[DeedLine]


class FieldSays(BaseModel):
    """A field of a procedure's request."""

    name: str
    type: str
    default: Any
    required: bool
    says: str


class ProcedureSays(BaseModel):
    """A procedure, what it guarantees, and what it can be asked."""

    name: str
    guarantee: str
    has_plan: bool
    fields: list[FieldSays]


class Procedures(BaseModel):
    """All procedures."""

    procedures: list[ProcedureSays]


class Document(BaseModel):
    """What the command line writes with --format json."""

    model_config = ConfigDict(extra="allow")


REFUSALS: dict[int | str, dict[str, Any]] = {
    code: {"model": Envelope, "description": says}
    for code, says in {
        400: "not understood (exit code 2)",
        401: "nobody that is known",
        403: "not allowed to this role, or from this page",
        404: "there is no such thing",
        408: "the request did not come in time",
        409: "refused, and nothing was changed (exit code 3)",
        413: "the request is too long",
        421: "meant for another host",
        422: "understood, and not possible as it stands",
        429: "too many, for now",
        502: "the cloud refused, or did not answer (exit code 5)",
    }.items()
}
RunId = Annotated[str, Path(pattern=r"^[a-z0-9-]{1,100}$", description="a run's id")]
Service = Annotated[str, Path(min_length=1, max_length=200, description="a service's name")]
Key = Annotated[
    str,
    Header(
        alias="Idempotency-Key", pattern=KEY, description="your own name for it: a repeat is the same run"
    ),
]
