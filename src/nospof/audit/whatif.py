"""What if: a change or a failure, in words, tried on what was read.

fail i-0ab1                     as if it had happened: an instance, a volume, zone:eu-west-1a, any event
twin i-0ab1 in eu-west-1b       a twin behind the same balancer, or both behind a new one
set database orders MultiAZ=true    one field of one resource, as its describing call names it
remove i-0ab1                   as if the resource were not there
"""

from __future__ import annotations

import difflib
import json
from dataclasses import dataclass, replace
from typing import Any

from nospof.audit.assumed import named
from nospof.audit.builder import Service
from nospof.audit.changes import with_pair, with_twin, with_value
from nospof.errors import UsageError
from nospof.model.cloud import TAG_SERVICE
from nospof.model.estate import Estate, Item
from nospof.model.kinds import KINDS

FORMS = "fail WHAT, twin INSTANCE in ZONE, set KIND ID FIELD=VALUE, remove ID"


@dataclass(frozen=True)
class WhatIf:
    """An estate after changes, and what is to be taken for failed in it."""

    estate: Estate
    fails: tuple[str, ...] = ()


def suppose(estate: Estate, sentences: tuple[str, ...]) -> WhatIf:
    """Return what the sentences make of an estate, in their order.

    Raises:
        UsageError: a sentence that is not understood, or that speaks of what was not read.
    """
    supposed = WhatIf(estate)
    for sentence in sentences:
        supposed = _suppose(supposed, sentence)
    return supposed


def _suppose(supposed: WhatIf, sentence: str) -> WhatIf:
    estate = supposed.estate
    match sentence.split():
        case ["fail", *what] if what:
            return replace(supposed, fails=(*supposed.fails, " ".join(what)))
        case ["twin", who, "in", zone]:
            return replace(supposed, estate=twin(estate, named(estate, who, kinds=("instance",)), zone))
        case ["remove", *what] if what:
            item = named(estate, " ".join(what))
            return replace(supposed, estate=estate.without(item.kind.name, item.id))
        case ["set", *words] if len(words) > 2 and "=" in words[-1]:
            return replace(supposed, estate=set_field(estate, words[:-1], words[-1]))
    raise UsageError(f"--what-if {sentence!r} is not understood; say one of: {FORMS}")


def twin(estate: Estate, source: Item, zone: str) -> Estate:
    """Return the estate with a twin behind the balancer of its source, or both behind a new one."""
    addresses = [source.id, source.text("PrivateIpAddress") or source.id]
    is_behind = estate.where("target", "Target.Id", *addresses) or estate.where(
        "classic load balancer", "Instances.InstanceId", source.id
    )
    if is_behind:
        return with_twin(estate, source, zone)
    return with_pair(estate, source.tags.get(TAG_SERVICE) or source.label, source, zone)


def set_field(estate: Estate, words: list[str], assignment: str) -> Estate:
    """Return the estate with one field of one item set.

    Raises:
        UsageError: no such kind, item or field.
    """
    kind = kind_in(words)
    item = named(estate, " ".join(words)[len(kind) + 1 :], kinds=(kind,))
    path, _, text = assignment.partition("=")
    if path not in item.kind.paths:
        near = difflib.get_close_matches(path, sorted(item.kind.paths), 1)
        hint = f"did you mean {near[0]}?" if near else f"it has {', '.join(sorted(item.kind.paths))}"
        raise UsageError(f"--what-if set: the audit reads no field {path!r} of a {kind}; {hint}")
    return with_value(estate, item, path, value_of(text))


def kind_in(words: list[str]) -> str:
    """Return the kind that a sentence begins with: the longest, as some have two words.

    Raises:
        UsageError: none has such a name.
    """
    said = " ".join(words)
    near = difflib.get_close_matches(" ".join(words[:2]), list(KINDS), 1, cutoff=0.8)
    if near and not said.startswith(f"{near[0]} "):
        raise UsageError(f"--what-if set: no kind is called {' '.join(words[:2])!r}; did you mean {near[0]}?")
    found = [one for one in KINDS if said.startswith(f"{one} ")]
    if not found:
        near = difflib.get_close_matches(words[0], list(KINDS), 1)
        hint = f"did you mean {near[0]}?" if near else f"such as {', '.join(sorted(KINDS)[:6])}"
        raise UsageError(f"--what-if set: no kind is called {words[0]!r}; {hint}")
    return max(found, key=len)


def value_of(text: str) -> Any:
    """Return a value as JSON has it; anything else is text."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def let_fail(service: Service, fails: tuple[str, ...]) -> set[str]:
    """Let what is to be taken for failed hit the service; return which of it the service knows."""
    known: set[str] = set()
    for what in fails:
        hit = [node.name for node in service.topology.nodes if is_hit(service, node.name, what)]
        if not hit:
            continue
        known.add(what)
        for name in hit:
            service.state_of[name] = "taken for failed"
        failed = service.topology.failed_now | frozenset(hit)
        service.topology = replace(service.topology, failed_now=failed)
    return known


def is_hit(service: Service, name: str, what: str) -> bool:
    """Whether a node is what is meant, by its name, its item or an event that strikes it."""
    node = service.topology.by_name[name]
    events = (*node.faults, *node.domains, *node.possible_domains)
    item = service.item_of.get(name)
    is_item = item is not None and what in (item.id, item.label) and node.kind not in ("target", "service")
    return what in (name, *events) or f"zone:{what}" in events or is_item
