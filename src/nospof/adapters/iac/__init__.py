"""Readers of infrastructure as code: a description becomes the estate it promises."""
