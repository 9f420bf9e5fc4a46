"""Prints the reference values of src/analysis/stats.rs: python3 statistics_reference.py > statistics_reference.json"""

import json
import statistics

SAMPLES = [
    [8655.07],
    [8655.07, 8565.18],
    # Best, worst and standard deviation of test_sync, test_async and uvloop in the seed article.
    [8565.18, 8610.25, 8594.31, 8655.07, 8630.87],
    [5352.36, 5392.60, 5375.14, 5380.02, 5366.79],
    [17853.57, 16403.31, 17291.44, 17700.03, 17012.9],
    # Values whose spread is small beside their mean: where one-pass formulas lose their digits.
    [1e9 + 4, 1e9 + 7, 1e9 + 13, 1e9 + 16],
    [8012.5, 71034.25, 69111.75],
]


def reference(values):
    many = len(values) > 1
    return {
        "values": values,
        "best": max(values),
        "worst": min(values),
        "mean": statistics.mean(values),
        "median": statistics.median(values),
        "stdev": statistics.stdev(values) if many else None,
        "cv": statistics.stdev(values) / statistics.mean(values) if many else None,
    }


print(json.dumps([reference(values) for values in SAMPLES], indent=1))
