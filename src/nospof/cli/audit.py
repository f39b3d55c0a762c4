"""`nospof audit`: what can take my service down?"""

from __future__ import annotations

import gc
import time
from pathlib import Path
from typing import Any, get_args

import click

from nospof import bootstrap
from nospof.cli.options import cloud_options, write_file
from nospof.cli.progress import Watch
from nospof.errors import UsageError
from nospof.model.estate import Estate
from nospof.model.findings import AuditReport, FailOn
from nospof.render import RENDERERS
from nospof.services.audit import Terms, audit_estate
from nospof.services.reading import read_estate

WHAT_IF = (
    "Suppose a change or a failure, such as 'fail zone:eu-west-1a', 'twin i-0ab1 in eu-west-1b', "
    "'set database orders MultiAZ=true', 'remove i-0ab1'. May be given several times."
)
SAVE = "Keep every answer of AWS in a new directory; audit it again with: nospof audit DIR."
FILE = click.Path(path_type=Path)


@click.command()
@click.argument("files", nargs=-1, type=FILE)
@click.option("--service", default="", help="Only this service; else every one that is found.")
@click.option("--parameters", type=FILE, metavar="FILE", help="Parameters of a CloudFormation template.")
@click.option("--settings", type=FILE, metavar="FILE", help="What you know and accept; else ./nospof.yaml.")
@click.option("--survive", default="", help="What a service must survive.  [default: host,rack,zone]")
@click.option("--slo", type=click.FloatRange(0, 100), help="An objective in percent, held against the model.")
@click.option("--what-if", multiple=True, metavar="SENTENCE", help=WHAT_IF)
@click.option(
    "--order",
    type=click.IntRange(1, 2),
    default=1,
    show_default=True,
    help="2: list the pairs of failures that stop a service, too.",
)
@click.option("--baseline", type=FILE, metavar="FILE", help="An earlier report as JSON: mark what is new.")
@click.option(
    "--fail-on",
    type=click.Choice(get_args(FailOn)),
    default="low",
    show_default=True,
    help="The least severity that makes exit code 10; new: what the baseline lacks.",
)
@click.option("--allow-incomplete", is_flag=True, help="Exit 0 although something was not read.")
@click.option("--probe", is_flag=True, help="Look inside the instances too, through Systems Manager.")
@click.option("--save", type=FILE, metavar="DIR", help=SAVE)
@click.option(
    "--format",
    "output_format",
    type=click.Choice(list(RENDERERS)),
    default="text",
    show_default=True,
    help="How the report is written.",
)
@click.option("--output", type=FILE, metavar="FILE", help="Write the report there.")
@cloud_options
def audit(files: tuple[Path, ...], order: int, output_format: str, output: Path | None, **asked: Any) -> int:
    """Find every single point of failure of your services, with the proof and the remedy.

    Without FILES it reads the account. FILES may be a Terraform plan or state as JSON, a CloudFormation
    template, an AWS Config snapshot, the output of `aws ... describe-...`, or what --save kept.

    Exit code 0: none, and everything was read. 10: there are some. 13: something was not read, and it
    is named.
    """
    remote = None if files else bootstrap.open_remote()
    if remote:
        found = remote.audit(query_of(asked, order, output_format))
        put(found.text, found.verdict, output)
        return found.exit_code
    # What an audit makes lives until the end: looking for garbage in it is a quarter of the time.
    gc.disable()
    terms = terms_of(asked)
    now = time.time()
    estate = read_files(files, asked) if files else read_live(asked, now)
    report = audit_estate(estate, terms, now=now, crew_of=bootstrap.crew_of())
    write(report, output_format, output, with_pairs=order == 2)
    return report.exit_code


def terms_of(asked: dict[str, Any]) -> Terms:
    """Return what is asked, with the settings and the baseline read.

    Raises:
        UsageError: a file of these that cannot be read or understood.
    """
    survive = tuple(one.strip() for one in asked["survive"].split(",") if one.strip())
    return Terms(
        service=asked["service"],
        survive=survive,
        what_if=asked["what_if"],
        slo=asked["slo"],
        settings=bootstrap.read_settings(asked["settings"]),
        baseline=bootstrap.read_baseline(asked["baseline"]) if asked["baseline"] else None,
        fail_on=asked["fail_on"],
        allows_incomplete=asked["allow_incomplete"],
    )


def read_live(asked: dict[str, Any], now: float) -> Estate:
    """Read the account, and show how far it is.

    Raises:
        UsageError: an option that is for files.
    """
    if asked["parameters"]:
        raise UsageError("--parameters is for a CloudFormation template; name the template too")
    region, profile = asked["region"], asked["profile"]
    discovery = bootstrap.open_discovery(region, profile, save=asked["save"], read_at=now)
    with Watch() as watch:
        estate = read_estate(discovery, now, watch)
        return bootstrap.probe(estate, region, profile, watch, asked["save"]) if asked["probe"] else estate


def read_files(files: tuple[Path, ...], asked: dict[str, Any]) -> Estate:
    """Read what is in files.

    Raises:
        UsageError: an option that is for an account; a file that cannot be read.
    """
    for name in ("save", "probe", "region", "profile"):
        if asked[name]:
            raise UsageError(f"--{name} is for an account; the files say what to read")
    return bootstrap.read_files(files, asked["parameters"])


def write(report: AuditReport, output_format: str, output: Path | None, *, with_pairs: bool) -> None:
    """Write the report to a file or to stdout.

    Raises:
        UsageError: the file cannot be written.
    """
    render = RENDERERS[output_format]
    text = render(report, pairs=with_pairs) if output_format == "text" else render(report)
    put(text, report.verdict, output)


def put(text: str, verdict: str, output: Path | None) -> None:
    """Write a report that is text to a file or to stdout. Raises as `write`."""
    if output is None:
        click.echo(text)
        return
    write_file(output, f"{text}\n")
    click.echo(f"{verdict}\nThe report is in {output}.", err=True)


def query_of(asked: dict[str, Any], order: int, output_format: str) -> list[tuple[str, str]]:
    """Return what a server is asked for the same audit."""
    given = {"service": asked["service"], "survive": asked["survive"], "fail_on": asked["fail_on"]}
    if asked["slo"] is not None:
        given["slo"] = str(asked["slo"])
    given |= {
        "order": str(order),
        "format": output_format,
        "fresh": "true",
        "allow_incomplete": str(asked["allow_incomplete"]),
    }
    return [*given.items(), *(("what_if", one) for one in asked["what_if"])]
