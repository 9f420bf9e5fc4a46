# /// script
# requires-python = ">=3.10"
# dependencies = ["numpy==2.4.6", "pandas==3.1.1"]
# ///
"""Times `orchestrate` on a table of a million trials against the same reading, group-by and medians in pandas.

    cargo build --release
    uv run --script tests/python/time_tables.py [--rows 1000000] [--pairs 5] [--command compare]

The table is made from the rows of results/sweep with numbers of their own. Runs are interleaved in pairs; printed are the
median of each side, the median of the ratios of the pairs, and the peak memory of each. pandas reads only the columns that
it needs, which is less than orchestrate reads.
"""

import argparse
import csv
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy

ROOT = Path(__file__).resolve().parent.parent.parent
PANDAS = """
import sys
import pandas
sides = [
    pandas.read_csv(path, usecols=["cell", "status", "ops_per_s"], dtype={"cell": "category", "status": "category"})
    for path in sys.argv[1:]
]
medians = [side[side.status == "ok"].groupby("cell", observed=True).ops_per_s.median() for side in sides]
print(medians[0] if len(medians) == 1 else medians[1] / medians[0])
"""


def write(path, rows, cells, seed):
    """A table with this many rows in so many cells, as a run of one experiment would leave behind."""
    generator = numpy.random.default_rng(seed)
    source = next((ROOT / "results" / "sweep").glob("*/trials.csv"))
    with source.open(encoding="utf-8", newline="") as file:
        header, *models = csv.reader(file)
    place = {name: index for index, name in enumerate(header)}
    repetitions = rows // cells
    numbers = generator.lognormal(10, 0.05, rows)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        row_number = 0
        for repetition in range(1, repetitions + 1):
            for number in generator.permutation(cells):
                row = list(models[number % len(models)])
                cell = f"c{number:015x}"
                row[place["run_id"]] = f"20261123T110222Z-side{seed}"
                row[place["cell"]] = cell
                row[place["trial"]] = f"{cell}-{repetition}"
                row[place["repetition"]] = repetition
                row[place["position"]] = row_number + 1
                row[place["ops_per_s"]] = repr(float(numbers[row_number]))
                row[place["latency_p99_us"]] = repr(float(1e6 / numbers[row_number]))
                writer.writerow(row)
                row_number += 1


def timed(command):
    """Seconds and peak memory in MB of a process."""
    begun = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    said = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    took = time.perf_counter() - begun
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"{command[0]} ended with {process.returncode}: {said.decode()}")
    return took, usage.ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--cells", type=int, default=200)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--command", choices=["compare", "report"], default="compare")
    parser.add_argument("--program", type=Path, default=ROOT / "target" / "release" / "orchestrate")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        sides = [Path(directory) / "base.csv", Path(directory) / "new.csv"]
        if args.command == "compare":
            # A comparison has two sides, and together they are as many rows as were asked for.
            for seed, side in enumerate(sides):
                write(side, args.rows // 2, args.cells, seed)
            ours = [args.program, "compare", *sides]
        else:
            sides = sides[:1]
            write(sides[0], args.rows, args.cells, 0)
            ours = [args.program, "report", sides[0], "--output", Path(directory) / "report.html"]
        theirs = [sys.executable, "-c", PANDAS, *sides]
        size = sum(side.stat().st_size for side in sides) / 1e6
        # Once before, so that neither side pays for a cold cache.
        timed(ours), timed(theirs)
        pairs = [(timed(ours), timed(theirs)) for _ in range(args.pairs)]
    print(f"{args.rows} rows, {size:.0f} MB, {args.pairs} pairs")
    for name, side in (("orchestrate", 0), ("pandas", 1)):
        seconds = statistics.median(pair[side][0] for pair in pairs)
        memory = max(pair[side][1] for pair in pairs)
        print(f"{name:12} {seconds:6.2f} s  {memory:6.0f} MB")
    ratios = [theirs[0] / ours[0] for ours, theirs in pairs]
    print(f"pandas over orchestrate: median {statistics.median(ratios):.2f}, from {min(ratios):.2f} to {max(ratios):.2f}")


if __name__ == "__main__":
    main()
