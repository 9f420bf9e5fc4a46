# /// script
# requires-python = ">=3.10"
# dependencies = ["frictionless==5.21.0", "pandas==3.1.1"]
# ///
"""Reads the tables of a run as others would: with csv, pandas and Frictionless. Fails if any of them stumbles.

    uv run --script check_package.py RUN_DIRECTORY
"""

import csv
import json
import math
import sys
from pathlib import Path

import frictionless
import pandas

PANDAS_TYPES = {"string": "string", "integer": "Int64", "number": "float64", "boolean": "boolean"}


def problems(run):
    package = json.loads((run / "datapackage.json").read_text(encoding="utf-8"))
    for resource in package["resources"]:
        name, schema = resource["name"], resource["schema"]
        names = [field["name"] for field in schema["fields"]]
        path = run / resource["path"]

        raw = path.read_bytes()
        if b"\r" in raw or not raw.endswith(b"\n"):
            yield f"{name}: rows do not end in a line feed alone"
        with path.open(encoding="utf-8", newline="") as file:
            header, *rows = csv.reader(file, strict=True)
        if header != names:
            yield f"{name}: the header is not what datapackage.json says"
        for number, row in enumerate(rows, start=2):
            if len(row) != len(names):
                yield f"{name}: row {number} has {len(row)} fields instead of {len(names)}"

        kinds = {field["name"]: field["type"] for field in schema["fields"]}
        try:
            table = pandas.read_csv(
                path,
                dtype={column: PANDAS_TYPES[kind] for column, kind in kinds.items() if kind in PANDAS_TYPES},
                parse_dates=[column for column, kind in kinds.items() if kind == "datetime"],
                keep_default_na=False,
                na_values=[""],
                float_precision="round_trip",
            )
        except (ValueError, pandas.errors.ParserError) as error:
            yield f"{name}: pandas: {error}"
            continue
        if len(table) != len(rows):
            yield f"{name}: pandas sees {len(table)} rows instead of {len(rows)}"
        for column in (column for column, kind in kinds.items() if kind == "number"):
            for text, number in zip((row[names.index(column)] for row in rows), table[column]):
                if not (math.isnan(number) if text == "" else float(text) == number):
                    yield f"{name}: {column}: pandas reads {text!r} as {number}"
        for column in (column for column, kind in kinds.items() if kind == "datetime"):
            if not isinstance(table[column].dtype, pandas.DatetimeTZDtype):
                yield f"{name}: {column}: pandas does not see moments but {table[column].dtype}"

    frictionless.system.trusted = True
    report = frictionless.validate(str(run / "datapackage.json"))
    for row in report.flatten(["title", "rowNumber", "fieldName", "message"]):
        yield "frictionless: " + ", ".join(str(item) for item in row if item is not None)


if __name__ == "__main__":
    found = list(problems(Path(sys.argv[1]).resolve()))
    print("\n".join(found) or "the tables are what their description says")
    sys.exit(1 if found else 0)
