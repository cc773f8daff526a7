"""``identity:`` in the configuration: who may call, and how people sign in."""

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from mainstay.core.config import LocalPath, PositiveDuration, Secret, Section, check_url, is_loopback

__all__ = ["IdentityConfig", "OidcConfig", "SessionsConfig"]

_GRANT = (
    r"(owner|admin|operator|finance|auditor|developer|reviewer|viewer)"
    r"(@(installation|(organisation|team):[A-Za-z0-9][A-Za-z0-9._:/@-]{0,127}))?"
)
#: ``ROLE`` or ``ROLE@SCOPE``; see ``identity.roles``.
_Grant = Annotated[str, Field(pattern=f"^{_GRANT}$")]


def _secure(value: str) -> str:
    """Return a URL that is https, or leads to this machine. Raises ValueError."""
    bare = check_url(value)
    if bare.startswith("http://") and not is_loopback(urlsplit(bare).hostname or ""):
        raise ValueError("must begin with https:// unless it leads to this machine")
    # An issuer is compared letter for letter, its last slash included.
    return value


def _origin(value: str) -> str:
    bare = check_url(value)
    if bare.count("/") > 2:
        raise ValueError("must be scheme, host and port only: https://mainstay.example.com")
    return bare


class SessionsConfig(Section):
    """How long people stay signed in."""

    absolute: PositiveDuration = 12 * 3600.0
    """How long a session lasts at most."""

    idle: PositiveDuration = 3600.0
    """How long a session lasts without a request."""


class OidcConfig(Section):
    """Single sign-on with any provider of OpenID Connect. Needs the extra ``sso``."""

    issuer: Annotated[str, AfterValidator(_secure)]
    """The provider's issuer, exactly as it calls itself: ``https://login.example.com/realms/main``."""

    client_id: Annotated[str, Field(min_length=1, max_length=256)]
    """What the provider knows Mainstay by."""

    client_secret: Secret | None = None
    """The client's secret; absent for a public client, which PKCE protects."""

    scopes: tuple[str, ...] = ("openid", "profile", "email")
    """Scopes to ask for; ``openid`` is always among them."""

    groups_claim: str = "groups"
    """The claim that lists a person's groups; dots lead into objects: ``realm_access.roles``."""

    roles: dict[str, _Grant | tuple[_Grant, ...]] = {}
    """What a group may do: ``ROLE@SCOPE`` or several, by the group's name; ``"*"`` stands for everyone who signs in. A
    scope is ``installation``, ``organisation:NAME`` or ``team:NAME``."""

    allowed_domains: tuple[str, ...] = ()
    """Domains of email addresses that may sign in; all, when there is none."""

    trust_email: bool = False
    """Whether an address counts for ``allowed_domains`` that the provider does not say it has verified."""

    name: str = "Single sign-on"
    """What the button says."""

    algorithms: tuple[
        Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519"], ...
    ] = ("RS256", "PS256", "ES256", "Ed25519")
    """Signatures of ID tokens that are accepted."""

    ca_file: LocalPath | None = None
    """PEM file of authorities to trust beside the system's, for a provider of your own."""


class IdentityConfig(Section):
    """Who may call, and how people sign in."""

    required: bool = True
    """Whether every call needs a key. ``false`` is accepted only while the server listens on a loopback address."""

    public_url: Annotated[str, AfterValidator(_origin)] | None = None
    """The address at which browsers reach Mainstay, ``https://mainstay.example.com``; absent, the one that they ask
    for. Set it wherever something stands before Mainstay: redirects, cookies and the check of origins use it."""

    sessions: SessionsConfig = Field(default_factory=SessionsConfig)
    """Sessions of people: how long one lasts."""

    oidc: OidcConfig | None = None
    """Single sign-on; absent, people sign in with a key."""
