from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NAME = re.compile(r"[A-Z][A-Z0-9_]+")
# Set for our own children or by Django's own entry points, not by an operator.
OUR_OWN = {"DJANGO_SETTINGS_MODULE", "PYTHONUNBUFFERED"}


def variables_read_in(path: Path) -> set[str]:
    """First arguments of env.<type>(...), os.environ.get(...), and keys of os.environ[...]."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
            if ast.unparse(node.func.value) in {"env", "os.environ", "os"}:
                found.add(node.args[0])
        elif isinstance(node, ast.Subscript) and ast.unparse(node.value) == "os.environ":
            found.add(node.slice)
    literals = {node.value for node in found if isinstance(node, ast.Constant)}
    return {name for name in literals if isinstance(name, str) and NAME.fullmatch(name)} - OUR_OWN


def all_variables() -> set[str]:
    sources = [ROOT / "arguslm" / "settings.py", *(ROOT / "arguslm" / "embedded").rglob("*.py")]
    return set().union(*map(variables_read_in, sources))


def test_the_settings_read_the_environment() -> None:
    assert {"ARGUSLM_HOST", "ARGUSLM_PORT", "ARGUSLM_DATA_DIR", "API_AUTH"} <= all_variables()


@pytest.mark.parametrize("page", ["docs/configuration.md", ".env.example"])
def test_every_environment_variable_is_documented(page: str) -> None:
    documented = set(NAME.findall((ROOT / page).read_text()))

    assert all_variables() - documented == set()


def test_nothing_is_documented_that_is_not_read() -> None:
    rows = re.findall(r"^\| `([A-Z_]+)` \|", (ROOT / "docs/configuration.md").read_text(), re.M)

    assert set(rows) - all_variables() == set()
