import ast
import subprocess
import sys
from pathlib import Path

import invoice_renderer


def test_all_names_what_is_exported():
    public = {
        name
        for name, value in vars(invoice_renderer).items()
        if not name.startswith("_") and not isinstance(value, type(invoice_renderer))
    }
    assert set(invoice_renderer.__all__) == public
    assert invoice_renderer.__all__ == sorted(invoice_renderer.__all__, key=_isort_key)


def _isort_key(name: str) -> tuple[int, str]:
    return (0 if name.isupper() else 1 if name[0].isupper() else 2, name)


def test_knows_nothing_of_the_other_rooms():
    imported = set()
    for path in Path(invoice_renderer.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported.update(alias.name.split(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                imported.add((node.module or "").split(".")[0])
    ours = {"invoice_renderer", "babel", "jinja2", "pydantic", "weasyprint"}
    assert imported - set(sys.stdlib_module_names) == ours


def test_no_binary_fractions():
    for path in Path(invoice_renderer.__file__).parent.rglob("*.py"):
        nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        assert not [node for node in nodes if isinstance(node, ast.Name) and node.id == "float"]


def test_import_does_not_load_the_typesetter():
    code = "import sys, invoice_renderer; sys.exit('weasyprint' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
