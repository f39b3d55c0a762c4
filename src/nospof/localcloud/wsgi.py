"""The HTTP face: the admin API, moto's services, and AWS-shaped answers for everything else.

moto answers what it does not know with an HTML page and status 500, which AWS's clients take for a
broken server and repeat; here it is a client's error in the protocol of the service. Browsers are
refused: a page somebody visits must not start machines on this computer.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable
from html import escape
from typing import Any

from botocore.model import OperationNotFoundError
from moto.moto_server.werkzeug_app import create_backend_app
from werkzeug.test import run_wsgi_app
from werkzeug.wrappers import Request, Response

from nospof.localcloud import health, iam
from nospof.localcloud.admin import PREFIX, Admin
from nospof.localcloud.awserrors import AwsError
from nospof.localcloud.faults import Faults
from nospof.localcloud.nothing import Nothing, asked_for, none_of
from nospof.localcloud.remembered import Dispatcher

log = logging.getLogger(__name__)

MAX_BODY_BYTES = 16 * 1024 * 1024
OWN_NAMES = ("localhost", "127.")


class Application:
    """The WSGI application.

    Args:
        admin: answers what is under /_nospof/.
        faults: the rules of injection, for what moto is not asked.
    """

    def __init__(self, admin: Admin, faults: Faults) -> None:
        self._admin = admin
        self._faults = faults
        self._moto = Dispatcher(create_backend_app)

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Serve one request."""
        return self._respond(Request(environ), environ)(environ, start_response)

    def _respond(self, request: Request, environ: dict[str, Any]) -> Response:
        if request.headers.get("Origin") or not request.host.startswith(OWN_NAMES):
            return _json(
                403, {"error": "The local cloud answers AWS clients of this computer, not browsers."}
            )
        if (request.content_length or 0) > MAX_BODY_BYTES:
            return aws_error(request, "RequestEntityTooLarge", "The request is too large.", 413)
        if request.path.startswith(PREFIX):
            return _json(*self._admin.answer(request.method, request.path, request.get_data()))
        if not service_of(request) and "X-Amz-Credential" not in request.args:
            return aws_error(request, "MissingAuthenticationToken", "The request is not signed.", 403)
        question = asked_for(request, environ, service_of(request))
        try:
            self._check(request, question)
        except AwsError as error:
            return aws_error(request, str(error.code), str(error.message), error.status)
        if question is not None:
            rule = self._faults.for_call(question.sdk or question.service, question.operation, "")
            if rule:
                return aws_error(request, rule.code, rule.error().message or rule.code, rule.status)
            return none_of(question, request)
        if service_of(request) == health.SERVICE:
            return self._ask_health(request)
        return self._ask_moto(request, environ)

    def _ask_health(self, request: Request) -> Response:
        operation, body = request.headers.get("X-Amz-Target", "").rpartition(".")[2], request.get_data()
        rule = self._faults.for_call(health.SERVICE, operation, body.decode("utf-8", "replace"))
        try:
            if rule:
                raise rule.error()
            iam.check_read(f"{health.SERVICE}:{operation}", dict(request.headers))
            asked = json.loads(body or b"{}")
            return _json(200, health.answer(operation, asked if isinstance(asked, dict) else {}))
        except ValueError as error:
            return aws_error(request, "SerializationException", f"The body is not JSON: {error}.")
        except AwsError as error:
            return aws_error(request, str(error.code), str(error.message), error.status)

    @staticmethod
    def _check(request: Request, question: Nothing | None) -> None:
        """Check the permission for what does not pass through moto's dispatch of calls."""
        action = ""
        if question is not None:
            operation = request.method if question.service == "apigateway" else question.operation
            action = f"{question.service}:{operation}"
        elif service_of(request) == "s3" and (request.method, request.path) == ("GET", "/"):
            action = "s3:ListAllMyBuckets"
        if action:
            iam.check_read(action, dict(request.headers))

    def _ask_moto(self, request: Request, environ: dict[str, Any]) -> Response:
        not_offered = f"The local cloud does not offer this operation of '{service_of(request)}'."
        try:
            body, status, headers = run_wsgi_app(self._moto, environ, buffered=True)
        except OperationNotFoundError as error:
            return aws_error(
                request, "InvalidAction", f"The action is not valid for this web service: {error}"
            )
        except Exception:
            log.exception("%s %s", service_of(request), request.path)
            return aws_error(request, "InvalidAction", not_offered)
        if headers.get("Content-Type", "").startswith("text/html") and int(status.split()[0]) >= 400:
            return aws_error(request, "InvalidAction", not_offered)
        return Response(b"".join(body), status=status, headers=headers)


def service_of(request: Request) -> str:
    """Return the service of the credential scope the request was signed for, or an empty string."""
    # AWS4-HMAC-SHA256 Credential=AKID/20261125/us-east-1/ec2/aws4_request, SignedHeaders=...
    scope = request.headers.get("Authorization", "").partition("Credential=")[2].split(",")[0].split("/")
    return scope[3] if len(scope) == 5 else ""


def aws_error(request: Request, code: str, message: str, status: int = 400) -> Response:
    """Return an error in the protocol the request speaks: S3's XML, EC2's, query XML, or JSON."""
    kind = request.headers.get("Content-Type", "")
    if service_of(request) == "s3":
        text = f"<Error><Code>{escape(code)}</Code><Message>{escape(message)}</Message></Error>"
        return Response(text, status=status, content_type="application/xml")
    if kind.startswith("application/x-www-form-urlencoded"):
        error = f"<Code>{escape(code)}</Code><Message>{escape(message)}</Message>"
        if service_of(request) == "ec2":
            text = f"<Response><Errors><Error>{error}</Error></Errors><RequestID>none</RequestID></Response>"
        else:
            text = (
                f"<ErrorResponse><Error><Type>Sender</Type>{error}</Error>"
                "<RequestId>none</RequestId></ErrorResponse>"
            )
        return Response(text, status=status, content_type="text/xml")
    response = _json(status, {"__type": code, "message": message})
    response.headers["x-amzn-ErrorType"] = code
    return response


def _json(status: int, document: dict[str, Any]) -> Response:
    return Response(json.dumps(document) + "\n", status=status, content_type="application/json")
