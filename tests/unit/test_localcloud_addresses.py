"""Blocks of addresses: one owner each, kept over a restart, free again when the owner is gone."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from nospof.localcloud import addresses
from nospof.localcloud.errors import LocalCloudError

ACCOUNT = "123456789012"


@pytest.fixture(autouse=True)
def claims(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A directory of claims of the test's own."""
    monkeypatch.setenv("NOSPOF_ADDRESS_CLAIMS", f"nospof-addresses-{uuid.uuid4().hex}")
    directory = addresses.shared_directory()
    yield directory
    shutil.rmtree(directory)


def clouds(tmp_path: Path, count: int) -> list[Path]:
    made = [tmp_path / f"cloud-{number}" for number in range(count)]
    for directory in made:
        directory.mkdir()
    return made


def test_a_claim_is_kept(tmp_path: Path) -> None:
    [cloud] = clouds(tmp_path, 1)
    first = addresses.claim_block(cloud, ACCOUNT, "us-east-1")
    assert addresses.claim_block(cloud, ACCOUNT, "us-east-1") == first
    assert addresses.claim_block(cloud, ACCOUNT, "eu-west-1") != first


def test_clouds_that_claim_at_once_never_share_a_block(tmp_path: Path) -> None:
    made = clouds(tmp_path, 40)
    with ThreadPoolExecutor(8) as pool:
        blocks = list(pool.map(lambda cloud: addresses.claim_block(cloud, ACCOUNT, "us-east-1"), made))
    assert len(set(blocks)) == 40
    assert min(map(int, blocks)) == addresses.FIRST_BLOCK


def test_a_block_whose_cloud_is_gone_is_taken_over_when_no_other_is_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(addresses, "LAST_BLOCK", addresses.FIRST_BLOCK + 1)
    one, two, three = clouds(tmp_path, 3)
    addresses.claim_block(one, ACCOUNT, "us-east-1")
    taken = addresses.claim_block(two, ACCOUNT, "us-east-1")
    with pytest.raises(LocalCloudError, match="every block"):
        addresses.claim_block(three, ACCOUNT, "us-east-1")
    two.rmdir()
    assert addresses.claim_block(three, ACCOUNT, "us-east-1") == taken


def test_a_half_written_claim_is_no_claim(
    claims: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(addresses, "LAST_BLOCK", addresses.FIRST_BLOCK)
    (claims / f"127.{addresses.FIRST_BLOCK}").touch()
    [cloud] = clouds(tmp_path, 1)
    assert addresses.claim_block(cloud, ACCOUNT, "us-east-1") == str(addresses.FIRST_BLOCK)


def test_release_frees_the_clouds_own_blocks_only(claims: Path, tmp_path: Path) -> None:
    one, two = clouds(tmp_path, 2)
    addresses.claim_block(one, ACCOUNT, "us-east-1")
    kept = addresses.claim_block(two, ACCOUNT, "us-east-1")
    addresses.release_blocks(one)
    assert [claim.name for claim in claims.glob("127.*")] == [f"127.{kept}"]


def test_the_directory_of_claims_is_writable_by_everybody_and_keeps_each_ones_files(claims: Path) -> None:
    assert claims.stat().st_mode & 0o7777 == 0o1777
