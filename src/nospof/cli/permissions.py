"""`nospof permissions`: the policy that lets somebody run a procedure, and nothing else."""

from __future__ import annotations

import click

from nospof.cli.options import format_option
from nospof.model.permissions import GRANTS, policy
from nospof.render.audit_text import wrap
from nospof.render.documents import written


@click.command()
@click.argument("procedure", type=click.Choice(list(GRANTS)))
@format_option
def permissions(procedure: str, output_format: str) -> None:
    """Say what PROCEDURE asks AWS for; with --format json, as a policy that grants just that.

    \b
    nospof permissions clone --format json > clone.json
    aws iam create-policy --policy-name nospof-clone --policy-document file://clone.json
    """  # noqa: D301 - \b is click's mark for a paragraph left as it is
    if output_format == "json":
        click.echo(written(policy(procedure)))
        return
    for grant in GRANTS[procedure]:
        click.echo(wrap(f"{grant.sid}: {grant.why}"))
        for action in sorted(grant.actions):
            click.echo(f"  {action}")
