"""Keys, secrets, and who may talk to whom."""

from __future__ import annotations

from nospof.model.kinds.kind import Kind

TRUST = (
    Kind("listed key", "kms:ListKeys", "Keys", "KeyId", keys=("KeyArn",)),
    Kind(
        "key",
        "kms:DescribeKey",
        "KeyMetadata",
        "KeyId",
        ("KeyState", "DeletionDate", "Origin", "ValidTo", "KeyManager", "CustomKeyStoreId"),
        keys=("Arn",),
        per="listed key",
        argument="KeyId",
    ),
    Kind(
        "secret",
        "secretsmanager:ListSecrets",
        "SecretList",
        "ARN",
        ("DeletedDate", "KmsKeyId", "NextRotationDate"),
        keys=("Name",),
        label="Name",
        fixed=(("IncludePlannedDeletion", True),),
    ),
    Kind(
        "security group",
        "ec2:DescribeSecurityGroups",
        "SecurityGroups",
        "GroupId",
        (
            "VpcId",
            "IpPermissions.IpProtocol",
            "IpPermissions.FromPort",
            "IpPermissions.ToPort",
            "IpPermissions.UserIdGroupPairs.GroupId",
        ),
        label="GroupName",
    ),
)
