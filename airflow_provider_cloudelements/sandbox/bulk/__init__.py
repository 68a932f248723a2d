"""Bulk jobs: downloads and uploads of many records."""
