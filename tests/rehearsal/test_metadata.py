from __future__ import annotations

import json

import httpx
import pytest

from bentoship.rehearsal.metadata import AzureMachine, ComputeEngineMachine, Credentials, Ec2Machine, MetadataService

ROLES = "/latest/meta-data/iam/security-credentials/"
TTL = "X-aws-ec2-metadata-token-ttl-seconds"
GOOGLE = {"Metadata-Flavor": "Google"}
SERVICE_ACCOUNT = "/computeMetadata/v1/instance/service-accounts/default/token"
AZURE = {"Metadata": "true"}
GIVEN = "ya29.first"
QUERY = {"api-version": "2018-02-01", "resource": "https://storage.azure.com/"}


@pytest.fixture
def ask():
    """A client of the metadata service of a machine."""
    services = []

    def client(machine):
        service = MetadataService(machine)
        service.start()
        services.append((service, client := httpx.Client(base_url=service.address, trust_env=False)))
        return client

    yield client
    for service, client in services:
        client.close()
        service.stop()


def session(client, seconds="60"):
    return {"X-aws-ec2-metadata-token": client.put("/latest/api/token", headers={TTL: seconds}).text}


def test_ec2_tells_a_session_everything(ask):
    client = ask(Ec2Machine(role="salary", credentials=Credentials("ASIA", "secret", "token"), user_data="#!/bin/sh\n"))
    proof = session(client)
    assert client.get("/latest/meta-data/instance-id", headers=proof).text == "i-0123456789abcdef0"
    assert client.get("/latest/meta-data/placement/region", headers=proof).text == "eu-central-1"
    assert client.get("/latest/user-data", headers=proof).text == "#!/bin/sh\n"
    assert client.get(ROLES, headers=proof).text == "salary"
    given = client.get(f"{ROLES}salary", headers=proof).json()
    assert (given["Code"], given["AccessKeyId"], given["SecretAccessKey"], given["Token"]) == (
        "Success",
        "ASIA",
        "secret",
        "token",
    )


@pytest.mark.parametrize("proof", [{}, {"X-aws-ec2-metadata-token": "guessed"}])
def test_ec2_tells_nothing_without_a_session(ask, proof):
    client = ask(Ec2Machine(role="salary", credentials=Credentials("ASIA", "secret", "token")))
    assert client.get(ROLES, headers=proof).status_code == 401


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 400),
        ({TTL: "0"}, 400),
        ({TTL: "21601"}, 400),
        ({TTL: "-1"}, 400),
        ({TTL: "60", "X-Forwarded-For": "a"}, 403),
    ],
)
def test_ec2_opens_no_session_for_these(ask, headers, status):
    assert ask(Ec2Machine()).put("/latest/api/token", headers=headers).status_code == status


def test_a_session_is_valid_on_its_own_instance_alone(ask):
    assert ask(Ec2Machine()).get(ROLES, headers=session(ask(Ec2Machine()))).status_code == 401


def test_ec2_without_a_role_has_no_credentials_until_it_gets_one(ask):
    machine = Ec2Machine()
    client = ask(machine)
    proof = session(client)
    assert client.get(ROLES, headers=proof).status_code == 404
    machine.role, machine.credentials = "salary", Credentials("ASIA", "secret", "token")
    assert client.get(ROLES, headers=proof).text == "salary"


def test_compute_engine_gives_the_token_of_the_service_account(ask):
    client = ask(ComputeEngineMachine(token=GIVEN, attributes={"startup-script": "#!/bin/sh\n"}))
    answer = client.get(SERVICE_ACCOUNT, headers=GOOGLE)
    assert answer.headers["Metadata-Flavor"] == "Google"
    assert (answer.json()["access_token"], answer.json()["token_type"]) == (GIVEN, "Bearer")
    script = client.get("/computeMetadata/v1/instance/attributes/startup-script", headers=GOOGLE)
    assert script.text == "#!/bin/sh\n"


@pytest.mark.parametrize("headers", [{}, {"Metadata-Flavor": "google"}, {**GOOGLE, "X-Forwarded-For": "a"}])
def test_compute_engine_refuses_who_does_not_ask_properly(ask, headers):
    assert ask(ComputeEngineMachine(token=GIVEN)).get(SERVICE_ACCOUNT, headers=headers).status_code == 403


def test_compute_engine_without_a_service_account_has_no_token(ask):
    assert ask(ComputeEngineMachine()).get(SERVICE_ACCOUNT, headers=GOOGLE).status_code == 404


def azure_token(client, query, headers=AZURE):
    return client.get("/metadata/identity/oauth2/token", params=query, headers=headers)


def test_azure_gives_the_token_of_the_identity_that_is_named(ask):
    client = ask(AzureMachine(tokens={"one": "first", "two": "second"}))
    answer = azure_token(client, {**QUERY, "client_id": "two"}).json()
    assert (answer["access_token"], answer["resource"]) == ("second", "https://storage.azure.com/")


def test_azure_needs_no_name_when_there_is_one_identity(ask):
    assert azure_token(ask(AzureMachine(tokens={"one": GIVEN})), QUERY).json()["access_token"] == GIVEN


@pytest.mark.parametrize(
    ("query", "headers"),
    [
        (QUERY, {}),
        (QUERY, {**AZURE, "X-Forwarded-For": "a"}),
        ({"resource": QUERY["resource"], "client_id": "one"}, AZURE),
        ({**QUERY, "client_id": "unknown"}, AZURE),
        (QUERY, AZURE),  # which of the two?
        ({**QUERY, "client_id": "one", "resource": "https://vault.azure.net"}, AZURE),
    ],
)
def test_azure_refuses_these(ask, query, headers):
    answer = azure_token(ask(AzureMachine(tokens={"one": "first", "two": "second"})), query, headers)
    assert answer.status_code == 400
    assert json.loads(answer.text)["error"] == "invalid_request"
