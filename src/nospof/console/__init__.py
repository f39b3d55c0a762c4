"""The web API and its pages: a face like the command line, over the same services."""
