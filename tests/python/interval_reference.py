# /// script
# requires-python = ">=3.10"
# dependencies = ["numpy==2.4.6", "scipy==1.17.1"]
# ///
"""Prints the reference values of src/analysis/bootstrap.rs and interval.rs. Takes some minutes.

    uv run --script interval_reference.py > interval_reference.json
"""

import itertools
import json
from collections import Counter
from fractions import Fraction
from math import comb

import numpy
from scipy.stats import bootstrap

RESAMPLES = 1_000_000


def distribution(values):
    """The medians of all n^n samples that can be drawn from n values."""
    counts = Counter(float(numpy.median(drawn)) for drawn in itertools.product(values, repeat=len(values)))
    medians = sorted(counts)
    return {
        "values": values,
        "medians": medians,
        "probabilities": [counts[median] / len(values) ** len(values) for median in medians],
    }


def settled(interval):
    """An end of the interval is one of the medians, unless the quantile fell between two: then this is no reference."""
    first, second = interval(1), interval(2)
    assert numpy.allclose(first, second, rtol=1e-12), (first, second)
    return {"low": float(first[0]), "high": float(first[1])}


def median_interval(values):
    """Hettmansperger and Sheather (1986), with coverages in exact fractions, from the widest interval inwards."""
    ascending, n = sorted(values), len(values)

    def coverage(depth):
        return sum(Fraction(comb(n, k), 2**n) for k in range(depth, n - depth + 1))

    level = Fraction(95, 100)
    depth = max([d for d in range(1, n // 2 + 1) if coverage(d) >= level], default=1)
    wide, narrow = coverage(depth), coverage(depth + 1)
    share = max((wide - level) / (wide - narrow), Fraction(0))
    weight = (n - depth) * share / (depth + (n - 2 * depth) * share)

    def end(from_outside):
        return float((1 - weight) * Fraction(from_outside[depth - 1]) + weight * Fraction(from_outside[depth]))

    return {"values": values, "low": end(ascending), "high": end(ascending[::-1])}


def log_ratio(new, base, axis=-1):
    return numpy.log(numpy.median(new, axis=axis)) - numpy.log(numpy.median(base, axis=axis))


def ratio_interval(new, base):
    def interval(seed):
        found = bootstrap(
            (new, base), log_ratio, n_resamples=RESAMPLES, batch=10_000, method="BCa", vectorized=True,
            rng=numpy.random.default_rng(seed),
        ).confidence_interval
        return numpy.exp(found.low), numpy.exp(found.high)

    return {"new": new, "base": base, **settled(interval)}


def throughputs(seed, n, median=20_000, digits=2):
    generator = numpy.random.default_rng(seed)
    return [round(float(value), digits) for value in median * generator.lognormal(0, 0.05, n)]


ARTICLE = [17853.57, 16403.31, 17291.44, 17700.03, 17012.9]


def tried(make, *cases):
    for case in cases:
        try:
            yield make(*case)
        except AssertionError:
            pass


print(json.dumps({
    "distributions": [
        distribution(values)
        for values in ([7.0], [1.0, 4.0], [1.0, 2.0, 10.0], [1.0, 2.0, 4.0, 8.0], [1.0, 2.0, 4.0, 8.0, 16.0],
                       [1.0, 2.0, 2.0, 8.0, 16.0, 32.0], [1.0, 3.0, 3.0, 3.0, 16.0, 32.0, 100.0])
    ],
    "medians": [median_interval(values) for values in (
        ARTICLE, [1.0, 2.0, 2.0, 2.0, 3.0, 9.0],
        *(throughputs(n, n) for n in (5, 6, 7, 8, 9, 10, 11, 15, 17, 21, 23)),
        *(throughputs(n, n, digits=-2) for n in (12, 13, 30, 31, 100)),
    )],
    "ratios": list(tried(ratio_interval, (ARTICLE, [8565.18, 8610.25, 8594.31, 8655.07, 8630.87]),
                         *((throughputs(n, n), throughputs(n + 100, m, 19_000)) for n, m in ((5, 6), (6, 5), (7, 9))),
                         *((throughputs(n, n, digits=-2), throughputs(n + 100, m, 19_000, digits=-2))
                           for n, m in ((10, 10), (12, 13), (15, 30), (30, 30), (31, 31))))),
}, indent=1))
