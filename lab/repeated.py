# /// script
# requires-python = ">=3.9"
# dependencies = []
# ///
"""Whether a run repeats: what `orchestrate compare` says of every two modes in one run, held against another run of the same
experiment.

    uv run --script lab/repeated.py RUN AGAIN [--metric COLUMN]

For every two modes with the same settings, it counts

- how often the ratio of AGAIN lies within the 95% confidence interval of RUN. Of two runs with the same truth and intervals of
  the same width, that is 83%, and not 95%, as the second ratio varies as well: P(|Z| < 1.96 / sqrt 2) for a standard normal Z;
- how often the two intervals overlap: above 99% then, P(|Z| < 1.96 * sqrt 2);
- of the verdicts of RUN that decide, such as "faster", how many AGAIN shares, leaves undecided, or contradicts.

What lies far below is variation between runs that no interval of one run contains: another machine, say.
"""

import argparse
import collections
import csv
import io
import itertools
import pathlib
import subprocess
import sys

from built import program

OPPOSITE = {"faster": "slower", "slower": "faster", "less": "more", "more": "less"}


def modes(run):
    """The modes of a run, in the order of their first trials."""
    with open(run / "trials.csv", newline="", encoding="utf-8") as trials:
        return list(dict.fromkeys(row["mode"] for row in csv.DictReader(trials)))


def comparisons(orchestrate, run, metric):
    """The rows of `compare --csv` for every two modes, by the identities of the cells compared."""
    found = {}
    for base, new in itertools.combinations(modes(run), 2):
        said = subprocess.run(
            [orchestrate, "compare", "--quiet", "--csv", "--metric", metric, "--factor", f"mode={base},{new}", str(run)],
            capture_output=True,
            text=True,
            check=False,
        )
        # 2: no cell has both modes with the same settings.
        if said.returncode not in (0, 2):
            sys.exit(f"{base} against {new}: {said.stderr}")
        for row in csv.DictReader(io.StringIO(said.stdout)):
            if row["ratio_low"] and row["ratio_high"]:
                found[frozenset((row["cell_base"], row["cell_new"]))] = row
    return found


def turned(row, other):
    """Low, ratio, high and verdict of a row, with the base of another one."""
    low, ratio, high = (float(row[column]) for column in ("ratio_low", "ratio", "ratio_high"))
    if row["cell_base"] == other["cell_base"]:
        return low, ratio, high, row["verdict"]
    return 1 / high, 1 / ratio, 1 / low, OPPOSITE.get(row["verdict"], row["verdict"])


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("run", type=pathlib.Path, metavar="RUN")
    options.add_argument("again", type=pathlib.Path, metavar="AGAIN")
    options.add_argument("--metric", default="ops_per_s", metavar="COLUMN")
    options.add_argument("--orchestrate", default=None, metavar="PROGRAM")
    asked = options.parse_args()
    orchestrate = asked.orchestrate or program()

    first = comparisons(orchestrate, asked.run, asked.metric)
    second = comparisons(orchestrate, asked.again, asked.metric)
    both = [pair for pair in first if pair in second]
    if not both:
        sys.exit("the two runs have no two cells in common that can be compared")

    within = overlap = 0
    verdicts = collections.Counter()
    for pair in both:
        low, ratio, high, verdict = turned(first[pair], first[pair])
        low_again, ratio_again, high_again, verdict_again = turned(second[pair], first[pair])
        within += low <= ratio_again <= high
        overlap += low_again <= high and low <= high_again
        if verdict in OPPOSITE:
            verdicts[{verdict: "shared", OPPOSITE[verdict]: "contradicted"}.get(verdict_again, "undecided")] += 1

    print(f"{asked.metric}: {len(both)} pairs of cells in both runs")
    print(f"  ratio again within the interval   {within:4} of {len(both)} ({within / len(both):.0%}; 83% if nothing has changed)")
    print(f"  intervals overlap                 {overlap:4} of {len(both)} ({overlap / len(both):.0%}; above 99%)")
    decided = sum(verdicts.values())
    for what in ("shared", "undecided", "contradicted"):
        print(f"  verdicts {what:12}             {verdicts[what]:4} of {decided}")


if __name__ == "__main__":
    main()
