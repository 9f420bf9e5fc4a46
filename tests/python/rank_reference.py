# /// script
# requires-python = ">=3.10"
# dependencies = ["numpy==2.4.6", "scipy==1.17.1", "statsmodels==0.15.0"]
# ///
"""Prints the reference values of src/analysis/rank.rs, and with --holm those of holm.rs.

    uv run --script rank_reference.py > rank_reference.json
    uv run --script rank_reference.py --holm > holm_reference.json
"""

import json
import sys

import numpy
from scipy.stats import PermutationMethod, mannwhitneyu
from statsmodels.stats.multitest import multipletests

generator = numpy.random.default_rng(1)


def sample(n, shift=0.0, digits=6):
    return [round(float(value), digits) for value in generator.normal(shift, 1, n)]


def reference(a, b, method):
    """The method is scipy's: exact without ties, every permutation with ties, the approximation for large samples."""
    return {"a": a, "b": b, "p": float(mannwhitneyu(a, b, method=method).pvalue)}


def permutations():
    return PermutationMethod(n_resamples=numpy.inf)


def ranks():
    yield reference([1.0], [2.0], "exact")
    yield reference([1.0, 2.0, 3.0], [2.5, 4.0, 5.0, 6.0], "exact")
    for n, m in ((5, 5), (5, 9), (8, 8), (12, 7), (30, 30), (50, 50), (3, 40)):
        yield reference(sample(n), sample(m, 0.7), "exact")
    for n, m in ((4, 5), (6, 6), (7, 5)):
        yield reference(sample(n, digits=0), sample(m, 0.7, digits=0), permutations())
    yield reference([1.0, 1.0, 1.0, 2.0], [1.0, 2.0, 2.0, 2.0, 2.0], permutations())
    for n, m, digits in ((60, 60, 6), (51, 50, 1), (10, 400, 1)):
        yield reference(sample(n, digits=digits), sample(m, 0.5, digits=digits), "asymptotic")


def holm():
    for p in ([0.01, 0.04, 0.03, 0.005], [0.5, 0.5, 0.9], [0.02, 0.02, 1.0, 0.0001, 0.02], [0.013] * 5):
        yield {"p": p, "holm": [float(value) for value in multipletests(p, method="holm")[1]]}


print(json.dumps(list(holm() if "--holm" in sys.argv else ranks()), indent=1))
