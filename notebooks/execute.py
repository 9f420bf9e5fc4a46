# /// script
# requires-python = ">=3.11"
# dependencies = [
#     "ipykernel==7.4.0",
#     "matplotlib==3.11.2",
#     "nbclient==0.11.0",
#     "nbformat==5.11.1",
#     "numpy==2.4.6",
#     "pandas==3.1.1",
#     "scipy==1.17.1",
# ]
# ///
"""Executes analysis.ipynb, from top to bottom, in a kernel of its own.

    uv run --script notebooks/execute.py                             fails if an output is not the one in the notebook
    uv run --script notebooks/execute.py --update                    writes the outputs into the notebook
    uv run --script notebooks/execute.py --output mine.ipynb RUN...  reads these runs and writes another notebook

Pictures are not compared: they depend on the fonts of a machine.
"""

import argparse
import os
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

NOTEBOOK = Path(__file__).with_name("analysis.ipynb")


def executed(runs):
    """The notebook after an execution with these runs; with its own where there are none."""
    os.environ.pop("ORCHESTRATE_RUNS", None)
    if runs:
        os.environ["ORCHESTRATE_RUNS"] = os.pathsep.join(str(run.resolve()) for run in runs)
    book = nbformat.read(NOTEBOOK, as_version=4)
    client = NotebookClient(
        book,
        kernel_name="python3",
        record_timing=False,
        timeout=600,
        resources={"metadata": {"path": NOTEBOOK.parent}},
        # Without a warning that whoever may listen on the loopback interface can listen to the kernel.
        extra_arguments=["--log-level=ERROR"],
    )
    client.execute()
    # Which Python it was stands in no output, and would be a difference from one machine to the next.
    book.metadata["language_info"] = {"name": "python"}
    return book


def outputs(cell):
    """What a cell says in words: what it prints, and tables as text."""
    for output in cell.get("outputs", []):
        if output.output_type == "stream":
            yield output.name, output.text
        elif "image/png" not in output.get("data", {}):
            yield output.output_type, output.get("data", {}).get("text/plain")


def main():
    parser = argparse.ArgumentParser(description="executes analysis.ipynb")
    parser.add_argument("runs", metavar="RUN", nargs="*", type=Path, help="the directory of a run")
    parser.add_argument("--output", type=Path, help="where the executed notebook goes")
    parser.add_argument("--update", action="store_true", help="write the outputs into the notebook itself")
    options = parser.parse_args()
    if bool(options.runs) != bool(options.output) or (options.runs and options.update):
        parser.error("runs and --output go together, and --update goes alone")

    try:
        book = executed(options.runs)
    except CellExecutionError as error:
        sys.exit(f"a cell of the notebook failed: {error.ename}: {error.evalue}")
    if options.output or options.update:
        nbformat.write(book, options.output or NOTEBOOK)
        return
    before = nbformat.read(NOTEBOOK, as_version=4)
    for number, (old, new) in enumerate(zip(before.cells, book.cells, strict=True), start=1):
        if list(outputs(old)) != list(outputs(new)):
            sys.exit(f"cell {number} no longer says what stands in the notebook: use --update, and look at it")
    print(f"{len(book.cells)} cells say what stands in the notebook")


if __name__ == "__main__":
    main()
