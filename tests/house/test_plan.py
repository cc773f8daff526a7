"""The building inspector: the source is as the plan says."""

import ast
import importlib
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from plan import BROAD_EXCEPT, COMMON, EXEMPT_FILES, EXEMPT_FUNCTIONS, HEIGHT, OWN, SRC

FILES = sorted(path for path in SRC.rglob("*.py") if "versions" not in path.parts)
TREES = {path: ast.parse(path.read_text()) for path in FILES}


def name(path: Path) -> str:
    return path.relative_to(SRC).as_posix()


def package(path: Path) -> str:
    first = path.relative_to(SRC).parts[0]
    return first.removesuffix(".py")


def each_file(check: Callable[[Path], None]) -> Callable[[str], None]:
    """Return ``check`` of every file as one test a room: one a file takes longer to keep count of than to run."""

    def test(room: str) -> None:
        for path in FILES:
            if package(path) == room:
                check(path)

    test.__name__ = check.__name__
    return pytest.mark.parametrize("room", sorted({package(path) for path in FILES}))(test)


def imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, "imports are absolute"
            if node.module == "mainstay":
                yield from (f"mainstay.{alias.name}" for alias in node.names)
            yield node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def ours(tree: ast.AST) -> Iterator[str]:
    for module in imports(tree):
        parts = module.split(".")
        if parts[0] == "mainstay" and len(parts) > 1 and parts[1] != "__version__":
            yield parts[1]


@each_file
def test_imports_run_downhill_and_rooms_never_import_rooms(path: Path) -> None:
    here = package(path)
    if here == "__init__":
        return
    for there in ours(TREES[path]):
        if there in (here, "__init__"):
            continue
        assert HEIGHT[there] < HEIGHT[here], f"{name(path)} imports {there}"


def test_no_two_modules_import_each_other() -> None:
    edges = {
        name(path): {
            module.removeprefix("mainstay.").replace(".", "/") + ".py"
            for module in imports(TREES[path])
            if module.startswith("mainstay.")
        }
        for path in FILES
    }
    state: dict[str, int] = {}

    def visit(node: str, trail: tuple[str, ...]) -> None:
        if state.get(node) == 2 or node not in edges:
            return
        assert state.get(node) != 1, " -> ".join((*trail, node))
        state[node] = 1
        for target in edges[node]:
            visit(target, (*trail, node))
        state[node] = 2

    for node in edges:
        visit(node, ())


@each_file
def test_a_room_has_only_files_from_the_list(path: Path) -> None:
    parts = path.relative_to(SRC).parts
    if len(parts) == 1:
        assert parts[0] in {"__init__.py", "__main__.py", "app.py"}
        return
    allowed = COMMON | OWN.get(parts[0], set())
    part = parts[1].removesuffix(".py")
    assert part in allowed or (parts[0] == "store" and part == "migrations"), f"{name(path)} is not in the plan"


@each_file
def test_files_and_functions_stay_under_their_ceilings(path: Path) -> None:
    lines = path.read_text().count("\n")
    assert lines <= 400 or name(path) in EXEMPT_FILES, f"{name(path)} has {lines} lines"
    for node in ast.walk(TREES[path]):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            size = (node.end_lineno or 0) - node.lineno + 1
            key = f"{name(path)}:{node.name}"
            assert size <= 60 or key in EXEMPT_FUNCTIONS, f"{key} has {size} lines"


def test_the_exemptions_are_still_needed() -> None:
    for file in EXEMPT_FILES:
        assert (SRC / file).read_text().count("\n") > 400, f"{file} is short enough: delete its exemption"
    for key in EXEMPT_FUNCTIONS:
        file, function = key.split(":")
        sizes = [
            (node.end_lineno or 0) - node.lineno + 1
            for node in ast.walk(TREES[SRC / file])
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == function
        ]
        assert max(sizes, default=0) > 60, f"{key} is short enough: delete its exemption"


@each_file
def test_every_module_says_what_it_is(path: Path) -> None:
    assert ast.get_docstring(TREES[path]), f"{name(path)} has no docstring"


@each_file
def test_all_lists_what_is_visible(path: Path) -> None:
    tree = TREES[path]
    declared = next(
        (
            ast.literal_eval(node.value)
            for node in tree.body
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
        ),
        None,
    )
    defined = {
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and not node.name.startswith("_")
    }
    if declared is None:
        assert not defined or path.name == "__main__.py", f"{name(path)} has public names and no __all__"
        return
    assert len(declared) == len(set(declared)), f"{name(path)}: __all__ repeats a name"
    missing = defined - set(declared)
    assert not missing, f"{name(path)}: {sorted(missing)} visible but not in __all__"
    if path.name != "__init__.py":
        bound = defined | {
            target.id
            for node in tree.body
            for target in (
                node.targets
                if isinstance(node, ast.Assign)
                else [node.target]
                if isinstance(node, ast.AnnAssign)
                else []
            )
            if isinstance(target, ast.Name)
        }
        assert set(declared) <= bound, f"{name(path)}: __all__ names {sorted(set(declared) - bound)}, not defined here"


@each_file
def test_public_names_have_docstrings(path: Path) -> None:
    for node in TREES[path].body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            assert ast.get_docstring(node), f"{name(path)}: {node.name} has no docstring"


_AT_IMPORT = re.compile(r"^(open|socket\.|threading\.|subprocess\.|os\.(environ|getenv|open|mkdir)|asyncio\.run)")


@each_file
def test_nothing_happens_at_import(path: Path) -> None:
    for statement in TREES[path].body:
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.If):
            continue
        for node in ast.walk(statement):
            if isinstance(node, ast.Lambda):
                continue
            if isinstance(node, ast.Call | ast.Subscript):
                target = node.func if isinstance(node, ast.Call) else node.value
                assert not _AT_IMPORT.match(ast.unparse(target)), f"{name(path)}:{node.lineno}"


@each_file
def test_broad_excepts_stand_only_at_named_boundaries(path: Path) -> None:
    for node in ast.walk(TREES[path]):
        if isinstance(node, ast.ExceptHandler):
            caught = "" if node.type is None else ast.unparse(node.type)
            broad = node.type is None or re.search(r"\b(Base)?Exception\b", caught) is not None
            assert not broad or name(path) in BROAD_EXCEPT, f"{name(path)}:{node.lineno} catches everything"


@each_file
def test_every_exemption_from_a_checker_has_a_code_and_a_reason(path: Path) -> None:
    for number, line in enumerate(path.read_text().splitlines(), 1):
        for mark in re.finditer(r"#\s*(type:\s*ignore|noqa|pragma)(.*)", line):
            code = re.match(r"(\[[a-z\-, ]+\]|:\s*[A-Z]+[0-9]+(, ?[A-Z]+[0-9]+)*)\s+[#-]\s*\S.{8,}", mark[2])
            assert code, f"{name(path)}:{number} needs a code and a reason"


@each_file
def test_nothing_unfinished_is_left_in_the_source(path: Path) -> None:
    text = path.read_text()
    for mark in ("TO" + "DO", "FIX" + "ME", "X" * 3, "NotImplemented" + "Error"):
        assert mark not in text, f"{name(path)} has {mark}"


def test_tests_mirror_paths() -> None:
    tests = SRC.parents[1] / "tests"
    outside = {"house", "support", "bench", "conformance", "live", "docs"}
    for path in tests.rglob("test_*.py"):
        parts = path.relative_to(tests).parts
        stem = parts[-1].removeprefix("test_").removesuffix(".py")
        # What a caller sees on the wire is no single module's.
        if parts[0] in outside or (parts[0] == "api" and stem.startswith("wire_")):
            continue
        folder = SRC.joinpath(*parts[:-1])
        candidates = [folder / f"{stem}.py", folder / stem]
        # A long module may have several test files: test_server_timers.py belongs to server.py.
        candidates += [folder / f"{stem.rsplit('_', n)[0]}.py" for n in range(1, stem.count("_") + 1)]
        assert any(candidate.exists() for candidate in candidates), f"{path} tests nothing that exists"


def test_importing_mainstay_is_light() -> None:
    code = "import mainstay, sys; print(len([m for m in sys.modules if m.split('.')[0] in {HEAVY}]))".replace(
        "{HEAVY}", "{'pydantic', 'sqlalchemy', 'rich', 'typer', 'torch', 'uvloop', 'asyncio'}"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "0"


def test_the_request_path_imports_no_database_and_no_web_framework() -> None:
    code = (
        "import mainstay.api.asgi, mainstay.line.line, mainstay.providers.http, sys;"
        "print([m for m in ('sqlalchemy', 'alembic', 'fastapi', 'starlette', 'typer') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_changelog_names_the_packages_version() -> None:
    version = importlib.import_module("mainstay").__version__
    changelog = (SRC.parents[1] / "CHANGELOG.md").read_text()
    latest = re.search(r"^## \[?([0-9][^\]\s]*)", changelog, re.MULTILINE)
    assert latest is not None
    assert latest[1] == version


#: What runs text as code, reads objects out of bytes, or hands a line to a shell; and where such a thing may stand.
RUNS_CODE = {"eval", "exec", "compile", "__import__", "system", "popen", "run_path", "run_module", "shell"}
READS_OBJECTS = {"pickle", "marshal", "shelve", "dill", "jinja2", "mako", "runpy"}
MAY = {
    "app/payload.py": "workers are handed the configuration by the process that forked them, over their own line",
}


@each_file
def test_no_text_is_ever_run_as_code(path: Path) -> None:
    found = {module.partition(".")[0] for module in imports(TREES[path])} & READS_OBJECTS
    for node in ast.walk(TREES[path]):
        if isinstance(node, ast.keyword) and node.arg == "shell":
            found.add("shell")
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            found |= {node.func.id} & RUNS_CODE
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            # Regular expressions are compiled, and nothing else is.
            module = getattr(node.func.value, "id", "")
            found |= {node.func.attr} & (RUNS_CODE - {"compile", "system"} | ({"system"} if module == "os" else set()))
    assert not found or name(path) in MAY
