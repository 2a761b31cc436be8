"""The manifests in deploy/k8s are sound, and say what an operator relies on."""

from pathlib import Path

import pytest

from tools.k8s_check import __main__ as k8s_check
from tools.k8s_check import render
from tools.k8s_check.manifests import Manifests, containers, pod_spec

FOLDER = Path(__file__).parents[2] / "deploy" / "k8s"
SERVICES = Path(__file__).parents[2] / "services"


@pytest.fixture(scope="module", params=["dev", "production"])
def manifests(request: pytest.FixtureRequest) -> Manifests:
    return Manifests(render.render(FOLDER, request.param))


@pytest.mark.large  # `make k8s-check` in a test
def test_check_passes_on_both_overlays(capsys: pytest.CaptureFixture[str]) -> None:
    code = k8s_check.main([str(FOLDER)])

    printed = capsys.readouterr().out
    assert code == 0, printed
    assert [line.split(":")[0] for line in printed.splitlines()] == [
        "dev",
        "production",
    ]


def test_a_broken_overlay_fails_the_check(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    overlay = tmp_path / "overlays" / "broken"
    overlay.mkdir(parents=True)
    (overlay / "kustomization.yaml").write_text("resources: [missing.yaml]\n")

    code = k8s_check.main([str(tmp_path)])

    assert code == 1
    assert capsys.readouterr().out.startswith("broken: render: ")


def test_every_service_of_the_repository_has_its_deployment(
    manifests: Manifests,
) -> None:
    in_repository = {path.parent.name for path in SERVICES.glob("*/service.py")}

    assert in_repository | {"gateway"} <= manifests.names("Deployment")


def test_each_deployment_serves_the_target_of_its_name(manifests: Manifests) -> None:
    for deployment in manifests.of_kind("Deployment"):
        (container,) = containers(deployment)
        assert container["args"] == [f"--target={deployment['metadata']['name']}"]


def test_only_identity_gets_the_callout_seed(manifests: Manifests) -> None:
    holders = {
        deployment["metadata"]["name"]
        for deployment in manifests.of_kind("Deployment")
        if any(
            variable["name"] == "CRM_NATS_CALLOUT_SEED"
            for variable in containers(deployment)[0].get("env", [])
        )
    }

    assert holders == {"identity"}


def test_pods_have_time_to_drain(manifests: Manifests) -> None:
    (settings,) = manifests.of_kind("ConfigMap")
    drain_s = float(settings["data"]["CRM_DRAIN_S"])

    for deployment in manifests.of_kind("Deployment"):
        (container,) = containers(deployment)
        quiet_s = container["lifecycle"]["preStop"]["sleep"]["seconds"]
        assert pod_spec(deployment)["terminationGracePeriodSeconds"] >= quiet_s + drain_s + 5


def test_only_the_migration_knows_the_administrator(manifests: Manifests) -> None:
    (settings,) = manifests.of_kind("ConfigMap")
    holders = {
        workload["metadata"]["name"]
        for workload in manifests.workloads()
        for source in containers(workload)[0]["envFrom"]
        if source.get("secretRef", {}).get("name", "").startswith("akrab-migrate")
    }

    assert "@" not in settings["data"]["CRM_POSTGRES_URL"]
    assert holders == {"migrate"}


def test_production_carries_no_secret() -> None:
    production = Manifests(render.render(FOLDER, "production"))

    assert production.names("Secret") == set()
    assert not list(FOLDER.rglob("overlays/production/*.env*"))
