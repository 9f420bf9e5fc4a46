#!/bin/sh
# Fills uv's cache with what a script needs, compiled: where PYTHONDONTWRITEBYTECODE is set, each client would compile its library
# again. Without the network first: a host that has everything may have none.
uv sync --quiet --offline --compile-bytecode --script "$1" 2>/dev/null || exec uv sync --quiet --compile-bytecode --script "$1"
