"""RunInstances' parameters: what an instance is, and nothing that AWS would refuse beside it."""

from nospof.model.cloud import LaunchRequest
from nospof.model.launching import run_parameters
from nospof.model.traits import DiskTraits, Traits


def parameters(traits=Traits(), **changes):  # noqa: B008 - frozen
    return run_parameters(LaunchRequest("token", "ami-1", "t3.micro", "subnet-1", traits=traits, **changes))


def disk_of(disk):
    (mapping,) = parameters(Traits(disks=(disk,)))["BlockDeviceMappings"]
    assert mapping["DeviceName"] == disk.device
    return mapping["Ebs"]


def test_what_nobody_asks_for_is_left_to_aws():
    assert set(parameters()) == {"ImageId", "InstanceType", "MinCount", "MaxCount", "SubnetId"}


def test_a_metadata_service_that_is_off_takes_no_other_options():
    off = Traits(http_endpoint="disabled", http_tokens="required", hop_limit=2, metadata_tags="enabled")
    assert parameters(off)["MetadataOptions"] == {"HttpEndpoint": "disabled"}


def test_iops_and_throughput_are_asked_for_where_they_are_sold():
    kept = {"VolumeSize": 8, "DeleteOnTermination": True}
    assert disk_of(DiskTraits("/dev/a", "gp3", 8, 4000, 250)) == {
        "VolumeType": "gp3",
        "Iops": 4000,
        "Throughput": 250,
        **kept,
    }
    assert disk_of(DiskTraits("/dev/a", "io2", 8, 4000, 250)) == {"VolumeType": "io2", "Iops": 4000, **kept}
    for kind in ("gp2", "st1", "sc1", "standard"):
        assert disk_of(DiskTraits("/dev/a", kind, 8, 100, 125)) == {"VolumeType": kind, **kept}


def test_a_private_name_is_asked_for_whole_or_not_at_all():
    assert "PrivateDnsNameOptions" not in parameters(Traits(has_name_record=True))
    assert parameters(Traits(hostname_type="ip-name"))["PrivateDnsNameOptions"] == {
        "HostnameType": "ip-name",
        "EnableResourceNameDnsARecord": False,
        "EnableResourceNameDnsAAAARecord": False,
    }


def test_volumes_have_tags_of_their_own_or_those_of_their_instance():
    def tagged(**tags):
        found = parameters(**tags)["TagSpecifications"]
        return {one["ResourceType"]: {pair["Key"] for pair in one["Tags"]} for one in found}

    assert tagged(tags={"a": "1", "aws:b": "2"}) == {"instance": {"a"}, "volume": {"a"}}
    assert tagged(tags={"a": "1"}, volume_tags={"b": "1"}) == {"instance": {"a"}, "volume": {"b"}}
