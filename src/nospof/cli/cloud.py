"""`nospof cloud`: the local cloud, started and stopped by hand."""

from __future__ import annotations

import functools
import shlex
from collections.abc import Callable
from typing import Any, TypeVar

import click

from nospof.cli.options import format_option
from nospof.errors import PreconditionFailed
from nospof.localcloud import control
from nospof.localcloud.errors import LocalCloudError
from nospof.render.answers import to_json

F = TypeVar("F", bound=Callable[..., Any])

name_option = click.option("--name", default="default", show_default=True, help="Which local cloud.")


def in_our_words(function: F) -> F:
    """Turn the local cloud's error into ours: it refused, and nothing was changed."""

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except LocalCloudError as error:
            raise PreconditionFailed(str(error)) from error

    return call  # type: ignore[return-value]  # wraps keeps the signature


@click.group()
def cloud() -> None:
    """The local cloud: an AWS endpoint on this computer, whose instances are real processes.

    \b
    nospof cloud start
    eval $(nospof cloud env)
    aws ec2 describe-images --owners self
    """  # noqa: D301 - \b is click's mark for a paragraph left as it is


@cloud.command()
@name_option
@click.option("--port", default=0, help="The port of 127.0.0.1; else the first free one from 4566.")
@in_our_words
def start(name: str, port: int) -> None:
    """Start a local cloud, or find the one of that name that runs."""
    endpoint = control.start(name, port)
    click.echo(f"{endpoint.url} (process {endpoint.pid}); use it: eval $(nospof cloud env --name {name})")


@cloud.command()
@name_option
@format_option
@in_our_words
def status(name: str, output_format: str) -> None:
    """Say what runs in a local cloud."""
    seen = control.status(name)
    if output_format == "json":
        click.echo(to_json(seen))
        return
    click.echo(f"{name} runs (process {seen['pid']}), kept in {seen['dir']}")
    for machine in seen["machines"]:
        click.echo("  " + "  ".join(str(value) for value in machine.values()))


@cloud.command()
@name_option
@in_our_words
def stop(name: str) -> None:
    """Stop a local cloud; its disks stay, and the next start boots again what was running."""
    control.stop(name)
    click.echo(f"{name} is stopped; its disks are kept")


@cloud.command()
@name_option
@in_our_words
def reset(name: str) -> None:
    """Stop a local cloud and delete everything in it."""
    control.reset(name)
    click.echo(f"{name} is gone")


@cloud.command()
@name_option
@in_our_words
def env(name: str) -> None:
    """Print the variables that point AWS clients here: eval $(nospof cloud env)."""
    # Each ends in a semicolon: unquoted, $(...) makes one line of them.
    for key, value in control.environment(name).items():
        click.echo(f"export {key}={shlex.quote(value)};")
    click.echo("unset AWS_PROFILE AWS_SESSION_TOKEN;")
