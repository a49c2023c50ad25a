"""The scoring script for MLflow models that come without code: Azure's no-code deployments, on a laptop.

Runs in the model's own interpreter, without ctrain. What is taken and given back follows "Guidelines for deploying
MLflow models" on Microsoft Learn (section "Input structure"), and `mlflow_score_script.py` of Azure's curated
inference images where the page is silent:

    {"input_data": {"columns": [...], "index": [...], "data": [[...]]}}   a table, in pandas' split orientation
    {"input_data": [...]}                                                 a tensor
    {"input_data": {"name": [...], ...}}                                  named tensors
    "params": {...} beside it                                             the model's inference parameters

A request that cannot be meant for the model is answered with 400 and words; everything else that goes wrong is the
model's own failure, and the server's 500.
"""

from __future__ import annotations

import gc

# Importing MLflow and loading a model makes half a million objects and next to no garbage: looking for it costs 15%.
gc.disable()

import json
import os
from typing import Any

import numpy as np
import pandas as pd
from azureml_inference_server_http.api.aml_response import AMLResponse
from mlflow.exceptions import MlflowException
from mlflow.pyfunc import PyFuncModel, load_model
from mlflow.utils.proto_json_utils import NumpyEncoder, _get_jsonable_obj

SPLIT = {"columns", "index", "data"}


class RefusedError(Exception):
    """The request, not the model, is at fault."""


class _Served:
    """The one model of this process."""

    model: PyFuncModel


def init() -> None:
    """Called by the server once, before the first request."""
    _Served.model = load_model(os.environ["AZUREML_MODEL_DIR"])
    gc.enable()
    gc.freeze()


def run(raw_data: str) -> Any:
    """Called by the server with a request's body; what is returned is sent as JSON."""
    try:
        data, params = parse(raw_data)
        predicted = predict(data, params)
    except RefusedError as refusal:
        return AMLResponse({"message": str(refusal)}, 400, json_str=True)
    plain = _get_jsonable_obj(predicted, pandas_orient="records")  # type: ignore[no-untyped-call]
    if isinstance(predicted, np.ndarray | pd.DataFrame | pd.Series):
        return plain
    return json.loads(json.dumps(plain, cls=NumpyEncoder))


def predict(data: object, params: dict[str, Any] | None) -> Any:
    """MLflow checks the data against the model's signature first, and its own error says what does not fit."""
    try:
        return _Served.model.predict(data, params=params)
    except MlflowException as problem:
        raise RefusedError(f"The input does not fit the model's signature: {problem.message}") from None


def parse(raw: str) -> tuple[object, dict[str, Any] | None]:
    """The model's input and parameters in a request's body. Raises RefusedError, in words, for anything else."""
    try:
        body = json.loads(raw)
    except ValueError as problem:
        raise RefusedError(f"The body is not JSON: {problem}") from None
    if not isinstance(body, dict) or "input_data" not in body:
        raise RefusedError('The body must be a JSON object with the key "input_data".')
    params = body.get("params")
    if params is not None and not isinstance(params, dict):
        raise RefusedError('"params" must be a JSON object.')
    return _input(body["input_data"]), params


def _input(data: object) -> object:
    try:
        match data:
            case list():
                return np.asarray(data)
            case dict() if data.keys() >= SPLIT:
                return pd.DataFrame(data["data"], columns=data["columns"], index=data["index"] or None)
            case dict() if {"columns", "data"} <= data.keys():
                # Azure's script takes this for two tensors named "columns" and "data", which no model wants.
                raise RefusedError('A table needs "index" beside "columns" and "data".')
            case dict():
                return {name: np.asarray(tensor) for name, tensor in data.items()}
            case _:
                raise RefusedError('"input_data" must be a table, a list, or named lists.')
    except (ValueError, TypeError) as problem:
        raise RefusedError(f'"input_data" has no regular shape: {problem}') from None
