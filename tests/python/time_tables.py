# /// script
# requires-python = ">=3.10"
# dependencies = ["numpy==2.4.6", "pandas==3.1.1"]
# ///
"""Times `orchestrate` on tables of a million trials against the same group-by and medians in pandas.

    cargo build --release
    uv run --script tests/python/time_tables.py [--rows 1000000] [--pairs 5] [--command compare]

The tables are made from the rows of results/sweep with numbers of their own. Runs are interleaved; printed are the median of
each, its peak memory, and the median of the ratios to orchestrate's run beside it. pandas is asked twice: to read the tables
as a notebook does, and to read only the three columns that medians take, which is far less than orchestrate reads and
checks. Either is timed as a whole process and, in brackets, without the start of the interpreter and the import of pandas.
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
import sys, time
import pandas
begun = time.perf_counter()
columns, paths = eval(sys.argv[1]), sys.argv[2:]
sides = [pandas.read_csv(path, **columns) for path in paths]
medians = [side[side.status == "ok"].groupby("cell", observed=True).ops_per_s.median() for side in sides]
result = medians[0] if len(medians) == 1 else medians[1] / medians[0]
print(time.perf_counter() - begun)
"""
WAYS = {
    "pandas": {},
    "pandas, 3 columns": {
        "usecols": ["cell", "status", "ops_per_s"],
        "dtype": {"cell": "category", "status": "category"},
    },
}


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
    """Seconds, peak memory in MB and output of a process."""
    begun = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    said, complained = process.stdout.read(), process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    took = time.perf_counter() - begun
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"{command[0]} ended with {process.returncode}: {complained.decode()}")
    return took, usage.ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10), said


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--cells", type=int, default=200)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--command", choices=["compare", "report"], default="compare")
    parser.add_argument("--program", type=Path, default=ROOT / "target" / "release" / "orchestrate", help="release build")
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
        size = sum(side.stat().st_size for side in sides) / 1e6
        ways = {"orchestrate": ours}
        for name, columns in WAYS.items():
            ways[name] = [sys.executable, "-c", PANDAS, repr(columns), *sides]
        # Once before, so that nobody pays for a cold cache.
        for command in ways.values():
            timed(command)
        rounds = [{name: timed(command) for name, command in ways.items()} for _ in range(args.pairs)]
    print(f"{args.command}, {args.rows} rows, {size:.0f} MB, {args.pairs} rounds")
    for name in ways:
        seconds = statistics.median(runs[name][0] for runs in rounds)
        memory = max(runs[name][1] for runs in rounds)
        line = f"{name:18} {seconds:6.2f} s {memory:6.0f} MB"
        if name != "orchestrate":
            ratios = sorted(runs[name][0] / runs["orchestrate"][0] for runs in rounds)
            work = statistics.median(float(runs[name][2]) for runs in rounds)
            alone = statistics.median(float(runs[name][2]) / runs["orchestrate"][0] for runs in rounds)
            line += f"   {statistics.median(ratios):5.2f} times as long, {ratios[0]:.2f} to {ratios[-1]:.2f}"
            line += f" ({work:.2f} s, {alone:.2f})"
        print(line)


if __name__ == "__main__":
    main()
