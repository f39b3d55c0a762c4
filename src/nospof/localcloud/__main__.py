"""`python -m nospof.localcloud serve`: run a local cloud in the foreground."""

from __future__ import annotations

import argparse
import functools
import logging
import os
import sys
from pathlib import Path

from nospof.localcloud.errors import LocalCloudError

# Read by moto and botocore when they are imported: no images of Amazon's, no browsers, and nothing
# of the user's own AWS configuration.
ENVIRONMENT = {
    "MOTO_EC2_LOAD_DEFAULT_AMIS": "false",
    "MOTO_DISABLE_GLOBAL_CORS": "true",
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",  # a placeholder: the local cloud does not check signatures
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}


def main() -> int:
    """Serve; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m nospof.localcloud")
    commands = parser.add_subparsers(required=True, dest="command")
    serve = commands.add_parser("serve", help="serve a local cloud until SIGTERM")
    serve.add_argument("--dir", type=Path, required=True, help="where everything of it is kept")
    serve.add_argument("--port", type=int, required=True, help="port of 127.0.0.1; 0 for a free one")
    serve.add_argument("--name", default="", help="its name, for people")
    serve.add_argument("--lifeline", type=Path, help="a file the owner holds locked with flock")
    arguments = parser.parse_args()
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ.update(ENVIRONMENT)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    directory = arguments.dir.absolute()
    try:
        from botocore import loaders

        # One for all: as moto is imported it has EC2's model, the largest, read three times.
        loaders.create_loader = functools.cache(loaders.create_loader)
        from nospof.localcloud.gateway import serve as run

        run(directory, arguments.name or directory.name, arguments.port, arguments.lifeline)
    except (LocalCloudError, OSError, ImportError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
