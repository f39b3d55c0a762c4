"""Reads the mail by which AWS announces maintenance, for the instances and the regions it names.

Its wording differs by kind and by year and is not relied on: an instance's id and a region's name look the
same in all of them.
"""

from __future__ import annotations

import re
from email import message_from_string, policy
from email.message import EmailMessage
from pathlib import Path

from nospof.adapters.saved.files import read_text
from nospof.errors import UsageError
from nospof.model.events import Notice

INSTANCE = re.compile(r"(?<![\w-])i-(?:[0-9a-f]{17}|[0-9a-f]{8})(?![\w-])")
REGION = re.compile(
    r"(?<![\w-])[a-z]{2}(?:-gov|-iso[a-z]?)?-(?:north|south|east|west|central)[a-z]*-\d(?!\d)"
)
HEADER = re.compile(r"\A(?:[!-9;-~]+:[^\n]*\n(?:[ \t][^\n]*\n)*)+\r?\n")


def read_notice(path: Path) -> Notice:
    """Return whom a mail names; it is a mail as it was saved (.eml), or its text alone.

    Raises:
        UsageError: it cannot be read, or names no instance.
    """
    text = read_text(path)
    if HEADER.match(text.replace("\r\n", "\n")):
        text = text_of(text)
    ids = dict.fromkeys(INSTANCE.findall(text))
    if not ids:
        raise UsageError(
            f"{path}: no instance is named in it (i- and 8 or 17 hexadecimal digits). Save the mail itself, "
            "not a picture of it, nor one that it is attached to."
        )
    return Notice(str(path), tuple(ids), tuple(dict.fromkeys(REGION.findall(text))))


def text_of(raw: str) -> str:
    """Return a mail's subject and all of its texts; tags of HTML are left out, and what they hold is not."""
    mail = message_from_string(raw, policy=policy.default)
    texts = [part for part in mail.walk() if part.get_content_maintype() == "text"]
    parts = [content_of(part) for part in texts if isinstance(part, EmailMessage)]
    return re.sub(r"<[^<>]*>", " ", "\n".join([str(mail["subject"] or ""), *parts]))


def content_of(part: EmailMessage) -> str:
    """Return a part's text; of one whose character set nobody knows, what is ASCII in it."""
    try:
        return str(part.get_content())
    except LookupError:
        payload = part.get_payload(decode=True)
        return payload.decode("ascii", "replace") if isinstance(payload, bytes) else ""
