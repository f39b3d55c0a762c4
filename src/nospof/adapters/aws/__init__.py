"""AWS behind the port, through boto3; the same code serves the local cloud.

Importing this package imports boto3, so faces import it only when a command needs a cloud.
"""

from nospof.adapters.aws.cloud import AwsCloud
from nospof.adapters.aws.session import connect

__all__ = ["AwsCloud", "connect"]
