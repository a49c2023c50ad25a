"""The names that an expression in a pipeline can mean, and the types of what they name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from ctrain.errors import PipelineError
from ctrain.pipeline.components import Command
from ctrain.pipeline.cursor import Cursor, did_you_mean
from ctrain.pipeline.expressions import FromStepInput, Own, Reference, ToParent, Unknown, has_expression, pieces
from ctrain.pipeline.graph import FromParent, FromStep, Input, OtherStep, Output, Pipeline, ValueType
from ctrain.pipeline.values import INPUT_KEYS, OUTPUT_KEYS, literal_type, require_name, value_type


@dataclass(frozen=True)
class Draft:
    """A step whose component is read, and whose bindings are not. `given` are the inputs that its YAML sets."""

    name: str
    cursor: Cursor
    made: Command | Pipeline | OtherStep
    given: Mapping[str, Cursor]

    @property
    def declared(self) -> Mapping[str, Input] | None:
        """None for an inline job, which declares nothing."""
        return {} if isinstance(self.made, OtherStep) else self.made.inputs


@dataclass
class Scope:
    """A pipeline's own inputs and outputs, and its steps. Lookups raise PipelineError, naming the nearest name."""

    inputs: Mapping[str, Input]
    outputs: Mapping[str, Output]
    untyped: frozenset[str]
    """Outputs whose type is told by the step that makes them."""
    drafts: Mapping[str, Draft]
    _inputs: dict[tuple[str, str], Input] = field(default_factory=dict)
    _outputs: dict[tuple[str, str], Output] = field(default_factory=dict)
    _asking: list[tuple[str, str]] = field(default_factory=list)

    def input_names(self, step: str) -> list[str]:
        draft = self.drafts[step]
        return list(draft.given if draft.declared is None else draft.declared)

    def output_names(self, step: str) -> list[str]:
        draft = self.drafts[step]
        match draft.made:
            case OtherStep():
                return []
            case Command(outputs=None):
                return [name for name, _ in draft.cursor.items("outputs")]
            case made:
                return list(made.outputs or {})

    def input_of(self, step: str, name: str, at: Cursor) -> Input:
        """Declared by the step's component; that of an inline job has the type of what it is given."""
        draft = self.drafts[step]
        if name not in self.input_names(step):
            raise at.refuse(
                f"the step {step!r} has no input {name!r}",
                why=f"{at.name} names it",
                hint=did_you_mean(name, self.input_names(step), "remove it"),
            )
        if draft.declared is not None:
            return draft.declared[name]
        if (step, name) not in self._inputs:
            with self.asking(step, name, at):
                self._inputs[step, name] = self._inferred(name, draft.given[name])
        return self._inputs[step, name]

    def _inferred(self, name: str, value: Cursor) -> Input:
        require_name(name, value, "input")
        given = value
        if isinstance(value.value, dict):
            value.only(INPUT_KEYS, "an input")
            if named := value.get("type"):
                return Input(name, value_type(named), value.at)
            given = value.get("value") or value.get("path") or value
        if found := single(given):
            return Input(name, self._type_of(self.resolved(found, given), given), value.at)
        if given is not value and "path" in value.mapping():
            return Input(name, ValueType.URI_FOLDER, value.at)
        return Input(name, literal_type(given.scalar()), value.at)

    def _type_of(self, source: FromParent | FromStep | FromStepInput, at: Cursor) -> ValueType:
        match source:
            case FromParent(name):
                return self.inputs[name].type
            case FromStep(step, output):
                return self.output_of(step, output, at).type
            case FromStepInput(step, name):
                return self.input_of(step, name, at).type

    @contextmanager
    def asking(self, step: str, name: str, at: Cursor) -> Iterator[None]:
        """While an input is looked up that leads to others: coming back to it is a circle."""
        if (step, name) in self._asking:
            ring = [*self._asking[self._asking.index((step, name)) :], (step, name)]
            raise at.refuse(
                "inputs are bound in a circle",
                why=" -> ".join(".".join(one) for one in ring),
                hint="bind one of them to a value",
            )
        self._asking.append((step, name))
        yield
        self._asking.pop()

    def output_of(self, step: str, name: str, at: Cursor) -> Output:
        """Declared by the step's component; that of an inline job has the type of the pipeline output that it is.

        One without either is a folder, as is any of a step that only Azure ML knows.
        """
        made = self.drafts[step].made
        if isinstance(made, OtherStep):
            return Output(name, ValueType.URI_FOLDER, at.at)
        if name not in self.output_names(step):
            raise at.refuse(
                f"the step {step!r} has no output {name!r}",
                why=f"{at.name} names it",
                hint=did_you_mean(name, self.output_names(step), "declare it under `outputs:` of the step"),
            )
        if made.outputs is not None:
            return made.outputs[name]
        if (step, name) not in self._outputs:
            entry = dict(self.drafts[step].cursor.items("outputs"))[name]
            self._outputs[step, name] = self._inline_output(name, entry)
        return self._outputs[step, name]

    def _inline_output(self, name: str, entry: Cursor) -> Output:
        require_name(name, entry, "output")
        named = entry.get("type") if isinstance(entry.value, dict) else None
        if named:
            return Output(name, value_type(named), entry.at)
        target = self.exposed(entry)
        kind = self.outputs[target].type if target and target not in self.untyped else ValueType.URI_FOLDER
        return Output(name, kind, entry.at)

    def exposed(self, entry: Cursor) -> str | None:
        """The pipeline output that a step's output is: given as `${{parent.outputs.x}}`, or as the `path` of one."""
        given: Cursor | None = entry
        if isinstance(entry.value, dict):
            entry.only(OUTPUT_KEYS, "an output")
            given = entry.get("path")
        if given is None or given.value is None:
            return None
        match single(given):
            case ToParent(name):
                if name not in self.outputs:
                    raise given.refuse(
                        f"the pipeline has no output {name!r}",
                        why="the step's output is to become it",
                        hint=did_you_mean(name, self.outputs, "add it under `outputs:` of the pipeline"),
                    )
                return name
            case None if given is not entry:
                return None  # a place of the user's; Azure ML may fill in `${{name}}` there
            case _:
                raise given.refuse(
                    f"{given.text()} is not what an output can be",
                    why="a step's output becomes an output of the pipeline that the step is in, or has a path",
                    hint="write ${{parent.outputs.NAME}}, or a mapping of type, mode and path",
                )

    def resolved(self, source: Reference, at: Cursor) -> FromParent | FromStep | FromStepInput:
        """The reference, once it is sure that the pipeline input or the step that it names exists."""
        match source:
            case FromParent(name):
                if name not in self.inputs:
                    raise at.refuse(
                        f"the pipeline has no input {name!r}",
                        why=f"{at.name} is bound to it",
                        hint=did_you_mean(name, self.inputs, "add it under `inputs:` of the pipeline"),
                    )
                return source
            case FromStep(step=step) | FromStepInput(step=step):
                if step not in self.drafts:
                    raise at.refuse(
                        f"there is no step {step!r}",
                        why=f"{at.name} is bound to it",
                        hint=did_you_mean(step, self.drafts, "add it under `jobs:`"),
                    )
                return source
            case ToParent(name):
                raise at.refuse(
                    f"an input cannot be bound to the pipeline's output {name!r}",
                    why="an output is made by a step",
                    hint="bind it to that step: ${{parent.jobs.STEP.outputs.NAME}}",
                )
            case Own(side, name):
                raise at.refuse(
                    f"${{{{{side}.{name}}}}} means nothing here",
                    why="only a command has inputs and outputs of its own",
                    hint=f"write ${{{{parent.{side}.{name}}}}}",
                )
            case Unknown(text):
                raise unknown_expression(text, at)


def single(given: Cursor) -> Reference | None:
    """The reference that the text consists of, or None where it is anything else."""
    if not isinstance(given.value, str) or not has_expression(given.value):
        return None
    found = list(pieces(given.value.strip()))
    return found[0] if len(found) == 1 and not isinstance(found[0], str) else None


def unknown_expression(text: str, at: Cursor) -> PipelineError:
    shown = text if text.startswith("${{") else f"${{{{{text}}}}}"
    return at.refuse(
        f"{shown} is not an expression of a pipeline",
        why="it is none of the forms that the schema has",
        hint="write parent.inputs.NAME, parent.jobs.STEP.outputs.NAME or parent.jobs.STEP.inputs.NAME between the"
        " braces, and in a command inputs.NAME or outputs.NAME",
    )
