"""Memory that is freed while training stays, and goes back at the end."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

CODE = """
import ctypes
import numpy as np
from gemel.train.scale import memory

class Account(ctypes.Structure):
    # struct mallinfo2 of malloc.h; `free` is what the allocator holds and nobody uses
    _fields_ = [(name, ctypes.c_size_t) for name in [*"abcdefgh", "free", "i"]]

account = ctypes.CDLL("libc.so.6").mallinfo2
account.restype = Account

def free():
    np.ones(2**23)
    return account().free

with memory.kept():
    print(free() >= 2**26)
print(free() < 2**26)
"""


@pytest.mark.skipif(
    platform.libc_ver() < ("glibc", "2.33"), reason="mallinfo2 came with glibc 2.33"
)
def test_a_freed_block_stays_until_training_ends() -> None:
    """In a process of its own: what tests before it left free would count."""
    said = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    assert said.stdout.split() == ["True", "True"]
