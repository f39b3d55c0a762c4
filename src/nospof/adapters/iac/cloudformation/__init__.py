"""CloudFormation templates: opened, evaluated as far as a file can tell, and translated."""

from nospof.adapters.iac.cloudformation.parameters import read_parameters_file
from nospof.adapters.iac.cloudformation.reading import read_template

__all__ = ["read_parameters_file", "read_template"]
