"""`nospof serve` and `nospof worker`: the web API, and who does what is asked of it."""

from __future__ import annotations

import threading
from ipaddress import ip_address
from pathlib import Path
from typing import Any, get_args
from urllib.parse import urlsplit

import click

from nospof import bootstrap
from nospof.cli.options import cloud_options
from nospof.errors import UsageError
from nospof.model.asked import Role

FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.command()
@click.option("--bind", default="127.0.0.1", show_default=True, metavar="ADDRESS", help="Where to listen.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8787, show_default=True, help="0 takes a free one."
)
@click.option(
    "--origin",
    default="",
    metavar="URL",
    help="How browsers reach it, such as https://ops.example.com, where that is by a proxy or a name.",
)
@click.option("--tls-certificate", type=FILE, help="Speak TLS, with this certificate and those above it.")
@click.option("--tls-key", type=FILE, help="The certificate's key.")
@click.option("--no-worker", is_flag=True, help="Only accept what is asked for; `nospof worker` does it.")
@click.option("--settings", type=click.Path(path_type=Path), metavar="FILE", help="Else ./nospof.yaml.")
@click.option("--print-token", is_flag=True, help="Print the token to come in with, and end.")
@click.option(
    "--role",
    type=click.Choice(get_args(Role)),
    default="operator",
    show_default=True,
    help="Whose token is printed: a viewer changes nothing.",
)
@cloud_options
def serve(**options: Any) -> None:
    """Serve the console and its web API for one account and region, on this computer only unless told.

    Its questions and answers are those of the commands, under /api/v1; what they are stands in
    /api/v1/openapi.json, and pages for a browser stand beside them. Come in with a token: `curl -H
    "Authorization: Bearer $(nospof serve --print-token)" http://127.0.0.1:8787/api/v1/services`. A
    procedure that is asked for runs in a process of its own, which goes on where this one ends.
    """
    from nospof.console.guard import tokens_in

    tokens = tokens_in(bootstrap.state_directory())
    if options["print_token"]:
        click.echo(tokens[options["role"]])
        return
    try:
        from nospof.console.server import Wishes, serve_until_told
    except ModuleNotFoundError as error:
        raise UsageError(f"{error.name} is not installed here: pip install 'nospof[console]'") from error

    bootstrap.choose_place(options["region"], options["profile"])
    refuse_in_the_clear(options)
    serve_until_told(
        Wishes(
            bind=options["bind"],
            port=options["port"],
            origin=origin_of(options["origin"]),
            certificate=options["tls_certificate"],
            key=options["tls_key"],
            works=not options["no_worker"],
        ),
        tokens,
        bootstrap.read_settings(options["settings"]),
        lambda line: click.echo(line, err=True),
    )


def refuse_in_the_clear(options: dict[str, Any]) -> None:
    """Refuse to send tokens over a network that others may read.

    Raises:
        UsageError: it would.
    """
    if bool(options["tls_certificate"]) != bool(options["tls_key"]):
        raise UsageError("--tls-certificate and --tls-key go together")
    try:
        is_here = ip_address(options["bind"]).is_loopback
    except ValueError as error:
        raise UsageError(
            f"--bind: {options['bind']!r} is no IP address; 127.0.0.1 is this computer"
        ) from error
    if not is_here and not options["tls_certificate"]:
        raise UsageError(
            f"--bind {options['bind']} would send tokens over the network in the clear: add "
            "--tls-certificate and --tls-key, or listen on 127.0.0.1 behind a proxy that speaks TLS, named "
            "with --origin"
        )


def origin_of(given: str) -> str:
    """Return a URL's origin.

    Raises:
        UsageError: it is none.
    """
    if not given:
        return ""
    found = urlsplit(given)
    if found.scheme not in ("http", "https") or not found.netloc or found.path.strip("/") or found.username:
        raise UsageError(f"--origin: {given!r} is no origin; write it as https://ops.example.com")
    return f"{found.scheme}://{found.netloc.lower()}"


@click.command()
@cloud_options
def worker(**options: Any) -> None:
    """Do what was asked of a web API that was started with --no-worker, until the end.

    Each run is a process of its own, which goes on where this one ends. Several workers of several machines
    may share the queue, where NOSPOF_DATABASE_URL names it.
    """
    from nospof.services.asking import keep_working, work

    bootstrap.choose_place(options["region"], options["profile"])
    queue, journal, hands = bootstrap.open_asked(), bootstrap.open_journal(), bootstrap.open_hands()
    click.echo("working on what is asked for; Ctrl-C ends this, and no run", err=True)
    keep_working(
        lambda: work(queue, journal, hands), lambda line: click.echo(line, err=True), threading.Event().wait
    )
