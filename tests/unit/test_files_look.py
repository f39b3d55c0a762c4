"""What the files program says of a directory that is asked for and is none."""

from pathlib import Path

import pytest

from nospof.adapters.machine.files_look import FilesHost, look


def said_of(directory: str) -> str:
    found = look(FilesHost(""), {"directories": [directory]})["obstacles"]
    return next(one["says"] for one in found if one["kind"] == "directory")


def test_of_a_directory_behind_a_link_its_own_name_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOSPOF_DISK", str(tmp_path))
    (tmp_path / "var/lib/wiki/images").mkdir(parents=True)
    (tmp_path / "usr/share").mkdir(parents=True)
    (tmp_path / "usr/share/wiki").symlink_to("../../var/lib/wiki")
    (tmp_path / "usr/out").symlink_to("/etc")
    told = "/usr/share/wiki/images leads to /var/lib/wiki/images by a link: name that instead"
    assert said_of("/usr/share/wiki/images") == told
    for none in ("/usr/out", "/nowhere"):
        assert said_of(none) == f"{none} is no directory, or behind a link"
