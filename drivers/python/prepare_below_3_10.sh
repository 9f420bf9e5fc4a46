#!/bin/sh
# prepare_below_3_10.sh SCRIPT [INTERPRETER...]: prepares the environment of a script that needs a Python below 3.10.
#
# uv would look for one too, but takes PyPy only when it is told to; and not every machine can download CPython 3.9.
set -eu
script=$1
shift
for python in python3.9 python3.8 "$@"; do
    path=$("$python" -c 'import sys; print(sys.executable if (3, 8) <= sys.version_info < (3, 10) else "")' 2>/dev/null) || continue
    [ -z "$path" ] || exec uv sync --quiet --compile-bytecode --script "$script" --python "$path"
done
exec uv sync --quiet --compile-bytecode --script "$script"
