"""The configuration: one YAML file or a folder of them, one schema, every problem at once.

Rooms own their parts (``ROOM/config.py``); ``schema`` puts them together, ``load`` reads and checks, ``watch`` notices
edits, ``publish`` makes the JSON Schema.
"""

from mainstay.config.default import default_config_text
from mainstay.config.load import Checked, Loaded, check, config_home, load_config
from mainstay.config.problems import Problem
from mainstay.config.references import may_listen
from mainstay.config.schema import Config, ProviderConfig
from mainstay.config.watch import Watcher

__all__ = [
    "Checked",
    "Config",
    "Loaded",
    "Problem",
    "ProviderConfig",
    "Watcher",
    "check",
    "config_home",
    "default_config_text",
    "load_config",
    "may_listen",
]
