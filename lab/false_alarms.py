# /// script
# requires-python = ">=3.9"
# dependencies = []
# ///
"""How often `orchestrate compare` reports a difference where there is none, and how often it detects one of exactly 5%.

    uv run --script lab/false_alarms.py                      measures, 10 to 20 minutes on a quiet machine, then counts
    uv run --script lab/false_alarms.py --run DIRECTORY      counts again in what has been measured

Runs lab/false-alarms.toml once, with many repetitions: a client, the same client under another name, and one that is
slowed by exactly 5%, in four cells each, in shuffled blocks. The blocks are then cut into families that share no trial, as
if each family were a run of its own, and `orchestrate compare` judges every one of them.

- False alarms: the client against itself. A family has one if any of its four cells has a verdict. The limit is 5%.
- Power: the client against the slowed one, as the share of cells in which the slowdown is detected. The target is 90% with
  30 repetitions; where it is missed, the script looks for the number of repetitions that reaches it.

Prints a table, and writes it to false_alarms.csv in the directory of the run.
"""

import argparse
import csv
import json
import math
import os
import pathlib
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

from built import program

LAB = pathlib.Path(__file__).resolve().parent
ROOT = LAB.parent
EXPERIMENT = LAB / "false-alarms.toml"
REPETITIONS = [5, 10, 20, 30]
MORE_REPETITIONS = [40, 50, 60, 80, 100, 150, 200]
LIMIT, POWER, AT = 0.05, 0.90, 30


def measured(orchestrate, results, blocks):
    """The directory of a new run of the experiment with so many blocks."""
    text = EXPERIMENT.read_text(encoding="utf-8")
    # This very interpreter: one that is looked up on PATH may be a script that takes ten times as long to start.
    text = text.replace('"python3", "slowed.py"', f'{json.dumps(sys.executable)}, "{LAB.as_posix()}/slowed.py"')
    text = text.replace("--harness=..", f"--harness={ROOT.as_posix()}")
    text = text.replace("repetitions = 1000", f"repetitions = {blocks}")
    before = set(results.glob("false-alarms/*"))
    with tempfile.TemporaryDirectory() as directory:
        file = pathlib.Path(directory, "false-alarms.toml")
        file.write_text(text, encoding="utf-8")
        subprocess.run([orchestrate, str(file), "--results", str(results), "--fresh"], check=True)
    (run,) = set(results.glob("false-alarms/*")) - before
    return run


def families(trials, modes, repetitions):
    """Disjoint sets of whole blocks, each with the trials of these modes only."""
    blocks = {}
    for trial in trials:
        blocks.setdefault(int(trial["repetition"]), []).append(trial)
    numbers = sorted(blocks)
    for first in range(0, len(numbers) - repetitions + 1, repetitions):
        chosen = (trial for number in numbers[first : first + repetitions] for trial in blocks[number])
        yield [trial for trial in chosen if trial["mode"] in modes]


def verdicts(orchestrate, modes, family):
    """What `orchestrate compare` says of each cell of a family."""
    with tempfile.TemporaryDirectory() as directory:
        table = pathlib.Path(directory, "trials.csv")
        with table.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, family[0].keys(), lineterminator="\n")
            writer.writeheader()
            writer.writerows(family)
        command = [orchestrate, "--quiet", "compare", str(table), "--factor", f"mode={','.join(modes)}", "--json"]
        done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"`{' '.join(command)}` ended with {done.returncode}: {done.stderr}")
    return json.loads(done.stdout)["cells"]


def wilson(hits, of):
    """Both ends of the 95% interval of a share (Wilson 1927)."""
    z = 1.959964
    share = hits / of
    centre, half = share + z * z / (2 * of), z * math.sqrt(share * (1 - share) / of + z * z / (4 * of * of))
    return tuple(max(0, min(1, (centre + sign * half) / (1 + z * z / of))) for sign in (-1, 1))


def judged(orchestrate, trials, modes, repetitions):
    """All families of this size, as lists of cells."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(lambda family: verdicts(orchestrate, modes, family), families(trials, modes, repetitions)))


def row(what, counted, repetitions, families, hits, of):
    low, high = wilson(hits, of)
    ratios = sorted(cell["ratio"] for cells in families for cell in cells if cell["ratio"])
    return {
        "what": what,
        "counted": counted,
        "repetitions": repetitions,
        "families": len(families),
        "of": of,
        "seen": hits,
        "share": hits / of,
        "share_low": low,
        "share_high": high,
        "median_ratio": ratios[len(ratios) // 2],
    }


def alarms(orchestrate, trials, repetitions):
    """Families of a client against itself with a verdict."""
    found = judged(orchestrate, trials, ["plain", "twin"], repetitions)
    hits = sum(any(cell["verdict"] in ("faster", "slower") for cell in cells) for cells in found)
    return row("false alarms", "families", repetitions, found, hits, len(found)) if found else None


def power(orchestrate, trials, repetitions):
    """Cells in which the slowed client is found to be slower."""
    found = judged(orchestrate, trials, ["plain", "slowed"], repetitions)
    cells = [cell for family in found for cell in family]
    hits = sum(cell["verdict"] == "slower" for cell in cells)
    wrong = sum(cell["verdict"] == "faster" for cell in cells)
    if wrong:
        print(f"with {repetitions} repetitions {wrong} cells of the slowed client are called faster")
    return row("5% slower", "cells", repetitions, found, hits, len(cells)) if cells else None


def show(row):
    print(
        f"{row['what']:12} with {row['repetitions']:3} repetitions: {row['seen']:4} of {row['of']:4} {row['counted']:8} ="
        f" {row['share']:6.1%}"
        f" [{row['share_low']:.1%}, {row['share_high']:.1%}]  median ratio {row['median_ratio']:.4f}",
        flush=True,
    )


def main():
    parser = argparse.ArgumentParser(description="counts verdicts of `orchestrate compare` where the truth is known")
    parser.add_argument("--run", type=pathlib.Path, help="count in this run, and measure nothing")
    parser.add_argument("--blocks", type=int, default=1000, help="how often each cell is measured (default: 1000)")
    parser.add_argument("--results", type=pathlib.Path, default=pathlib.Path("results"), help="where the run goes")
    parser.add_argument("--orchestrate", help="the program (default: the release build, or the one on PATH)")
    options = parser.parse_args()
    orchestrate = options.orchestrate or program()
    run = options.run or measured(orchestrate, options.results.resolve(), options.blocks)
    with (run / "trials.csv").open(encoding="utf-8", newline="") as file:
        trials = [trial for trial in csv.DictReader(file) if trial["status"] in ("ok", "failed", "timed-out")]

    rows = []
    for count in (alarms, power):
        for repetitions in REPETITIONS:
            if found := count(orchestrate, trials, repetitions):
                rows.append(found)
                show(found)
    if not rows:
        sys.exit(f"{run} has fewer than {REPETITIONS[0]} blocks")
    enough = [row for row in rows if row["what"].startswith("5%") and row["share"] >= POWER]
    for repetitions in () if enough else MORE_REPETITIONS:
        found = power(orchestrate, trials, repetitions)
        if not found:
            break
        rows.append(found)
        show(found)
        if found["share"] >= POWER:
            enough = [found]
            break

    with (run / "false_alarms.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys(), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    print(f"written to {run / 'false_alarms.csv'}")
    # Of the fewer families that more repetitions leave, one alarm more or less is several percent.
    told = max((row for row in rows if row["what"].startswith("false")), key=lambda row: row["families"])
    print(f"false alarms: in {told['share']:.1%} of {told['families']} families; the limit is {LIMIT:.0%}")
    if enough:
        print(f"5%: found in {POWER:.0%} of cells and more from {enough[0]['repetitions']} repetitions on (wanted: {AT})")
    else:
        print(f"5%: not found in {POWER:.0%} of cells with as many repetitions as there are")
    sys.exit(0 if told["share"] <= LIMIT else 1)


if __name__ == "__main__":
    main()
