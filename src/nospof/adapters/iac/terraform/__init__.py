"""Terraform's plans and states as estates."""

from nospof.adapters.iac.terraform.reading import read_terraform

__all__ = ["read_terraform"]
