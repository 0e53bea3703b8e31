"""GoldenMatch without a configuration: the clusters that it finds among the records of eval.

Run as a script in an environment of its own: `python peers_goldenmatch.py JOB.json OUT.json`. The
job has the columns and the rows; the answer is the cluster of each row.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import goldenmatch
import polars as pl


def clusters(frame: pl.DataFrame) -> list[int]:
    """The cluster of each row; a row of its own has a cluster of its own."""
    result = goldenmatch.dedupe_df(frame, allow_red_config=True)
    label = list(range(len(frame)))
    for number, found in result.clusters.items():
        for row in found["members"]:
            label[row] = len(frame) + int(number)
    return label


def main(job: Path, out: Path) -> None:
    """Read the job, write the answer."""
    said = json.loads(job.read_text())
    schema = dict.fromkeys(said["columns"], pl.String)
    frame = pl.DataFrame(said["rows"], schema=schema, orient="row")
    out.write_text(json.dumps(clusters(frame)))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:3]))
