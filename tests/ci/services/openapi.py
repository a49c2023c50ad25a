"""GitHub's published OpenAPI description, as the npm package `@octokit/openapi` brings it: what a request must be."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

from tests.ci.services.listening import Asked

FILE = Path(__file__).parents[1] / "node/node_modules/@octokit/openapi/generated/api.github.com.json"

_USED = ("/repos/{owner}/{repo}/issues", "/repos/{owner}/{repo}/check-runs", "/repos/{owner}/{repo}/deployments",
         "/repos/{owner}/{repo}/commits/{ref}/check-runs")  # fmt: skip


def known() -> bool:
    """Whether the description is installed: `make descriptions` does it."""
    return FILE.exists()


@cache
def _paths() -> tuple[dict[str, Any], dict[str, Any]]:
    whole = json.loads(FILE.read_text())
    paths = {path: methods for path, methods in whole["paths"].items() if path.startswith(_USED)}
    return paths, whole["components"]


def problems(asked: Asked) -> list[str]:
    """What is wrong with a request, by the description."""
    paths, _ = _paths()
    for path, methods in paths.items():
        pattern = re.sub(r"\{\w+\}", "([^/]+)", path)
        operation = methods.get(asked.method.lower())
        if operation is not None and (found := re.fullmatch(pattern, asked.path)):
            values = dict(zip(re.findall(r"\{(\w+)\}", path), found.groups(), strict=True))
            return [f"{asked}: {one}" for one in _problems(operation, asked, values)]
    return [f"{asked}: there is no such operation"]


def _problems(operation: dict[str, Any], asked: Asked, values: dict[str, str]) -> list[str]:
    parameters = [_resolved(one) for one in operation.get("parameters", [])]
    found = []
    for one in parameters:
        given = (values if one["in"] == "path" else asked.query).get(one["name"])
        if given is not None and one["schema"].get("type") == "integer" and not given.isdecimal():
            found.append(f"{one['name']} is no number: {given}")
        if given is None and one.get("required") and one["in"] in ("path", "query"):
            found.append(f"{one['name']} is missing")
    names = {one["name"] for one in parameters if one["in"] == "query"}
    found += [f"it takes no {name}" for name in asked.query if name not in names]
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if content is None:
        return found + (["it takes no body"] if asked.body is not None else [])
    return found + _differences(_inlined(content["schema"]), asked.body)


def _differences(schema: dict[str, Any], body: Any) -> list[str]:
    from jsonschema import Draft202012Validator

    return [f"{error.json_path}: {error.message[:200]}" for error in Draft202012Validator(schema).iter_errors(body)]


def _resolved(one: dict[str, Any]) -> dict[str, Any]:
    """What a `$ref` into the components stands for."""
    if "$ref" not in one:
        return one
    kind, name = one["$ref"].split("/")[-2:]
    found: dict[str, Any] = _paths()[1][kind][name]
    return found


def _inlined(schema: Any) -> Any:
    """The schema without references, and closed: a key that it does not name is a mistake of ours."""
    if isinstance(schema, list):
        return [_inlined(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    plain = {key: _inlined(value) for key, value in _resolved(schema).items()}
    if isinstance(plain.get("properties"), dict):
        plain.setdefault("additionalProperties", False)
    if plain.pop("nullable", False) and isinstance(plain.get("type"), str):
        plain["type"] = [plain["type"], "null"]
    return plain
