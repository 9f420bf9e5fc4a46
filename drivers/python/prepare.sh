#!/bin/sh
# Fills uv's cache with what a script needs. Without the network first: a host that has everything may have none.
uv sync --quiet --offline --script "$1" 2>/dev/null || exec uv sync --quiet --script "$1"
