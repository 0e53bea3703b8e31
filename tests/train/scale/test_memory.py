"""Memory that is freed while training stays, and goes back at the end."""

from __future__ import annotations

import ctypes
import platform

import numpy as np
import pytest

from gemel.train.scale import memory

BLOCK = 2**26


class _Account(ctypes.Structure):
    """`struct mallinfo2` of malloc.h."""

    _fields_ = [
        (name, ctypes.c_size_t)
        for name in [
            "arena",
            "ordblks",
            "smblks",
            "hblks",
            "hblkhd",
            "usmblks",
            "fsmblks",
            "uordblks",
            "fordblks",
            "cost",
        ]
    ]


def _free() -> int:
    """Bytes that the allocator holds and nobody uses, after a block of 64 MB was freed."""
    np.ones(BLOCK // 8)
    account = ctypes.CDLL("libc.so.6").mallinfo2
    account.restype = _Account
    return int(account().fordblks)


@pytest.mark.skipif(
    platform.libc_ver() < ("glibc", "2.33"), reason="mallinfo2 came with glibc 2.33"
)
def test_a_freed_block_stays_until_training_ends() -> None:
    with memory.kept():
        assert _free() >= BLOCK
    assert _free() < BLOCK
