"""``mainstay up``: from nothing to an answer. Writes a configuration, fetches the bundled model, makes a first key.

The first key is kept in ``var/first-key`` (mode 0600), so that it can be shown again and ``mainstay chat`` can use it;
removing the file forgets it, revoking the key ends it.
"""

import os
import shlex
import shutil
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import typer

from mainstay.cli.database import opened
from mainstay.cli.models import pull_shown
from mainstay.cli.options import DEFAULT, ConfigOption, Port, find_config
from mainstay.cli.serve import Overrides, run
from mainstay.config import Loaded, default_config_text, load_config
from mainstay.core.config import is_loopback
from mainstay.core.errors import ConfigError, SetupError, StartError
from mainstay.engines.config import LlamaCppConfig
from mainstay.engines.files import BUNDLED, find_model
from mainstay.runtime.state import write_private
from mainstay.runtime.supervisor import Ready
from mainstay.store.files import private_dir

__all__ = ["first_key_path", "up"]

#: What the snippet asks, and the most it may be answered with: the bundled model does not always find an end.
_QUESTION, _MOST = "Name three rivers.", 100


def up(
    config: ConfigOption = None,
    port: Port = None,
) -> None:
    """Start everything; print an address, a key, what to paste.

    Writes the configuration if there is none, and fetches the bundled model if the configuration uses it and it is
    not here. Ctrl-C stops everything.

    \b
    Examples:
      mainstay up
      mainstay up --config shop.yaml --port 9090
    """
    path = _config(config)
    loaded = load_config(path, os.environ)
    # First of all, so that whoever needs it later finds it, and serve and up say the same where it cannot be.
    private_dir(loaded.home)
    _fetch_models(loaded)
    key = _apart(lambda: _first_key(loaded)) if loaded.config.identity.required else ""

    def say(ready: Ready) -> None:
        typer.echo(_banner(loaded, ready, key, "" if config is None else f" --config {shlex.quote(str(config))}"))

    raise typer.Exit(run(path, Overrides(port=port), say))


def first_key_path(home: Path) -> Path:
    """Return where the first key is kept."""
    return home / "first-key"


def _config(given: Path | None) -> Path:
    if given is None:
        with suppress(ConfigError):
            return find_config(None)
    path = given or DEFAULT
    if not path.exists():
        try:
            path.write_text(default_config_text())
        except OSError as error:
            raise StartError(f"Cannot write {path} ({error.strerror}); run this where you may write.") from None
        typer.echo(f"Wrote {path}: edit it while Mainstay runs.", err=True)
    return path


def _fetch_models(loaded: Loaded) -> None:
    for row in loaded.config.providers.values():
        if isinstance(row, LlamaCppConfig) and row.model in BUNDLED:
            try:
                find_model(row.model, loaded.home, loaded.base)
            except StartError as missing:
                if "is damaged" in missing.message:
                    raise
                pull_shown(row.model, loaded.home)


def _first_key(loaded: Loaded) -> str:
    """Return the first key, made now if no key exists, or "" when others do and this one is not kept.

    Whoever can read it owns this installation anyway: while it listens on this machine only, the key may administer it.
    """
    from mainstay.identity.directory import Directory
    from mainstay.identity.keys import hint
    from mainstay.identity.roles import Grant, Role
    from mainstay.identity.service import Keys

    grants = [Grant(Role.OWNER)] if is_loopback(loaded.config.server.host) else []
    with opened(loaded) as engine:
        keys = Keys(engine, loaded.home)
        kept = first_key_path(loaded.home)
        with suppress(OSError):
            key = kept.read_text().strip()
            known = next((row for row in keys.list() if row.hint == hint(key)), None)
            if known is not None and keys.any_alive():
                directory = Directory(engine)
                # One from before there were roles: somebody must be able to give the others.
                for grant in grants if not directory.grants() else ():
                    directory.grant("key", known.id, grant, by="up")
                return key
            kept.unlink()
        if keys.any_alive():
            return ""
        key = keys.create("first", grants=grants, by="up").key
        write_private(kept, key.encode() + b"\n")
        return key


def _apart(work: Callable[[], str]) -> str:
    """Return what ``work`` returns, done in a child of its own.

    The database library then weighs on no worker, and no connection to the database is open when they are forked.
    """
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        code, text = 0, ""
        try:
            text = work()
        except SetupError as error:
            code, text = error.exit_code, error.message
        except BaseException as error:  # noqa: BLE001 - the top of a process: the parent says it and ends
            code, text = 1, f"The first key could not be made ({type(error).__name__}: {error})."
        finally:
            os.write(writing, text.encode())
            os._exit(code)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        text = pipe.read().decode()
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if code:
        raise (ConfigError if code == ConfigError.exit_code else StartError)(text or "The first key could not be made.")
    return text


def _banner(loaded: Loaded, ready: Ready, key: str, option: str) -> str:
    config, url = loaded.config, ready.url
    names = list(dict.fromkeys([*config.routes, *config.models]))
    model = names[0] if names else "MODEL"
    mainstay = "mainstay" if shutil.which("mainstay") else os.path.relpath(sys.argv[0])
    if key:
        about = f"{key}   (kept in {_short(first_key_path(loaded.home))})"
    elif config.identity.required:
        about = f"one that you made; another: {mainstay} keys create NAME{option}"
    else:
        about = "none needed (identity.required is false)"
    shown = key or "YOUR-KEY"
    return f"""
Mainstay is ready at {url} after {ready.seconds:.1f} s.

  key     {about}
  models  {", ".join(names) or "none yet: add some to the configuration"}

Paste this:

  curl {url}/v1/chat/completions \\
    -H "Authorization: Bearer {shown}" -H "Content-Type: application/json" \\
    -d '{{"model": "{model}", "max_tokens": {_MOST}, "messages": [{{"role": "user", "content": "{_QUESTION}"}}]}}'

or, after pip install openai:

  from openai import OpenAI

  client = OpenAI(base_url="{url}/v1", api_key="{shown}")
  answer = client.chat.completions.create(
      model="{model}", max_tokens={_MOST}, messages=[{{"role": "user", "content": "{_QUESTION}"}}]
  )
  print(answer.choices[0].message.content)

or talk to it in another terminal: {mainstay} chat{option}

Ctrl-C stops everything.
"""


def _short(path: Path) -> str:
    relative = os.path.relpath(path)
    return str(path) if relative.startswith("..") else relative
