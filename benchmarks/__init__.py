"""What is measured of this provider, each figure as a ratio against a named rival in the same run.

``python -m benchmarks`` (or ``make bench``) runs all of it and says which bounds hold; docs/performance.md
tells what came of it.
"""
