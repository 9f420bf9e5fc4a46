"""The program that the scripts of the lab run."""

import pathlib
import shutil
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent


def program():
    """This repository's release build, or whatever is installed."""
    built = ROOT / "target/release/orchestrate"
    found = built if built.exists() else shutil.which("orchestrate")
    if not found:
        sys.exit("orchestrate not found: build it with `cargo build --release --locked`, or name it with --orchestrate")
    return str(found)
