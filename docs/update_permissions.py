"""Writes docs/permissions.md from the register of permissions. Run it after changing a call.

.venv/bin/python docs/update_permissions.py
"""

from __future__ import annotations

from pathlib import Path

from nospof.model.grants import Grant
from nospof.model.permissions import GRANTS, audit_tells, policy
from nospof.planning.dead_man import ROLE, TRUST
from nospof.render.documents import written

PAGE = Path(__file__).with_name("permissions.md")
HEAD = """\
# Permissions

What nospof asks AWS for, by what it does. This page is written by `docs/update_permissions.py` from the
register in `src/nospof/model/permissions.py` and tested to be fresh. `nospof permissions clone --format json`
prints a policy; below they stand in full. `sts:GetCallerIdentity` needs no permission.

Every policy is tried on the local cloud: with it the procedure passes, and without any one of its actions it
is refused before anything is changed, the missing action named; those whose lack is only told, or is seen
later, are named in the test (`tests/functional/test_permissions_missing.py`). None of them has been tried
against IAM on AWS.

- `nospof clone INSTANCE --plan`, `nospof pair INSTANCE --plan`, `nospof cut-over SERVICE --plan` and
  `nospof runs undo RUN --plan` name the permissions of exactly that plan. Before its first write every
  procedure asks whether each call would be allowed, the reads that come later too: EC2 by DryRun, IAM
  (`iam:SimulatePrincipalPolicy`) about the calls that have none. Where IAM does not say, these are told as
  not checked. A session of a role that has a path (those of IAM Identity Center have) cannot be asked about.
- An audit that is denied something names it, and its verdict is then "incomplete".
- Route 53 has no DryRun: IAM is asked about the zone, the names, the type and the actions of each change. The
  printed policy holds a cut-over to A records, deleted as they are and created; narrow `LeadNames` to your
  zone (`arn:aws:route53:::hostedzone/Z...`) and to your names
  (`route53:ChangeResourceRecordSetsNormalizedRecordNames`).
- `iam:PassRole` is needed only for a source with an instance profile; name its role as the resource.
- What nospof makes is made under the tag `nospof:run` and, for balancers, with a name that begins with
  `nospof-`; the policies hold it to that. So do those that take it away again: what does not carry that tag
  is not theirs. The instances themselves are the ones you name: narrow `TurnOffAndOn` to yours.
- What pre-flight may not read (a key, names, quotas, what is inside) is told as not checked; nothing is
  refused for it.
- `elasticloadbalancing:AddTags` and `ec2:CreateTags` are asked for by AWS when something is created with
  tags.
- `drill --fault stop` needs no more than `drill`; every command but `audit` also does what `keep` does.
- `pair` in an account that has never had a load balancer also needs `iam:CreateServiceLinkedRole` for
  `elasticloadbalancing.amazonaws.com`, once.
- `audit --probe` needs [three more](probe.md#permissions).
"""
AUDIT = """\
## What an audit reads

`nospof audit` of a live account reads every kind of resource that it knows, and asks for these permissions
alone. Each can be denied: what it would have told is then named as not read, and the verdict is "incomplete",
never "fine". What is asked for once for each balancer, listener or group needs no call where another answer
tells it already. What matters only where something names it is listed only then: NAT gateways, peerings,
attachments, VPN and Direct Connect lines where a route leads there, placement groups, launch configurations,
proxies and keys where something uses them. So are dedicated hosts, spot requests, reservations, the network
nodes above machines for computing in groups, types that may have local disks, what feeds functions where
there are brokers, and the status of volumes once an instance's own status says that one is impaired. Up to 20
health checks of names are asked what they see now. Tags of more than 20 balancers come from the tag index
(`tag:GetResources`); where that is denied the balancers are asked, and nothing is lost.
"""
FOOT = """\
What may be secret is neither kept in memory nor written by `--save`: user data, the configuration of VPN
connections with its keys, passwords that wait to be changed, commands of containers. Of environment variables
only hosts and ARNs are kept, and nothing of those that are called a password, secret, token, credential or
key.
"""
MAKE_THE_ROLE = f"""\
It is made once for the account, and lets EventBridge Scheduler take it:

```sh
aws iam create-role --role-name {ROLE} \\
  --assume-role-policy-document '{TRUST}'
aws iam put-role-policy --role-name {ROLE} --policy-name start \\
  --policy-document "$(nospof permissions dead-man-role --format json)"
```
"""
TITLES = {
    "clone": "Clone an instance",
    "pair": "Put a pair behind a balancer",
    "cut-over": "Lead names to a pair",
    "rollback": "Lead names back (`runs undo` of a cut-over)",
    "events": "List announced maintenance (`maintain events`)",
    "take": "Take announced maintenance (`maintain take`)",
    "backup": "Back a service up while it serves (`maintain backup`)",
    "test-backup": "Restore a backup and look at it (`maintain test-backup`)",
    "discard": "Take away what a backup made (`runs undo` of it)",
    "apply": "Take what is announced for a service (`maintain apply`)",
    "maintain-run": "Have members do a command in turn (`maintain run`)",
    "maintain-back": "Have members go back to their images (`maintain back`)",
    "drill": "Break a member on purpose",
    "undo": "Take apart what a run made",
    "repair": "Mend what dead runs left (`runs repair`)",
    "keep": "Keep what dead runs promised (`runs keep`)",
    "data": "See how data is kept (`data status`, `data check`); drill and undo need it too where it is",
    "watch": "Watch pairs (`data watch`)",
    "maintain-watch": "Watch over maintenance (`maintain watch`): with all that it begins",
    "rejoin": "Bring data in step again (`data rejoin`)",
    "external": "See who keeps data that is kept elsewhere: what this adds to pair",
    "dead-man": "Have AWS itself start it (`--dead-man`): what this adds to clone, pair and take",
    "dead-man-role": "The role as which AWS starts it",
}


def fenced(procedure: str) -> str:
    """Return a policy as a block of code."""
    return f"```json\n{written(policy(procedure))}\n```"


def table(grants: tuple[Grant, ...]) -> str:
    """Return what each grant is for."""
    rows = [f"| `{grant.sid}` | {grant.why} |" for grant in grants]
    return "\n".join(["| Statement | Needed to |", "| --- | --- |", *rows])


def render() -> str:
    """Return the page."""
    parts = [HEAD]
    for procedure, title in TITLES.items():
        parts.append(f"## {title}\n\n{table(GRANTS[procedure])}\n\n{fenced(procedure)}\n")
    parts.append(MAKE_THE_ROLE)
    rows = [f"| `{action}` | {tells} |" for action, tells in audit_tells().items()]
    tells = "\n".join(["| Permission | Tells |", "| --- | --- |", *rows])
    return "\n".join([*parts, AUDIT, fenced("audit"), "", tells, "", FOOT])


if __name__ == "__main__":
    PAGE.write_text(render())
