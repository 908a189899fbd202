"""Prints module and function sizes beside the field's good end (`make sizes`); aims, never a gate (STYLE section 5)."""

import ast
import statistics
import sys

from tests.architecture.layout import ROOT, code_files, syntax

FIELD = {"module median": "45-120", "module p90": "250-350", "function median": "5-9", "function p90": "<= 30"}
LONG_MODULE, LONG_FUNCTION = 400, 60


def quantile(values: list[int], share: float) -> int:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def main() -> None:
    """Count physical lines of every module and function of the product."""
    modules: dict[str, int] = {}
    functions: dict[str, int] = {}
    for file in code_files():
        name, text = str(file.relative_to(ROOT)), file.read_text()
        modules[name] = text.count("\n")
        for node in ast.walk(syntax(file)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                functions[f"{name}:{node.name}"] = (node.end_lineno or node.lineno) - node.lineno + 1
    ours = {
        "module median": statistics.median(modules.values()),
        "module p90": quantile(list(modules.values()), 0.9),
        "function median": statistics.median(functions.values()),
        "function p90": quantile(list(functions.values()), 0.9),
    }
    out = [f"{len(modules)} modules, {sum(modules.values())} lines, {len(functions)} functions", ""]
    out += [f"{'':20}{'ours':>8}  field", *(f"{name:20}{ours[name]:>8.0f}  {FIELD[name]}" for name in FIELD), ""]
    out += [
        f"long module: {name} {size}"
        for name, size in sorted(modules.items(), key=lambda one: -one[1])
        if size > LONG_MODULE
    ]
    out += [
        f"long function: {name} {size}"
        for name, size in sorted(functions.items(), key=lambda one: -one[1])
        if size > LONG_FUNCTION
    ]
    sys.stdout.write("\n".join(out) + "\n")


if __name__ == "__main__":
    main()
