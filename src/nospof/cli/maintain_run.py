"""`nospof maintain run` and `back`: maintenance of one's own, on each member in turn, and the way back."""

from __future__ import annotations

import shlex
from typing import Any

import click

from nospof.cli.options import CONSENTS, Duration, cloud_options, format_option, plan_options
from nospof.cli.procedures import chosen, perform
from nospof.model.maintaining import BackRequest, RunRequest


@click.command("run")
@click.argument("service", metavar="SERVICE")
@click.argument("words", metavar="COMMAND...", nargs=-1)
@click.option("--reboot", is_flag=True, help="Reboot the member once the command has ended well.")
@click.option(
    "--no-image", is_flag=True, help="Your word that no image to go back to is needed: nothing is stopped."
)
@click.option(
    "--timeout",
    "timeout_seconds",
    type=Duration(),
    default="1h",
    show_default=True,
    help="When the command is killed, on each member.",
)
@click.option("--path", default="", help="The page to ask a member for; else the one its balancer asks for.")
@click.option("--local-disks-are-scratch", is_flag=True, help=CONSENTS["--local-disks-are-scratch"])
@click.option("--it-boots-again", is_flag=True, help=CONSENTS["--it-boots-again"])
@plan_options
@format_option
@cloud_options
def run(service: str, words: tuple[str, ...], **options: Any) -> None:
    """Have each member of SERVICE do COMMAND in turn, as root, while the others serve.

    For example: nospof maintain run shop --reboot -- 'apt-get update && apt-get -y upgrade'

    A member is drained and stopped for an image to go back to; started, it does the command, through
    Systems Manager; it is put back once its checks pass, its data is in step and its page answers. Only then
    the next one has its turn; the one that takes the database's writes has the last. One word is what a
    shell gets, several are a program and its arguments. Nothing can be typed into it. A command is never
    done twice on a member, whatever happens to nospof meanwhile.

    Where it fails, nobody is worked on after that: the member is put back if it answers well, and you are
    told how to go back to its image: nospof maintain back. Images are kept until you remove them: nospof
    runs undo RUN. The command is written down on the machine and in the journal: have it read secrets from
    where they are.
    """
    command = words[0] if len(words) == 1 else shlex.join(words)
    request = RunRequest(service, command, **chosen(RunRequest, options))
    takes = "drains" if request.no_image else "drains and stops"
    perform("maintain-run", request, f"This {takes} each member of {service} in turn.", options)


@click.command("back")
@click.argument("run_id", metavar="RUN")
@click.argument("instance_id", metavar="[INSTANCE]", default="")
@plan_options
@format_option
@cloud_options
def back(run_id: str, instance_id: str, **options: Any) -> None:
    """Have members go back to the images that RUN took of them, in turn, or INSTANCE alone.

    For example: nospof maintain back maintain-run-20270112-031500-5a6b7c i-0123456789abcdef0

    A member that serves is drained, and one that is out of service comes before those that are not. It gets
    the root volume of its image and reboots: its id, its addresses and its other volumes stay. It is put
    back once its data is in step again and its page answers. What it wrote to its root volume since then is
    on the volume it had, which is kept and named.
    """
    who = instance_id or "each member that has an image"
    warning = f"This replaces the root volume of {who} by what it was before {run_id}."
    perform("maintain-back", BackRequest(run_id, instance_id), warning, options)
