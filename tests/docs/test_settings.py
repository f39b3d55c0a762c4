"""The page about nospof.yaml: its example is read as it stands, and has every key there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from nospof.adapters.settings import KEYS, WISH_KEYS, parse_settings
from nospof.model.window import window_of

PAGE = (Path(__file__).parents[2] / "docs" / "settings.md").read_text()
(EXAMPLE,) = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def test_the_example_is_understood() -> None:
    settings = parse_settings(EXAMPLE, "nospof.yaml")
    assert [one.name for one in settings.services] == ["www"]
    assert (len(settings.needs), len(settings.acceptances), len(settings.rates)) == (2, 2, 1)


@pytest.mark.parametrize("key", [*KEYS, *WISH_KEYS])
def test_every_key_is_in_it(key: str) -> None:
    # `service` is `services` with one in it.
    assert re.search(rf"^\s*{'services' if key == 'service' else key}:", EXAMPLE, re.MULTILINE)


def test_every_window_it_shows_is_one() -> None:
    shown = re.findall(r"`((?:\w{3}\S*|daily) \d\d:\d\d-\d\d:\d\d[^`]*)`", PAGE)
    assert len(shown) == 4
    for text in shown:
        window_of(text)
