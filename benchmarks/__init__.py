"""Measure this provider, each figure as a ratio against a named rival in the same run.

``python -m benchmarks`` (or ``make bench``) runs all benchmarks and says which bounds hold.
docs/performance.md has the results.
"""
