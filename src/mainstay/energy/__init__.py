"""Joules and grams of CO2 of calls: measured where a meter exists, modelled or assumed otherwise, the method named.

Pure but for meters (``rapl``, ``nvml``, ``processor``), sources of carbon intensity (``intensity``) and two tables in
``data/``. ``Footprints`` is what the rest of the house asks; it is made of ``Profile``s, one for each model.
"""

from mainstay.energy.estimate import Estimate
from mainstay.energy.footprint import Footprint, Footprints
from mainstay.energy.profile import Profile, Served, profile

__all__ = ["Estimate", "Footprint", "Footprints", "Profile", "Served", "profile"]
