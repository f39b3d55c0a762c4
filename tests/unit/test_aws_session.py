"""How a connection begins, and the one clear line for each way in which it does not."""

from __future__ import annotations

import socket
import subprocess
import sys

import pytest

from nospof import __version__
from nospof.adapters.aws import connect
from nospof.errors import CloudError, UsageError
from support.aws_endpoint import answering, query_refusal

CALLER = (
    200,
    "<GetCallerIdentityResponse><GetCallerIdentityResult><Account>123456789012</Account>"
    "<Arn>arn:aws:iam::123456789012:user/a</Arn></GetCallerIdentityResult></GetCallerIdentityResponse>",
)


@pytest.fixture(autouse=True)
def computer(monkeypatch, tmp_path):
    """A computer with one profile, no region, no credentials in the environment and no network."""
    import os

    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    config = tmp_path / "config"
    config.write_text(
        "[profile site]\nregion = eu-west-1\naws_access_key_id = a\naws_secret_access_key = b\n"
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    return monkeypatch


@pytest.fixture
def keys(computer):
    computer.setenv("AWS_ACCESS_KEY_ID", "a")
    computer.setenv("AWS_SECRET_ACCESS_KEY", "b")
    return computer


def test_the_region_asked_for_comes_first_then_aws_region_then_aws_default_region(keys):
    with answering(CALLER) as endpoint:
        keys.setenv("AWS_ENDPOINT_URL", endpoint.url)
        keys.setenv("AWS_DEFAULT_REGION", "us-east-2")
        assert connect().region == "us-east-2"
        keys.setenv("AWS_REGION", "eu-north-1")
        assert connect().region == "eu-north-1"
        assert connect(region="eu-central-1").identity().region == "eu-central-1"


@pytest.mark.parametrize("how", ["argument", "environment"])
def test_a_profile_gives_region_and_credentials(computer, how):
    with answering(CALLER) as endpoint:
        computer.setenv("AWS_ENDPOINT_URL", endpoint.url)
        if how == "environment":
            computer.setenv("AWS_PROFILE", "site")
        cloud = connect(profile="site" if how == "argument" else "")
        assert (cloud.region, cloud.identity().account) == ("eu-west-1", "123456789012")


def test_an_endpoint_can_be_given_and_calls_say_who_makes_them(keys):
    with answering(CALLER) as endpoint:
        cloud = connect(region="eu-central-1", endpoint=endpoint.url)
        assert cloud.identity().account == "123456789012"
        assert f"nospof/{__version__}" in cloud.sts.meta.config.user_agent_extra
        assert endpoint.actions == ["GetCallerIdentity"]  # once, however often it is wanted


def test_no_region_is_a_usage_error(keys):
    with pytest.raises(UsageError, match=r"No AWS region is set\. Give --region"):
        connect()


@pytest.mark.parametrize(
    ("name", "hint"),
    [("eu-central1", "Did you mean eu-central-1?"), ("Frankfurt", "A region looks like eu-central-1.")],
)
def test_what_is_no_region_is_a_usage_error_with_a_hint(keys, name, hint):
    with pytest.raises(UsageError) as caught:
        connect(region=name)
    assert str(caught.value) == f"{name!r} is not an AWS region. {hint}"


@pytest.mark.parametrize("how", ["argument", "environment"])
def test_an_unknown_profile_is_a_usage_error_that_names_the_known_ones(computer, how):
    if how == "environment":
        computer.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(UsageError, match=r"no AWS profile named 'nobody'.*: site\."):
        connect(region="eu-central-1", profile="nobody" if how == "argument" else "")


def test_a_broken_configuration_is_a_usage_error(keys, tmp_path):
    (tmp_path / "config").write_text("this is not a configuration\n")
    with pytest.raises(UsageError, match="cannot be read"):
        connect(region="eu-central-1")


def test_no_credentials_are_a_usage_error(computer):
    with pytest.raises(UsageError, match="No AWS credentials were found"):
        connect(region="eu-central-1")


def test_half_a_pair_of_credentials_is_said_in_one_line(computer):
    computer.setenv("AWS_ACCESS_KEY_ID", "a")
    with pytest.raises(CloudError, match=r"Partial credentials.*AWS_SECRET_ACCESS_KEY"):
        connect(region="eu-central-1")


def test_an_endpoint_where_nobody_listens_is_named(keys):
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    keys.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
    with pytest.raises(
        CloudError, match=rf"The endpoint is http://127\.0\.0\.1:{port}: start what"
    ) as caught:
        connect(region="eu-central-1")
    assert caught.value.retryable


def test_an_endpoint_that_is_no_address_is_a_usage_error(keys):
    keys.setenv("AWS_ENDPOINT_URL", "no address")
    with pytest.raises(UsageError, match="is not an address"):
        connect(region="eu-central-1")


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        ("ExpiredToken", "The session has expired"),
        ("SignatureDoesNotMatch", "secret is wrong"),
        ("InvalidClientTokenId", "secret is wrong"),
    ],
)
def test_credentials_that_are_refused_are_said_in_one_line(keys, code, advice):
    with answering(query_refusal(code)) as endpoint:
        keys.setenv("AWS_ENDPOINT_URL", endpoint.url)
        with pytest.raises(CloudError, match=advice) as caught:
            connect(region="eu-central-1")
    assert caught.value.code == code
    assert "\n" not in str(caught.value)


def test_the_adapters_folder_does_not_import_boto3():
    program = "import sys, nospof.adapters, nospof.adapters.memory; assert 'boto3' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True)
