"""The region's discovery document: which host answers for what. Open to everybody, as the service's is."""

from __future__ import annotations

from tests.azure.cloud import Cloud
from tests.azure.hosts import REGION
from tests.azure.routing import Call, Reply, Routes

routes = Routes(REGION, signed_in=False)


@routes.get("/discovery")
def discovery(cloud: Cloud, call: Call) -> Reply:
    """Shape: Microsoft's recordings of azure-ai-ml."""
    region = call.params["region"]
    experiments = f"https://{region}.experiments.azureml.net"
    return Reply(
        200,
        {
            "api": f"https://{call.host}",
            "catalog": f"https://catalog.cortanaanalytics.com/{region}",
            "experimentation": experiments,
            "history": experiments,
            "hyperdrive": experiments,
            "labeling": experiments,
            "modelmanagement": f"https://{region}.modelmanagement.azureml.net",
            "pipelines": f"https://{region}.aether.ms",
            "studio": "https://ml.azure.com",
        },
    )
