"""`nospof audit`: what can take my service down?"""

from __future__ import annotations

import time
from pathlib import Path
from typing import get_args

import click

from nospof import bootstrap
from nospof.audit.reporting import Question
from nospof.cli.options import cloud_options
from nospof.cli.progress import Watch
from nospof.cli.render import RENDERERS
from nospof.errors import UsageError
from nospof.model.estate import Estate
from nospof.model.findings import AuditReport, FailOn
from nospof.services.audit import Terms, audit_estate
from nospof.services.reading import read_estate

WHAT_IF = (
    "Suppose a change or a failure, such as 'fail zone:eu-west-1a', 'twin i-0ab1 in eu-west-1b', "
    "'set database orders MultiAZ=true', 'remove i-0ab1'. May be given several times."
)

SAVE = "Keep every answer of AWS in a new directory; audit it again with: nospof audit DIR."


@click.command()
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@click.option("--service", default="", help="Only this service; else every one that is found.")
@click.option(
    "--survive",
    default="host,rack,zone",
    show_default=True,
    help="What a service must survive; region may be added.",
)
@click.option("--what-if", multiple=True, metavar="SENTENCE", help=WHAT_IF)
@click.option(
    "--order",
    type=click.IntRange(1, 2),
    default=1,
    show_default=True,
    help="2: list the pairs of failures that stop a service, too.",
)
@click.option(
    "--fail-on",
    type=click.Choice(get_args(FailOn)),
    default="low",
    show_default=True,
    help="The least severity that makes exit code 10; new: what the baseline lacks.",
)
@click.option("--save", type=click.Path(path_type=Path), metavar="DIR", help=SAVE)
@click.option("--allow-incomplete", is_flag=True, help="Exit 0 although something was not read.")
@click.option(
    "--format",
    "output_format",
    type=click.Choice(list(RENDERERS)),
    default="text",
    show_default=True,
    help="How the report is written.",
)
@click.option("--output", type=click.Path(path_type=Path), metavar="FILE", help="Write it there.")
@cloud_options
def audit(
    files: tuple[Path, ...],
    service: str,
    survive: str,
    what_if: tuple[str, ...],
    order: int,
    fail_on: FailOn,
    save: Path | None,
    allow_incomplete: bool,
    output_format: str,
    output: Path | None,
    region: str,
    profile: str,
) -> int:
    """Find every single point of failure of your services, with the proof and the remedy.

    Without FILES it reads the account. FILES may be what --save kept, or the output of `aws ...
    describe-...` as JSON.

    Exit code 0: none, and everything was read. 10: there are some. 13: something was not read, and it
    is named.
    """
    question = Question(service, tuple(one.strip() for one in survive.split(",") if one.strip()), what_if)
    estate = read_files(files, save, region, profile) if files else read_live(save, region, profile)
    report = audit_estate(estate, question, Terms(fail_on, allow_incomplete))
    write(report, output_format, output, with_pairs=order == 2)
    return report.exit_code


def read_live(save: Path | None, region: str, profile: str) -> Estate:
    """Read the account, and show how far it is."""
    now = time.time()
    discovery = bootstrap.open_discovery(region, profile, save=save, read_at=now)
    with Watch() as watch:
        return read_estate(discovery, now, watch)


def read_files(files: tuple[Path, ...], save: Path | None, region: str, profile: str) -> Estate:
    """Read what is in files.

    Raises:
        UsageError: an option that is for an account; a file that cannot be read.
    """
    for option, value in (("--save", save), ("--region", region), ("--profile", profile)):
        if value:
            raise UsageError(f"{option} is for an account; the files say what to read")
    return bootstrap.read_files(files)


def write(report: AuditReport, output_format: str, output: Path | None, *, with_pairs: bool) -> None:
    """Write the report to a file or to stdout.

    Raises:
        UsageError: the file cannot be written.
    """
    if output_format == "text":
        from nospof.cli.audit_text import render_text

        text = render_text(report, pairs=with_pairs)
    else:
        text = RENDERERS[output_format](report)
    if output is None:
        click.echo(text)
        return
    try:
        output.write_text(f"{text}\n", encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{output} cannot be written: {error.strerror}") from error
    click.echo(f"{report.verdict}\nThe report is in {output}.", err=True)
