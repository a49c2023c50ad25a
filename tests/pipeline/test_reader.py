"""Pipelines as values: what each form of the schema reads as."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ctrain.errors import PipelineError
from ctrain.pipeline import Asset, FromParent, FromStep, Mixed, PipelineStep, ValueType, read_pipeline
from tests.pipeline.written import SHAPES, command_step, component, read, written

SHOULD_RUN = sorted(folder.name for folder in SHAPES.iterdir())


@pytest.mark.parametrize("shape", SHOULD_RUN)
def test_every_shape_reads_and_says_what_it_should_make(shape: str) -> None:
    """Each shape's `expected.json` names outputs that the pipeline has."""
    pipeline = read_pipeline(SHAPES / shape / "pipeline.yml")
    assert set(json.loads((SHAPES / shape / "expected.json").read_text())) <= set(pipeline.outputs)


@pytest.mark.parametrize("prefix", ["", "./", "file:", "file:./"])
def test_a_component_is_named_relative_to_the_yaml_it_stands_in(tmp_path: Path, prefix: str) -> None:
    """With and without `file:`, with and without `./`."""
    pipeline = read(
        tmp_path,
        pipeline=f"""
            type: pipeline
            jobs:
              one: {{type: command, component: '{prefix}parts/part.yml'}}
        """,
        parts__part=component(),
    )
    assert command_step(pipeline, "one").component == "part:3"


def test_paths_are_relative_to_the_file_that_they_stand_in(tmp_path: Path) -> None:
    """A component's code is beside the component, a step's data beside the pipeline."""
    (tmp_path / "parts" / "src").mkdir(parents=True)
    (tmp_path / "data").mkdir()
    pipeline = read(
        tmp_path,
        pipeline="""
            type: pipeline
            jobs:
              one:
                component: parts/part.yml
                inputs: {data: ./data}
        """,
        parts__part=component(inputs="{data: {type: uri_folder}}") + "    code: src\n",
    )
    step = command_step(pipeline, "one")
    assert (step.code, step.bindings) == (
        tmp_path / "parts" / "src",
        {"data": Asset(str(tmp_path / "data"), ValueType.URI_FOLDER)},
    )


def test_a_step_runs_after_those_whose_outputs_it_uses(tmp_path: Path) -> None:
    """Where nothing decides, as written."""
    pipeline = read(
        tmp_path,
        pipeline="""
            type: pipeline
            jobs:
              c: {component: part.yml, inputs: {x: '${{parent.jobs.b.outputs.y}}'}}
              d: {component: part.yml}
              b: {component: part.yml}
              a: {component: part.yml}
        """,
        part=component(inputs="{x: {type: uri_folder, optional: true}}", outputs="{y: {type: uri_folder}}"),
    )
    assert [step.name for step in pipeline.steps] == ["d", "b", "c", "a"]


def test_another_steps_input_stands_for_what_that_is_bound_to(tmp_path: Path) -> None:
    """`parent.jobs.S.inputs.X`, through as many steps as it takes, and to a default."""
    pipeline = read(
        tmp_path,
        pipeline="""
            type: pipeline
            inputs: {p: 1}
            jobs:
              a: {component: part.yml, inputs: {x: '${{parent.inputs.p}}'}}
              b: {component: part.yml, inputs: {x: '${{parent.jobs.a.inputs.x}}', y: '${{parent.jobs.a.inputs.y}}'}}
              c: {component: part.yml, inputs: {x: '${{parent.jobs.b.inputs.x}}'}}
        """,
        part=component(inputs="{x: {type: integer}, y: {type: number, default: 2.5}}"),
    )
    assert command_step(pipeline, "c").bindings == {"x": FromParent("p")}
    assert command_step(pipeline, "b").bindings == {"x": FromParent("p"), "y": 2.5}


def test_text_with_expressions_is_mixed(tmp_path: Path) -> None:
    """Only for strings; the parts keep their order."""
    pipeline = read(
        tmp_path,
        pipeline="""
            type: pipeline
            inputs: {p: 1}
            jobs:
              a: {component: part.yml, inputs: {x: 'run-${{parent.inputs.p}}-${{ parent.inputs.p }}!'}}
        """,
        part=component(inputs="{x: {type: string}}"),
    )
    assert command_step(pipeline, "a").bindings["x"] == Mixed(("run-", FromParent("p"), "-", FromParent("p"), "!"))


def test_an_inline_jobs_inputs_have_the_types_of_what_they_are_given(tmp_path: Path) -> None:
    """Of a literal, of the pipeline's input, of another step's output."""
    pipeline = read(
        tmp_path,
        pipeline="""
            type: pipeline
            inputs:
              table: {type: mltable, path: azureml:rows@latest}
              share: 0.5
            jobs:
              b:
                command: python b.py ${{inputs.n}} ${{inputs.made}} ${{inputs.t}} ${{inputs.s}} ${{inputs.f}}
                environment: azureml:env:1
                inputs:
                  n: 3
                  made: ${{parent.jobs.a.outputs.out}}
                  t: {path: '${{parent.inputs.table}}', mode: eval_mount}
                  s: ${{parent.inputs.share}}
                  f: {type: uri_file, path: 'https://example.com/f.csv'}
              a:
                command: python a.py ${{outputs.out}}
                environment: azureml:env:1
                outputs: {out: {type: custom_model}}
        """,
    )
    step = command_step(pipeline, "b")
    assert {name: one.type.value for name, one in step.inputs.items()} == {
        "n": "integer", "made": "custom_model", "t": "mltable", "s": "number", "f": "uri_file",
    }  # fmt: skip
    assert step.bindings["made"] == FromStep("a", "out")


def test_a_bare_literal_of_a_job_has_the_type_of_what_uses_it(tmp_path: Path) -> None:
    """So that `1` for a number may be filled with 0.5, and `7` for a string is text."""
    pipeline = read(
        tmp_path,
        pipeline="""
            type: pipeline
            inputs: {rate: 1, tag: 7, both: 1}
            jobs:
              a:
                component: part.yml
                inputs:
                  rate: ${{parent.inputs.rate}}
                  tag: ${{parent.inputs.tag}}
                  n: ${{parent.inputs.both}}
                  m: ${{parent.inputs.both}}
        """,
        part=component(inputs="{rate: {type: number}, tag: {type: string}, n: {type: integer}, m: {type: number}}"),
    )
    assert [(one.type.value, one.default) for one in pipeline.inputs.values()] == [
        ("number", 1), ("string", "7"), ("integer", 1),
    ]  # fmt: skip


def test_a_pipelines_output_has_the_type_of_what_makes_it(tmp_path: Path) -> None:
    """Unless it says its own; the place that the user asked for is kept."""
    pipeline = read(
        tmp_path,
        pipeline="""
            type: pipeline
            outputs:
              plain:
              moded: {mode: upload}
              said: {type: custom_model, path: azureml://datastores/d/paths/p}
            jobs:
              a:
                component: part.yml
                outputs:
                  x: ${{parent.outputs.plain}}
                  y: {path: '${{parent.outputs.moded}}', mode: rw_mount}
                  z: ${{parent.outputs.said}}
        """,
        part=component(outputs="{x: {type: mlflow_model}, y: {type: uri_file}, z: {type: uri_folder}}"),
    )
    assert [(one.type.value, one.path) for one in pipeline.outputs.values()] == [
        ("mlflow_model", None), ("uri_file", None), ("custom_model", "azureml://datastores/d/paths/p"),
    ]  # fmt: skip


def test_input_groups_are_names_with_dots(tmp_path: Path) -> None:
    """As azure-ai-ml writes a group into YAML: flat."""
    pipeline = read(
        tmp_path,
        pipeline="""
            type: pipeline
            inputs: {optimizer.rate: 0.1}
            jobs:
              a: {component: part.yml, inputs: {o.rate: '${{parent.inputs.optimizer.rate}}'}}
        """,
        part=component(inputs="{o.rate: {type: number}}", command="python x.py ${{inputs.o.rate}}"),
    )
    assert command_step(pipeline, "a").bindings == {"o.rate": FromParent("optimizer.rate")}


def test_commands_are_named_as_a_run_shows_them(tmp_path: Path) -> None:
    """Those of an inner pipeline after it, as in Azure ML Studio."""
    pipeline = read(
        tmp_path,
        pipeline="""
            type: pipeline
            jobs:
              a: {component: part.yml}
              b: {component: inner.yml}
        """,
        inner="""
            type: pipeline
            name: inner
            jobs:
              c: {component: part.yml}
        """,
        part=component(),
    )
    assert list(pipeline.commands) == ["a", "b.c"]


def test_a_pipeline_component_may_be_the_top_file(tmp_path: Path) -> None:
    """Its declared inputs are the pipeline's; an asset without a path is left to be filled."""
    pipeline = read(
        tmp_path,
        pipeline="""
            $schema: https://azuremlschemas.azureedge.net/latest/pipelineComponent.schema.json
            type: pipeline
            name: whole
            inputs:
              data: {type: uri_file}
              rate: {type: number, default: 0.1, min: 0, max: 1}
            jobs:
              a: {component: part.yml, inputs: {d: '${{parent.inputs.data}}'}}
        """,
        part=component(inputs="{d: {type: uri_file}}"),
    )
    assert (pipeline.inputs["data"].default, pipeline.inputs["rate"].maximum) == (None, 1.0)


def test_a_job_of_a_component_fills_its_inputs(tmp_path: Path) -> None:
    """The component's declarations stay; the job's values are the defaults."""
    pipeline = read(
        tmp_path,
        pipeline="""
            type: pipeline
            display_name: filled
            component: inner.yml
            inputs: {rate: 0.5, data: {type: uri_file, path: data.csv}}
            outputs: {out: {path: azureml://datastores/d/paths/p}}
            settings: {force_rerun: true, continue_on_step_failure: false}
        """,
        inner="""
            type: pipeline
            name: inner
            inputs: {rate: {type: number, max: 1}, data: {type: uri_file}}
            outputs: {out: {type: uri_file}}
            jobs:
              a:
                component: part.yml
                inputs: {d: '${{parent.inputs.data}}'}
                outputs: {o: '${{parent.outputs.out}}'}
        """,
        part=component(inputs="{d: {type: uri_file}}", outputs="{o: {type: uri_file}}"),
    )
    assert (pipeline.inputs["rate"].default, pipeline.inputs["rate"].maximum) == (0.5, 1.0)
    assert pipeline.inputs["data"].default == Asset(str(tmp_path / "data.csv"), ValueType.URI_FILE)
    assert (pipeline.display_name, pipeline.force_rerun, pipeline.continue_on_step_failure) == ("filled", True, False)
    assert pipeline.outputs["out"].path == "azureml://datastores/d/paths/p"


def test_what_a_step_says_goes_over_what_its_component_says(tmp_path: Path) -> None:
    """Environment, environment variables, resources and limits."""
    pipeline = read(
        tmp_path,
        pipeline="""
            type: pipeline
            jobs:
              a:
                component: part.yml
                environment: azureml:other:2
                environment_variables: {B: two, C: 3}
                resources: {instance_count: 1}
                limits: {timeout: 60}
        """,
        part=component()
        + "    environment_variables: {A: one, B: one}\n    resources: {instance_count: 4}\n    limits: {timeout: 5}\n",
    )
    step = command_step(pipeline, "a")
    assert step.environment.reference == "azureml:other:2"
    assert step.environment_variables == {"A": "one", "B": "two", "C": "3"}
    assert step.timeout == 60


def test_a_single_process_of_pytorch_finds_its_rank(tmp_path: Path) -> None:
    """torch.distributed reads these; a step's own values win."""
    pipeline = read(
        tmp_path,
        pipeline="""
            type: pipeline
            jobs:
              a:
                component: part.yml
                distribution: {type: pytorch, process_count_per_instance: 1}
                environment_variables: {MASTER_PORT: 1234}
        """,
        part=component(),
    )
    variables = command_step(pipeline, "a").environment_variables
    assert (variables["RANK"], variables["WORLD_SIZE"], variables["MASTER_PORT"]) == ("0", "1", "1234")


def test_azure_ml_may_be_asked_for_what_this_machine_cannot_do(tmp_path: Path) -> None:
    """With `local=False` a sweep, a registered component and a Dockerfile are let through, in order."""
    file = written(
        tmp_path,
        pipeline="""
            type: pipeline
            outputs: {best: {type: mlflow_model}}
            jobs:
              last: {component: 'azureml:judge@latest', inputs: {m: '${{parent.jobs.search.outputs.m}}'}}
              search:
                type: sweep
                trial: part.yml
                inputs: {d: '${{parent.jobs.prep.outputs.o}}'}
                outputs: {m: '${{parent.outputs.best}}'}
              prep: {component: part.yml}
        """,
        part=component(outputs="{o: {type: uri_folder}}", environment="{build: {path: .}}"),
    )
    pipeline = read_pipeline(file, local=False)
    assert [step.name for step in pipeline.steps] == ["prep"]
    assert [(step.name, step.kind, step.after) for step in pipeline.others] == [
        ("search", "sweep", ("prep",)), ("last", "component", ("search",)),
    ]  # fmt: skip
    with pytest.raises(PipelineError, match="azureml:judge@latest is not on this machine"):
        read_pipeline(file)


def test_pipelines_within_pipelines_are_read_once_each(tmp_path: Path) -> None:
    """A component that two steps use is one value, however deep the doubling goes."""
    levels = {
        f"level{number}": f"""
            type: pipeline
            jobs:
              a: {{type: pipeline, component: level{number + 1}.yml}}
              b: {{type: pipeline, component: level{number + 1}.yml}}
        """
        for number in range(12)
    }
    pipeline = read(
        tmp_path,
        pipeline=levels["level0"],
        **levels,
        level12="type: pipeline\njobs: {a: {component: part.yml}}",
        part=component(),
    )
    first, second = pipeline.steps
    assert isinstance(first, PipelineStep)
    assert isinstance(second, PipelineStep)
    assert first.pipeline is second.pipeline


def test_local_data_of_the_pipelines_own_inputs_may_be_missing(tmp_path: Path) -> None:
    """Another is put in its place; one that a step names itself has to be there."""
    pipeline = read(
        tmp_path,
        pipeline="""
            type: pipeline
            inputs: {data: {type: uri_file, path: not/here.csv}}
            jobs:
              a: {component: part.yml, inputs: {d: '${{parent.inputs.data}}'}}
        """,
        part=component(inputs="{d: {type: uri_file}}"),
    )
    assert pipeline.inputs["data"].default == Asset(str(tmp_path / "not/here.csv"), ValueType.URI_FILE)


def test_a_pipeline_may_be_made_of_what_lies_above_it(tmp_path: Path) -> None:
    """Components and code in folders beside the pipeline's; moved together they have the same digest."""
    for place in ("one", "two/deeper"):
        (tmp_path / place / "code").mkdir(parents=True)
        (tmp_path / place / "code" / "x.py").write_text("x = 1")
        written(
            tmp_path / place,
            jobs__train="type: pipeline\njobs: {a: {component: ../parts/part.yml}}",
            parts__part=component() + "    code: ../code\n",
        )
    one = read_pipeline(tmp_path / "one" / "jobs" / "train.yml")
    two = read_pipeline(tmp_path / "two" / "deeper" / "jobs" / "train.yml")
    assert command_step(one, "a").code == tmp_path / "one" / "code"
    assert one.code == two.code


def test_values_may_stand_in_mappings(tmp_path: Path) -> None:
    """`{value: ...}` for literals of a job and of a step; an asset's type falls to a folder where none is said."""
    pipeline = read(
        tmp_path,
        pipeline="""
            type: pipeline
            inputs: {n: {value: 3}, d: {path: 'azureml:d:1'}}
            jobs:
              a:
                command: python x.py ${{inputs.n}} ${{inputs.m}} ${{inputs.d}} ${{inputs.e}}
                environment: azureml:e:1
                inputs:
                  n: ${{parent.inputs.n}}
                  m: {value: true}
                  d: ${{parent.inputs.d}}
                  e: {path: 'azureml:e:2'}
        """,
    )
    step = command_step(pipeline, "a")
    assert [one.type.value for one in step.inputs.values()] == ["integer", "boolean", "uri_folder", "uri_folder"]
    assert (pipeline.inputs["n"].default, step.bindings["m"]) == (3, True)


def test_a_literal_by_way_of_another_step_goes_into_text(tmp_path: Path) -> None:
    """What that step's input is, or nothing where it stays without a value."""
    pipeline = read(
        tmp_path,
        pipeline="""
            type: pipeline
            jobs:
              a: {component: part.yml, inputs: {n: 3}}
              b: {component: part.yml, inputs: {s: 'n=${{parent.jobs.a.inputs.n}};s=${{parent.jobs.a.inputs.s}}'}}
        """,
        part=component(inputs="{n: {type: integer, default: 1}, s: {type: string, optional: true}}"),
    )
    assert command_step(pipeline, "b").bindings["s"] == Mixed(("n=", "3", ";s="))


def test_pipelines_nested_without_end_are_refused(tmp_path: Path) -> None:
    """Sixteen levels are enough for anybody, and fewer than Python's stack."""
    chain = {f"p{level}": f"type: pipeline\njobs: {{a: {{component: p{level + 1}.yml}}}}" for level in range(40)}
    with pytest.raises(PipelineError, match="nested too deeply"):
        read(tmp_path, pipeline=chain["p0"], **chain)


@pytest.mark.parametrize(
    ("kind", "path", "taken"),
    [
        ("uri_file", "pipeline.yml", True),
        ("uri_file", ".", False),
        ("uri_folder", ".", True),
        ("uri_folder", "pipeline.yml", False),
        ("mltable", "pipeline.yml", False),
        ("mlflow_model", "pipeline.yml", False),
        ("custom_model", "pipeline.yml", True),
        ("custom_model", ".", True),
        ("triton_model", ".", True),
    ],
)
def test_a_steps_own_data_is_a_file_or_a_folder_as_its_type_says(
    tmp_path: Path, kind: str, path: str, taken: bool
) -> None:
    """A custom model may be either."""
    file = written(
        tmp_path,
        pipeline=f"""
            type: pipeline
            jobs:
              a: {{component: part.yml, inputs: {{d: {{type: {kind}, path: {path}}}}}}}
        """,
        part=component(inputs=f"{{d: {{type: {kind}}}}}"),
    )
    if taken:
        assert isinstance(command_step(read_pipeline(file), "a").bindings["d"], Asset)
    else:
        with pytest.raises(PipelineError, match=r"is a (file|folder)"):
            read_pipeline(file)
