"""The catalogue of elements."""
