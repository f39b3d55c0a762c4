"""What `aws ... describe-...` has printed, in files: one answer a file, told apart by what is in it.

The command line says of which call an answer is by its top-level word alone, and of some answers
not even whose they are: the health of targets does not name their group. Then the file's name must.
What is not among the files is not read, so the verdict is incomplete; it is never taken for empty.
"""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nospof.adapters.saved.files import read_json
from nospof.adapters.values import plain
from nospof.errors import CloudError, UsageError
from nospof.model.cloud import Identity
from nospof.model.kinds import ASKED
from nospof.model.kinds.additions import ADDITIONS
from nospof.model.kinds.kind import rows_of
from nospof.ports.discovery import Page

NOT_GIVEN = "not among the files given"
CUT = "cut off by --max-items"
ORIGIN = re.compile(r"arn:aws[a-z-]*:[a-z0-9-]+:([a-z]{2}(?:-[a-z]+)+-\d):(\d{12}):")
ZONE = re.compile(r"([a-z]{2}(?:-[a-z]+)+-\d)[a-z]")
OTHERS = {
    "planned_values": "a Terraform plan",
    "resource_changes": "a Terraform plan",
    "terraform_version": "a Terraform state",
    "AWSTemplateFormatVersion": "a CloudFormation template",
    "configurationItems": "an AWS Config snapshot",
}


@dataclass(frozen=True)
class Form:
    """An answer that is known: its call, where its rows stand, what a row and its parent go by."""

    call: str
    rows: str
    id: tuple[str, ...]
    is_global: bool = False
    per: str = ""
    argument: str = ""
    parent: str = ""

    @property
    def word(self) -> str:
        """The answer's top-level word."""
        return self.rows.partition(".")[0]


FORMS = (
    *(
        Form(
            one.call,
            one.rows,
            tuple(one.id.split("+")),
            one.is_global,
            one.per if one.batch == 1 else "",
            one.argument,
            one.parent or one.argument,
        )
        for one in ASKED.values()
    ),
    *(Form(one.call, one.rows, (one.key,)) for one in ADDITIONS),
)


@dataclass(frozen=True)
class Dump:
    """A file, what it answers, and the ids of the parents it is of; `owner` where only the name says so."""

    file: Path
    form: Form
    page: dict[str, Any]
    owner: str = ""


class DumpDiscovery:
    """Implements `ports.discovery.Discovery` on files of the AWS command line.

    Args:
        files: what to read.

    Raises:
        UsageError: a file is not such an answer, or does not say whose it is.
    """

    source = "AWS CLI output"
    read_at = 0.0
    """Nobody wrote it down."""

    def __init__(self, files: Sequence[Path]) -> None:
        found = [recognised(file) for file in files]
        self._dumps = [_owned(one, found) for one in found]
        self._identity = _origin([one.page for one in found])

    def identity(self) -> Identity:
        """See the port; the account and the region that most of the files speak of."""
        return self._identity

    def pages(self, call: str, arguments: Mapping[str, object], *, is_global: bool = False) -> Iterator[Page]:
        """See the port."""
        mine = [one for one in self._dumps if (one.form.call, one.form.is_global) == (call, is_global)]
        if mine and mine[0].form.per:
            mine = _of_parent(mine, str(arguments[mine[0].form.argument]))
        if not mine:
            raise CloudError(f"The answer of {call} is {NOT_GIVEN}.", code=NOT_GIVEN, operation=call)
        if wanted := _filtered(arguments):
            yield from _among(mine, wanted)
            return
        for one in mine:
            yield one.page
        if any("NextToken" in one.page or "NextMarker" in one.page for one in mine):
            raise CloudError(f"An answer of {call} is {CUT}.", code=CUT, operation=call)


def recognised(file: Path) -> Dump:
    """Return what a file answers.

    Raises:
        UsageError: it is no answer that is known.
    """
    document = read_json(file)
    if not isinstance(document, dict):
        kind = "a list" if isinstance(document, list) else "a single value"
        raise UsageError(
            f"{file} holds {kind}; expected was the whole output of an `aws` describe command "
            "(without --query), such as {'Reservations': [...]}."
        )
    for word, what in OTHERS.items():
        if word in document:
            raise UsageError(f"{file} is {what}, not the output of an `aws` describe command.")
    forms = [one for one in FORMS if one.word in document]
    if not forms:
        raise UsageError(_unknown(file, document))
    page = plain(document)
    return Dump(file, max(forms, key=lambda one: _likeness(one, page, file)), page)


def rows_in(page: Mapping[str, Any], path: str) -> list[dict[str, Any]]:
    """Return the records of an answer that have fields."""
    return [one for one in rows_of(page, path) if isinstance(one, dict)]


def _likeness(form: Form, page: dict[str, Any], file: Path) -> tuple[bool, bool, bool]:
    """Return how well an answer fits a form; the greatest is the right one."""
    rows = rows_in(page, form.rows)
    has_ids = bool(rows) and all(part.partition(".")[0] in rows[0] for part in form.id[:1])
    operation = re.sub(r"[^a-z]", "", form.call.partition(":")[2].lower())
    is_named = operation in re.sub(r"[^a-z]", "", file.stem.lower())
    return has_ids, is_named, not form.is_global


def _unknown(file: Path, document: dict[str, Any]) -> str:
    words = sorted({one.word for one in FORMS})
    first = next(iter(document), "")
    near = difflib.get_close_matches(first, words, 1)
    hint = (
        f"Did you mean {near[0]}?" if near else f"Known are {', '.join(words[:8])} and {len(words) - 8} more."
    )
    begins = f"begins with {first!r}" if first else "is empty"
    return f"{file} {begins}, which is no answer of an `aws` describe command that the audit reads. {hint}"


# Whose an answer is ---------------------------------------------------------------------------------------


def _owned(dump: Dump, all_of_them: Sequence[Dump]) -> Dump:
    """Return the dump with the parent that its file's name tells, where its rows do not.

    Raises:
        UsageError: nobody can tell.
    """
    form = dump.form
    rows = rows_in(dump.page, form.rows)
    if not form.per or (rows and all(_parents_in(form, row) for row in rows)):
        return dump
    per = ASKED[form.per]
    parents = [
        str(row.get(per.id, ""))
        for one in all_of_them
        if one.form.call == per.call
        for row in rows_in(one.page, per.rows)
    ]
    named = [one for one in parents if _is_named(one, dump.file.stem)] or (
        parents if len(parents) == 1 else []
    )
    if len(named) != 1:
        if not rows:
            return dump
        example = _words(parents[0])[0] if parents else "NAME"
        raise UsageError(
            f"{dump.file} does not say which {per.singular} it is of: put its name into the file's name, "
            f"such as {dump.file.stem}-{example}.json, and give the file with the {per.plural} too."
        )
    return Dump(dump.file, form, dump.page, named[0])


def _of_parent(dumps: Sequence[Dump], parent: str) -> list[Dump]:
    """Return the dumps narrowed to the rows of one parent; those without any are left out."""
    found = []
    for dump in dumps:
        if dump.owner == parent:
            found.append(dump)
        elif not dump.owner and (page := _narrowed(dump, parent)):
            found.append(Dump(dump.file, dump.form, page))
    return found


def _narrowed(dump: Dump, parent: str) -> dict[str, Any]:
    rows = [row for row in rows_in(dump.page, dump.form.rows) if parent in _parents_in(dump.form, row)]
    if not rows:
        return {}
    top, *path = reversed(dump.form.rows.split("."))
    page: dict[str, Any] = {top: rows}
    for part in path:
        page = {part: page}
    return page


def _filtered(arguments: Mapping[str, object]) -> set[str]:
    """Return the ids that a call filters for; none where it has no filter."""
    return {str(one) for row in rows_in(dict(arguments), "Filters") for one in row.get("Values", ())}


def _among(dumps: Sequence[Dump], wanted: set[str]) -> Iterator[Page]:
    """Yield those of the ids that the files hold.

    Raises:
        CloudError: they do not hold all: nobody knows what the filter was when they were written.
    """
    for dump in dumps:
        key = dump.form.id[0]
        rows = [row for row in rows_in(dump.page, dump.form.rows) if row.get(key) in wanted]
        wanted = wanted - {str(row[key]) for row in rows}
        yield {dump.form.word: rows}
    if wanted:
        call = dumps[0].form.call
        raise CloudError(
            f"Not all that {call} was asked for is among the files given.", code=NOT_GIVEN, operation=call
        )


def _parents_in(form: Form, row: Mapping[str, Any]) -> list[str]:
    """Return the ids of the parent that a row itself tells."""
    if found := row.get(form.parent):
        return [str(found)]
    # A rule's ARN holds its listener's.
    arn = str(row.get(form.id[0], ""))
    return (
        [arn.rpartition("/")[0].replace(":listener-rule/", ":listener/")] if ":listener-rule/" in arn else []
    )


def _is_named(parent: str, stem: str) -> bool:
    return any(
        re.search(rf"(?<![A-Za-z0-9]){re.escape(word)}(?![A-Za-z0-9])", stem) for word in _words(parent)
    )


def _words(parent: str) -> list[str]:
    """Return what a parent goes by in a file's name: the name or the number in its id."""
    last = parent.rpartition(":")[2].split("/")
    return [word for word in (last[1:] or last) if len(word) > 1 and word not in ("app", "net", "gwy")]


def _origin(pages: Sequence[dict[str, Any]]) -> Identity:
    """Return the account and the region that most ARNs and zones of the answers speak of."""
    regions: Counter[str] = Counter()
    accounts: Counter[str] = Counter()
    waiting: list[Any] = list(pages)
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            for key, value in one.items():
                if key == "OwnerId" and isinstance(value, str) and value.isdigit():
                    accounts[value] += 1
                elif key in ("AvailabilityZone", "ZoneName") and (zone := ZONE.fullmatch(str(value))):
                    regions[zone[1]] += 1
                else:
                    waiting.append(value)
        elif isinstance(one, list):
            waiting.extend(one)
        elif isinstance(one, str) and one.startswith("arn:") and (arn := ORIGIN.match(one)):
            regions[arn[1]] += 1
            accounts[arn[2]] += 1
    account, region = (max(sorted(c), key=c.__getitem__, default="") for c in (accounts, regions))
    return Identity(account, "", region)
