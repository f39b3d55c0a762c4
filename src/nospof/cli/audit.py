"""`nospof audit`: what can take my service down?"""

from __future__ import annotations

import time

import click

from nospof import bootstrap
from nospof.cli.audit_text import render_text
from nospof.cli.options import cloud_options, format_option
from nospof.cli.progress import Watch
from nospof.cli.render.documents import render_json
from nospof.services.audit import audit_account


@click.command()
@click.option("--service", default="", help="Only this service; else every service of the region.")
@format_option
@cloud_options
def audit(service: str, output_format: str, region: str, profile: str) -> int:
    """Find every single point of failure of your services, with the proof and the remedy.

    Exit code 0: none, and everything was read. 10: there are some. 13: something was not read, and it
    is named.
    """
    world = bootstrap.open_world(Watch(quiet=True), region, profile)
    report = audit_account(world.cloud, service=service, read_at=time.time())
    click.echo(render_json(report) if output_format == "json" else render_text(report))
    return report.exit_code
