"""Policies: what they may know of each model, and the step of each route that asks them."""

from collections.abc import Iterable, Mapping, Sequence
from urllib.parse import urlsplit

from mainstay.assembly.routes import wishes_of
from mainstay.assembly.targets import vendor_name, vendors_of
from mainstay.config.load import Loaded
from mainstay.config.schema import Config, RouteSection
from mainstay.core.config import is_loopback
from mainstay.core.target import Target
from mainstay.engines.config import LlamaCppConfig
from mainstay.governance.disclosure import Disclosure
from mainstay.governance.policy import ModelFacts, Policies
from mainstay.governance.stage import Admit, Rule
from mainstay.providers.bedrock.config import BedrockConfig
from mainstay.providers.config import HttpProviderConfig, VendorConfig
from mainstay.providers.terms import TermsConfig
from mainstay.providers.vendors import VendorRow, address

__all__ = ["Admissions", "facts_of", "open_policies"]

_DAY = 86_400.0


def open_policies(loaded: Loaded) -> Policies | None:
    """Return the policies of a configuration; None where it has none and all is permitted.

    Raises:
        StartError: the package is not installed.
    """
    # Files without a policy permit nothing.
    return Policies(loaded.policies, facts_of(loaded.config)) if loaded.config.policies.files else None


def facts_of(config: Config) -> list[ModelFacts]:
    """Return what policies may know of each model."""
    vendors = vendors_of(config)
    return [_facts(name, config, vendors.get(model.provider)) for name, model in config.models.items()]


def _facts(name: str, config: Config, vendor: VendorRow | None) -> ModelFacts:
    model = config.models[name]
    provider = config.providers[model.provider]
    own = not isinstance(provider, HttpProviderConfig)
    terms = (provider.terms if isinstance(provider, HttpProviderConfig) else None) or TermsConfig()
    local = own or _is_near(provider, vendor) if terms.local is None else terms.local
    region = model.region or terms.region or ""
    if not region and isinstance(provider, BedrockConfig):
        region = provider.region
    elif not region and isinstance(provider, VendorConfig):
        region = provider.parameters.get("location", "") or provider.parameters.get("region", "")
    retention, training = terms.retention, terms.training
    if local:
        retention, training = retention or 0.0, training or False
    return ModelFacts(
        name,
        model.provider,
        vendor_name(provider, vendor),
        region,
        terms.country or "",
        local,
        isinstance(provider, LlamaCppConfig) if model.open_weights is None else model.open_weights,
        None if retention is None else -int(-retention // _DAY),
        training,
    )


def _is_near(provider: object, vendor: VendorRow | None) -> bool:
    """Whether a provider behind HTTP is on this machine."""
    if isinstance(provider, VendorConfig) and vendor is not None:
        url = address(vendor, provider.parameters, provider.base_url)[0]
    else:
        url = str(getattr(provider, "base_url", None) or "")
    return is_loopback(urlsplit(url).hostname or "")


class Admissions:
    """Makes the first step of each route of one configuration.

    Args:
        loaded: the configuration.
        targets: its models as routes see them.

    Raises:
        StartError: there are policies, and the package is not installed.
    """

    def __init__(self, loaded: Loaded, targets: Mapping[str, Target]) -> None:
        self._policies = open_policies(loaded)
        purposes = loaded.config.policies.purposes
        self._purposes = frozenset(purposes) if purposes is not None else None
        self._targets = targets
        wished = [row.soft.model for row in loaded.config.cost.budgets.values() if row.soft is not None]
        self._wished = [name for name in wished if name]

    def steps(self, route: RouteSection) -> tuple[Admit, ...]:
        """Return the step of a route, if it needs one."""
        disclosure = _disclosure(route)
        names = [*(entry.model for entry in route.targets), *route.fallback, *self._wished]
        names += wishes_of(route)
        if route.last_resort is not None and route.last_resort.model is not None:
            names.append(route.last_resort.model)
        rule = self._rule(names, route.purpose or "", {name: rail.what for name, rail in route.rails.items()})
        return (Admit(rule, disclosure),) if rule is not None or disclosure is not None else ()

    def alone(self, model: str) -> tuple[Admit, ...]:
        """Return the step of a model as a route of its own, if it needs one."""
        rule = self._rule([model], "", {})
        return (Admit(rule),) if rule is not None else ()

    def _rule(self, models: Iterable[str], purpose: str, classes: Mapping[str, str]) -> Rule | None:
        if self._policies is None:
            return None
        targets: Sequence[Target] = [self._targets[name] for name in dict.fromkeys(models)]
        return Rule(self._policies, targets, purpose=purpose, purposes=self._purposes, classes=classes)


def _disclosure(route: RouteSection) -> Disclosure | None:
    told = route.disclosure
    if told is None:
        return None
    text = told.text if told.where != "header" else ""
    return Disclosure(text, marked=told.where != "first_message", formed=route.form.output is not None)
