"""How a release comes about: built from a run, calibrated anew, adapted to answers."""
