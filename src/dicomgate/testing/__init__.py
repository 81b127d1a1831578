"""Makers of small true instances, contract suites for each joint, and Hypothesis strategies."""
