# /// script
# requires-python = ">=3.10"
# dependencies = ["numpy==2.4.6", "scipy==1.17.1"]
# ///
"""Prints the reference values of src/analysis/outliers.rs: uv run --script outliers_reference.py > outliers_reference.json"""

import json

import numpy
from scipy.stats import median_abs_deviation

SAMPLES = [
    [17853.57, 16403.31, 17291.44, 17700.03, 17012.9],
    [10.0, 10.1, 9.9, 10.2, 9.8, 14.0],
    [10.0, 10.1, 9.9, 10.2, 9.8, 10.9],
    # More than half are equal: the median deviation is 0.
    [5.0, 5.0, 5.0, 5.0, 5.1],
    [5.0, 5.0, 5.0, 5.1],
    [5.0, 5.0, 5.0, 4.0, 6.0],
    [8.0, 8.1, 7.9, 70.0, 71.0, 69.0, 70.0],
    [float(round(value, 1)) for value in numpy.random.default_rng(2).standard_cauchy(40)],
]


def outliers(values):
    values = numpy.array(values)
    distance = abs(values - numpy.median(values))
    sigma = median_abs_deviation(values, scale="normal")
    if sigma == 0:
        sigma = numpy.sqrt(numpy.pi / 2) * distance.mean()
    return [bool(mark) for mark in distance > 3.5 * sigma]


print(json.dumps([{"values": values, "outliers": outliers(values)} for values in SAMPLES], indent=1))
