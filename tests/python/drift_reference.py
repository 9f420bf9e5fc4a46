# /// script
# requires-python = ">=3.10"
# dependencies = ["numpy==2.4.6", "scipy==1.17.1"]
# ///
"""Prints the reference values of src/analysis/drift.rs: uv run --script drift_reference.py > drift_reference.json"""

import json

import numpy
from scipy.stats import theilslopes

generator = numpy.random.default_rng(3)


def reference(positions, values):
    found = theilslopes(values, positions, 0.99)
    return {
        "points": [[float(x), float(y)] for x, y in zip(positions, values)],
        "slope": float(found.slope),
        "low": float(found.low_slope),
        "high": float(found.high_slope),
    }


def cases():
    for n, slope in ((5, 0.0), (5, 40.0), (8, 3.0), (20, -2.0), (30, 0.0), (100, 0.4)):
        positions = sorted(generator.choice(10 * n, n, replace=False))
        yield reference(positions, [round(float(1000 + slope * x + generator.normal(0, 30)), 3) for x in positions])
    # Ties in position and in value.
    yield reference([1, 1, 2, 3, 3, 4, 5, 6, 7], [10, 11, 11, 11, 12, 13, 12, 14, 14])


print(json.dumps(list(cases()), indent=1))
