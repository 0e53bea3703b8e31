"""Labelled comparisons and their curves: what everything else in calibrate is computed from."""
