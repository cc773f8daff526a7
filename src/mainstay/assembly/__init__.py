"""From one generation of the configuration to what a worker serves. Below ``app``, which runs it in processes."""

from mainstay.assembly.gauges import show_standings, show_till
from mainstay.assembly.rooms import Blueprint, Rooms

__all__ = ["Blueprint", "Rooms", "show_standings", "show_till"]
