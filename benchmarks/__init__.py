"""Measurements as ratios in one run on this machine: `make bench`."""
