"""Formulas: templates with scripted steps, their instances, and executions."""
