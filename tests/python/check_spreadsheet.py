# /// script
# requires-python = ">=3.9"
# dependencies = []
# ///
"""Opens the tables of a run in LibreOffice as docs/spreadsheets.md says, and compares every value.

    uv run --script tests/python/check_spreadsheet.py RUN_DIRECTORY [--filter OPTIONS] [--locale LOCALE]

Each table becomes a workbook (ods and xlsx) in a LibreOffice whose settings are those of an English and of a German user.
What the workbooks hold is then written by an English one, because CSV from a German one has decimal commas. Numbers may
lose what LibreOffice does not write: it has 15 significant digits.
"""

import argparse
import csv
import json
import math
import pathlib
import subprocess
import sys
import tempfile

PROFILE = """<?xml version="1.0" encoding="UTF-8"?>
<oor:items xmlns:oor="http://openoffice.org/2001/registry" xmlns:xs="http://www.w3.org/2001/XMLSchema">
<item oor:path="/org.openoffice.Setup/L10N"><prop oor:name="ooSetupSystemLocale" oor:op="fuse"><value>{}</value></prop></item>
</oor:items>
"""
# Separator, quote, UTF-8, from line 1, quoted fields not as text, cells as they are and not as they are shown.
EXPORT = "csv:Text - txt - csv (StarCalc):44,34,76,1,,1033,false,false,false"


def documented():
    """The options of the import that the manual gives."""
    text = pathlib.Path(__file__).parents[2].joinpath("docs/spreadsheets.md").read_text(encoding="utf-8")
    (options,) = {part.split('"')[0] for part in text.split('--infilter="')[1:]}
    return options


def office(place, locale):
    """The command line of a LibreOffice with the settings of somebody in that place of the world."""
    profile = place / locale
    settings = profile / "user/registrymodifications.xcu"
    if not settings.exists():
        settings.parent.mkdir(parents=True)
        settings.write_text(PROFILE.format(locale), encoding="utf-8")
    return ["soffice", f"-env:UserInstallation={profile.as_uri()}", "--headless"]


def convert(office, files, to, directory, infilter=None):
    command = [*office, "--convert-to", to, "--outdir", str(directory)]
    command += [f"--infilter={infilter}"] if infilter else []
    done = subprocess.run([*command, *map(str, files)], capture_output=True, text=True)
    missing = [file.stem for file in files if not (directory / file.stem).with_suffix("." + to.split(":")[0]).exists()]
    if done.returncode or missing:
        raise SystemExit(f"soffice made no {to} of {missing}: {done.stdout}{done.stderr}")


def rows(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file, strict=True))


def same(kind, before, after):
    if before == "" or after == "":
        return before == after
    if kind in ("number", "integer"):
        try:
            return math.isclose(float(before), float(after), rel_tol=1e-14)
        except ValueError:
            return False
    if kind == "boolean":
        return before == after.lower()
    return before == after


def differences(package, run, back, where):
    for resource in package["resources"]:
        kinds = [field["type"] for field in resource["schema"]["fields"]]
        before, after = rows(run / resource["path"]), rows(back / resource["path"])
        if len(before) != len(after) or before[0] != after[0]:
            yield f"{where}: {resource['path']} has other rows or columns"
            continue
        for number, (old, new) in enumerate(zip(before[1:], after[1:]), start=2):
            for name, kind, a, b in zip(before[0], kinds, old, new):
                if not same(kind, a, b):
                    yield f"{where}: {resource['path']}:{number}: {name}: {a!r} became {b!r}"


def main():
    parser = argparse.ArgumentParser(description="opens the tables of a run in LibreOffice")
    parser.add_argument("run", type=pathlib.Path)
    parser.add_argument("--filter", default=documented(), help="options of the import, in place of the documented ones")
    parser.add_argument("--locale", action="append", help="in place of English and German")
    options = parser.parse_args()
    package = json.loads((options.run / "datapackage.json").read_text(encoding="utf-8"))
    tables = [resource["path"] for resource in package["resources"]]
    found, values = [], 0
    with tempfile.TemporaryDirectory() as directory:
        place = pathlib.Path(directory)
        english = office(place, "en-US")
        for locale in options.locale or ["en-US", "de-DE"]:
            for kind in ("ods", "xlsx"):
                books, back = place / f"{locale}-{kind}", place / f"{locale}-{kind}-back"
                convert(office(place, locale), [options.run / table for table in tables], kind, books, options.filter)
                convert(english, [(books / table).with_suffix("." + kind) for table in tables], EXPORT, back)
                found += differences(package, options.run, back, f"{locale}, {kind}")
                values += sum(len(row) for table in tables for row in rows(back / table)[1:])
    for line in found[:20]:
        print(line)
    print(f"{values} values were compared, {len(found)} differ")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
