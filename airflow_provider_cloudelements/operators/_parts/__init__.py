"""Modules that operators share and no DAG imports."""
