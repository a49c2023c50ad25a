// Reads a workspace with Microsoft's JavaScript management client, as it is; prints what it read as one JSON document.
// Arguments: subscription, resource group, workspace. Signs in with the secret that the environment names.
"use strict";

const { createRequire } = require("node:module");
const path = require("node:path");

const installed = createRequire(path.join(__dirname, "..", "node", "package.json"));
const { AzureMachineLearningWorkspaces } = installed("@azure/arm-machinelearning");
const { ClientSecretCredential } = installed("@azure/identity");

async function all(pages) {
  const items = [];
  for await (const item of pages) items.push(item);
  return items;
}

async function main(subscription, group, name) {
  const { AZURE_TENANT_ID, AZURE_CLIENT_ID, AZURE_CLIENT_SECRET } = process.env;
  const credential = new ClientSecretCredential(AZURE_TENANT_ID, AZURE_CLIENT_ID, AZURE_CLIENT_SECRET);
  const client = new AzureMachineLearningWorkspaces(credential, subscription);
  const workspace = await client.workspaces.get(group, name);

  const jobs = await all(client.jobs.list(group, name));
  const models = [];
  for (const container of await all(client.modelContainers.list(group, name))) {
    for (const version of await all(client.modelVersions.list(group, name, container.name))) {
      models.push(await client.modelVersions.get(group, name, container.name, version.name));
    }
  }
  const endpoints = [];
  const deployments = [];
  for (const endpoint of await all(client.onlineEndpoints.list(group, name))) {
    endpoints.push(await client.onlineEndpoints.get(group, name, endpoint.name));
    for (const deployment of await all(client.onlineDeployments.list(group, name, endpoint.name))) {
      deployments.push(await client.onlineDeployments.get(group, name, endpoint.name, deployment.name));
    }
  }
  const read = { workspace, workspaces: await all(client.workspaces.listBySubscription()), jobs, models, endpoints, deployments };
  read.job = jobs.length ? await client.jobs.get(group, name, jobs[0].name) : null;
  read.keys = endpoints.length ? await client.onlineEndpoints.listKeys(group, name, endpoints[0].name) : null;
  read.logs = deployments.length
    ? await client.onlineDeployments.getLogs(group, name, endpoints[0].name, deployments[0].name, { tail: 5 })
    : null;
  process.stdout.write(JSON.stringify(read));
}

main(...process.argv.slice(2)).catch((problem) => {
  process.stderr.write(`${problem.stack}\n`);
  process.exitCode = 1;
});
