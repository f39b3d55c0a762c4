"""Templates for tests: written to a file and read, and the fixtures by name."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from nospof.adapters.iac.cloudformation import read_template
from nospof.model.estate import Estate

FIXTURES = Path(__file__).parent.parent / "fixtures" / "cloudformation"


def read_text_as_template(text: str | bytes, /, **parameters: str) -> Estate:
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "template.yaml"
        file.write_bytes(text.encode() if isinstance(text, str) else text)
        return read_template(file, parameters)


def read_resources(resources: dict[str, Any], /, **sections: Any) -> Estate:
    return read_text_as_template(json.dumps({"Resources": resources, **sections}))


def read_fixture(name: str, /, **parameters: str) -> Estate:
    return read_template(FIXTURES / name, parameters)
