"""A machine of Debian's image: what an arbitrator's first boot finds there, and what it must not reach."""

from __future__ import annotations

from pathlib import Path

from nospof.localcloud.images import build_debian
from support.machines import Bench


def test_its_agent_is_there_and_it_installs_nothing_on_the_computer(bench: Bench, tmp_path: Path) -> None:
    build_debian(tmp_path / "debian")
    bench.machine("i-1", tmp_path / "debian")
    bench.boot()
    assert bench.run("systemctl is-active --quiet amazon-ssm-agent").exit_code == 0
    for program in ("apt-get install -y cowsay", "apt install cowsay", "dpkg -i agent.deb"):
        done = bench.run(program)
        assert done.exit_code == 100
        assert "install them there" in done.stderr
