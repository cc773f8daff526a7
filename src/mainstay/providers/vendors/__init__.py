"""Vendors as data: a validated row for each, and a codec that puts a row's differences around a wire's own codec."""

from mainstay.providers.vendors.catalogue import address, find_row, missing_parameters, packaged_names, packaged_row
from mainstay.providers.vendors.codec import (
    make_vendor_codec,
    make_vendor_completions,
    make_vendor_task,
    vendor_credentials,
)
from mainstay.providers.vendors.row import TaskRow, VendorRow
from mainstay.providers.vendors.wires import make_codec, speaks

__all__ = [
    "TaskRow",
    "VendorRow",
    "address",
    "find_row",
    "make_codec",
    "make_vendor_codec",
    "make_vendor_completions",
    "make_vendor_task",
    "missing_parameters",
    "packaged_names",
    "packaged_row",
    "speaks",
    "vendor_credentials",
]
