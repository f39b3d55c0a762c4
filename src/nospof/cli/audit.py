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
from nospof.model.findings import AuditReport, FailOn
from nospof.services.audit import Terms, audit_estate
from nospof.services.reading import read_estate

WHAT_IF = (
    "Suppose a change or a failure, such as 'fail zone:eu-west-1a', 'twin i-0ab1 in eu-west-1b', "
    "'set database orders MultiAZ=true', 'remove i-0ab1'. May be given several times."
)


@click.command()
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
    service: str,
    survive: str,
    what_if: tuple[str, ...],
    order: int,
    fail_on: FailOn,
    allow_incomplete: bool,
    output_format: str,
    output: Path | None,
    region: str,
    profile: str,
) -> int:
    """Find every single point of failure of your services, with the proof and the remedy.

    Exit code 0: none, and everything was read. 10: there are some. 13: something was not read, and it
    is named.
    """
    question = Question(service, tuple(one.strip() for one in survive.split(",") if one.strip()), what_if)
    with Watch() as watch:
        estate = read_estate(bootstrap.open_discovery(region, profile), time.time(), watch)
    report = audit_estate(estate, question, Terms(fail_on, allow_incomplete))
    write(report, output_format, output, with_pairs=order == 2)
    return report.exit_code


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
