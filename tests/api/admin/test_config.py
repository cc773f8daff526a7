import pytest

from support.admin import CONFIG, Building

pytestmark = pytest.mark.anyio


async def test_the_configuration_is_shown_with_its_hash_and_without_secrets(building: Building) -> None:
    building.configure(
        CONFIG.replace("sqlite:///var/mainstay.db", "postgresql://mainstay:hush-hush@db.test/mainstay")
        + "identity: {oidc: {issuer: 'https://id.test', client_id: mainstay, client_secret: '${SOLD}'}}\n"
    )
    async with building.client(building.key("operator")) as client:
        answer = await client.get("/api/config")
    shown = answer.json()
    assert shown["hash"] == building.config[0].hash
    assert shown["files"] == ["mainstay.yaml"]
    assert shown["config"]["providers"]["bought"]["api_key"] == "**********"
    assert shown["config"]["identity"]["oidc"]["client_secret"] == "**********"
    assert shown["config"]["store"]["url"] == "postgresql://**********@db.test/mainstay"
    assert shown["config"]["routes"]["assistant"]["targets"][0]["model"] == "parrot"
    for secret in ("sk-very-secret-indeed", "hush-hush"):
        assert secret not in answer.text


async def test_an_edit_is_shown_once_it_is_in_force(building: Building) -> None:
    key = building.key("operator")
    async with building.client(key) as client:
        before = (await client.get("/api/config")).json()["hash"]
        building.configure(CONFIG + "server: {drain: 7s}\n")
        after = (await client.get("/api/config")).json()
    assert after["hash"] != before
    assert after["config"]["server"]["drain"] == "7s"


async def test_models_and_routes_are_those_of_the_configuration(building: Building) -> None:
    building.configure(CONFIG.replace("{provider: bought}", "{provider: bought, price: {input: 0.15, output: 0.6}}"))
    async with building.client(building.key("viewer")) as client:
        models = {row["name"]: row for row in (await client.get("/api/models")).json()["data"]}
        routes = (await client.get("/api/routes")).json()["data"]
    assert (models["parrot"]["provider"], models["parrot"]["kind"]) == ("echo", "echo")
    assert not models["parrot"]["price"]
    assert models["gpt-4o-mini"]["kind"] == "openai"
    assert "0.15" in str(models["gpt-4o-mini"]["price"])
    assert [(route["name"], route["targets"][0]["model"]) for route in routes] == [("assistant", "parrot")]
