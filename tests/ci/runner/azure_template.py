"""Templates of Azure Pipelines: `extends`, `template`, parameters, and what stands between `${{` and `}}`.

Source: "Templates" and "Template parameters" of the Azure Pipelines documentation.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tests.ci.runner.azure_expressions import Scope, as_text, evaluate, truth
from tests.ci.runner.yaml_file import BadWorkflow, known, read

_HOLE = re.compile(r"\$\{\{((?:[^'}]|'(?:[^']|'')*'|\}(?!\}))*)\}\}")
_DIRECTIVE = re.compile(r"\$\{\{\s*(if|elseif|else|each|insert)\b\s*(.*?)\s*\}\}", re.DOTALL)
_LISTS = ("stages", "jobs", "steps")


@dataclass(frozen=True)
class _Place:
    """The file that is expanded, the repository that it is of, and what its expressions may name."""

    file: Path
    root: Path
    repositories: Mapping[str, Path]
    scope: Scope


def compile_pipeline(
    file: Path, root: Path, *, published: Mapping[str, Path], given: Mapping[str, Any], variables: Mapping[str, str]
) -> dict[str, Any]:
    """The whole pipeline without templates and compile-time expressions. Raises BadWorkflow, BadExpression."""
    top = {"name", "trigger", "pr", "schedules", "resources", "parameters", "variables", "pool", "lockBehavior"}
    found = known(read(file), file.name, {*top, *_LISTS, "extends"})
    scope = Scope({"parameters": {}, "variables": {**variables}})
    place = _Place(file, root, _repositories(found.get("resources"), published), scope)
    place = _with_parameters(place, found.get("parameters") or [], given)
    made = {key: _expanded(value, place) for key, value in found.items() if key in top - {"parameters"}}
    if "extends" in found:
        extends = known(found["extends"], f"{file.name}: extends", {"template", "parameters"}, {"template"})
        inner, body = _template(extends, place)
        made |= {key: _expanded(value, inner) for key, value in body.items() if key != "parameters"}
    else:
        made |= {key: _expanded(found[key], place) for key in _LISTS if key in found}
    return made


def _repositories(resources: Any, published: Mapping[str, Path]) -> dict[str, Path]:
    listed = known(resources or {}, "resources", {"repositories"}).get("repositories") or []
    made = {}
    for one in listed:
        known(one, "repository", {"repository", "type", "name", "ref", "endpoint"}, {"repository", "type", "name"})
        if one["name"] not in published:
            raise BadWorkflow(f"there is no repository {one['name']}")
        if not re.fullmatch(r"refs/(tags|heads)/\S+", one.get("ref", "")):
            raise BadWorkflow(f"{one['name']} is not bound to a ref: {one.get('ref')!r}")
        made[one["repository"]] = published[one["name"]]
    return made


def _template(use: Mapping[str, Any], place: _Place) -> tuple[_Place, dict[str, Any]]:
    """The named template, its parameters given; what it holds is not expanded yet."""
    name, _, alias = as_text(_expanded(use["template"], place)).partition("@")
    if alias and alias != "self" and alias not in place.repositories:
        raise BadWorkflow(f"{place.file.name}: there is no repository {alias!r}")
    root = place.repositories[alias] if alias and alias != "self" else place.root
    file = root / name.lstrip("/") if alias or name.startswith("/") else place.file.parent / name
    body = known(read(file), file.name, {"parameters", "variables", *_LISTS})
    given = _expanded(use.get("parameters") or {}, place)
    inner = _with_parameters(replace(place, file=file, root=root), body.get("parameters") or [], given)
    return inner, body


def _with_parameters(place: _Place, declared: list[Any], given: Mapping[str, Any]) -> _Place:
    values: dict[str, Any] = {}
    for one in declared:
        where = f"{place.file.name}: {one.get('name')}"
        known(one, where, {"name", "type", "default", "values", "displayName"}, {"name"})
        if one["name"] not in given and "default" not in one:
            raise BadWorkflow(f"{where}: a value for the parameter is missing")
        values[one["name"]] = _typed(given.get(one["name"], one.get("default")), one, where)
    if strange := set(given) - set(values):
        raise BadWorkflow(f"{place.file.name} has no parameter {', '.join(sorted(strange))}")
    return replace(place, scope=place.scope.beside(parameters=values))


def _typed(value: Any, declared: Mapping[str, Any], where: str) -> Any:
    kind = declared.get("type", "string")
    match kind:
        case "string" if isinstance(value, str | int | float | bool) or value is None:
            value = as_text(value)
        case "number" if re.fullmatch(r"-?\d+(\.\d+)?", str(value)):
            value = float(value) if "." in str(value) else int(value)
        case "boolean" if str(value).lower() in ("true", "false"):
            value = str(value).lower() == "true"
        case "object":
            pass
        case _:
            raise BadWorkflow(f"{where}: {value!r} is no {kind}")
    if "values" in declared and value not in declared["values"]:
        raise BadWorkflow(f"{where}: {value!r} is none of {declared['values']}")
    return value


def _expanded(value: Any, place: _Place) -> Any:
    match value:
        case str():
            return _text(value, place)
        case list():
            return _list(value, place)
        case dict():
            return _mapping(value, place)
        case _:
            return value


def _text(text: str, place: _Place) -> Any:
    whole = _HOLE.fullmatch(text.strip())
    if whole:
        return evaluate(whole[1], place.scope)
    return _HOLE.sub(lambda hole: as_text(evaluate(hole[1], place.scope)), text)


def _list(values: list[Any], place: _Place) -> list[Any]:
    made: list[Any] = []
    taken = False
    for one in values:
        directive = _only_directive(one)
        if directive is not None:
            word, rest, inner = directive
            if word == "each":
                for step in _each(rest, place):
                    made += _list(inner, step)
            else:
                chosen, taken = _chosen(word, rest, place, taken=taken)
                made += _list(inner, place) if chosen else []
        elif isinstance(one, dict) and "template" in one:
            made += _included(one, place)
        else:
            expanded = _expanded(one, place)
            spliced = isinstance(one, str) and isinstance(expanded, list)
            made += expanded if spliced else [expanded]
    return made


def _included(use: Mapping[str, Any], place: _Place) -> list[Any]:
    known(use, f"{place.file.name}: template", {"template", "parameters"})
    inner, body = _template(use, place)
    lists = [key for key in _LISTS if key in body]
    if len(lists) != 1:
        raise BadWorkflow(f"{inner.file.name} has to hold one of {', '.join(_LISTS)}")
    return _list(body[lists[0]], inner)


def _only_directive(value: Any) -> tuple[str, str, Any] | None:
    if isinstance(value, dict) and len(value) == 1:
        key, inner = next(iter(value.items()))
        found = _DIRECTIVE.fullmatch(str(key).strip())
        if found and found[1] != "insert":
            return found[1], found[2], inner
    return None


def _mapping(value: Mapping[str, Any], place: _Place) -> dict[str, Any]:
    made: dict[str, Any] = {}
    taken = False
    for key, inner in value.items():
        found = _DIRECTIVE.fullmatch(str(key).strip())
        if found is None:
            made[as_text(_expanded(key, place))] = _expanded(inner, place)
        elif found[1] == "insert":
            made.update(_expanded(inner, place))
        elif found[1] == "each":
            for step in _each(found[2], place):
                made.update(_expanded(inner, step))
        else:
            chosen, taken = _chosen(found[1], found[2], place, taken=taken)
            if chosen:
                made.update(_expanded(inner, place))
    return made


def _chosen(word: str, rest: str, place: _Place, *, taken: bool) -> tuple[bool, bool]:
    """Whether this branch is taken, and whether one of its chain has been."""
    if word == "if":
        chosen = truth(evaluate(rest, place.scope))
        return chosen, chosen
    chosen = not taken and (word == "else" or truth(evaluate(rest, place.scope)))
    return chosen, taken or chosen


def _each(text: str, place: _Place) -> list[_Place]:
    name, _, rest = text.partition(" in ")
    values = evaluate(rest, place.scope)
    if isinstance(values, Mapping):
        values = [{"key": key, "value": inner} for key, inner in values.items()]
    return [replace(place, scope=place.scope.beside(**{name.strip(): one})) for one in values]
