"""A job of finding duplicates, started by a test that kills it."""

import sys

import numpy as np

import gemel
from gemel.data import records
from gemel.data.schema import Field
from gemel.improve import by_keys
from gemel.improve import comparison as module

FIELDS = (Field("first", "text"), Field("last", "text"), Field("born", "number"))


def tell(stage: str, done: int, total: int) -> None:
    """Say what is done, and wait to be told to go on."""
    print(stage, done, flush=True)
    sys.stdin.readline()


def main(release: str, table: str, engine: str, folder: str, out: str) -> None:
    """Find the duplicates of a table in small blocks, and write them."""
    module.BLOCK_PAIRS = 1 << 15
    module.BLOCK_RECORDS = 24
    module.ENCODED_AT_ONCE = 24
    by_keys.SCORED = 8
    dataset = records.read(table, id="id", fields=FIELDS)
    print("ready", flush=True)
    sys.stdin.readline()
    found = gemel.duplicates(
        gemel.Release.open(release),
        dataset,
        engine=engine,
        folder=folder,
        progress=tell,
    )
    found.write(f"{out}/clusters.parquet", f"{out}/pairs.parquet")
    np.savetxt(f"{out}/done", [found.summary.n_matches])


if __name__ == "__main__":
    main(*sys.argv[1:])
