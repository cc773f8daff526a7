"""A callback at a point of the monotonic clock, to some tens of microseconds.

Event loops count their timers in milliseconds, which would drown the differences that the latency rows show; Linux'
timerfd does not. Elsewhere the loop's own timer serves, and the schedule error says what that cost.
"""

import asyncio
import contextlib
import ctypes
import os
import sys
from collections.abc import Callable

__all__ = ["Alarm"]

_CLOCK_MONOTONIC = 1
_TFD_TIMER_ABSTIME = 1


class _Timespec(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


class _Itimerspec(ctypes.Structure):
    _fields_ = (("interval", _Timespec), ("value", _Timespec))


class Alarm:
    """Calls `ring` once for each `set`; times are `time.perf_counter()` seconds, past ones ring at once."""

    def __init__(self, loop: asyncio.AbstractEventLoop, ring: Callable[[], None]) -> None:
        self._loop = loop
        self._ring = ring
        self._descriptor = -1
        self._handle: asyncio.TimerHandle | None = None
        if sys.platform == "linux":
            self._libc = ctypes.CDLL(None, use_errno=True)
            self._descriptor = self._libc.timerfd_create(_CLOCK_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC)
        if self._descriptor >= 0:
            self._spec = _Itimerspec()
            loop.add_reader(self._descriptor, self._ready)

    def set(self, at: float) -> None:
        """Ring at `at`, in place of any time set before."""
        if self._descriptor < 0:
            self.clear()
            # The loop's clock is the same monotonic clock on every platform that lacks timerfd.
            self._handle = self._loop.call_at(at, self._ring)
            return
        nanoseconds = max(int(at * 1e9), 1)  # zero would disarm
        self._spec.value.seconds, self._spec.value.nanoseconds = divmod(nanoseconds, 1_000_000_000)
        if self._libc.timerfd_settime(self._descriptor, _TFD_TIMER_ABSTIME, ctypes.byref(self._spec), None):
            raise OSError(ctypes.get_errno(), "the timer could not be set")

    def clear(self) -> None:
        """Forget the time set, if any."""
        if self._descriptor < 0:
            if self._handle is not None:
                self._handle.cancel()
            return
        self._spec.value.seconds = self._spec.value.nanoseconds = 0
        self._libc.timerfd_settime(self._descriptor, 0, ctypes.byref(self._spec), None)

    def close(self) -> None:
        """Release the timer; it may be called twice."""
        if self._descriptor >= 0:
            self._loop.remove_reader(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = -1
        elif self._handle is not None:
            self._handle.cancel()

    def _ready(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._descriptor, 8)
        self._ring()
