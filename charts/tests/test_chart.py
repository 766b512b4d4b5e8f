"""Renders the chart with the real Helm and holds what comes out to what a cluster, Prometheus and Pinfold take.

Needs helm, promtool and prometheus on the PATH, the Python package kubernetes-validate, and the binary that PINFOLD
names. `.ci/chart` sees to all of that. Talks to the loopback alone.
"""

import contextlib
import copy
import json
import os
import pathlib
import re
import socket
import subprocess
import tempfile
import time
import unittest
import urllib.error
import urllib.parse
import urllib.request

import kubernetes_validate
import yaml

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
CHART = ROOT / "charts" / "pinfold"
CASES = sorted((CHART / "ci").glob("*-values.yaml"))
PINFOLD = os.environ["PINFOLD"]
# The oldest that still gets fixes somewhere, one in between, the newest with a published schema.
KUBERNETES = ("1.31", "1.34", "1.37")
# Kinds of other projects, whose schemas are not Kubernetes's; their shape is asserted below.
CUSTOM = {"ServiceMonitor", "PodMonitor", "PrometheusRule", "HTTPRoute"}

MINIMAL = {
    "config": {
        "repository": {"url": "https://github.com/acme/lambda-versions.git"},
        "targets": [{"name": "prod", "path": "prod", "region": "us-east-1"}],
    }
}


def run(*command, stdin=None):
    return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=120, check=False)


def with_values(changes):
    """Returns the minimal values with others merged in; a dotted path names the place."""
    values = copy.deepcopy(MINIMAL)
    for path, value in changes.items():
        place = values
        *parents, last = path.split(".")
        for parent in parents:
            place = place.setdefault(parent, {})
        place[last] = value
    return values


def helm(values, *more, release="pf", namespace="pin"):
    return run(
        "helm", "template", release, str(CHART), "--namespace", namespace, "--values", "-", *more,
        stdin=values if isinstance(values, str) else yaml.safe_dump(values),
    )  # fmt: skip


def render(values, *more, **names):
    result = helm(values, *more, **names)
    assert result.returncode == 0, result.stderr
    objects = [item for item in yaml.safe_load_all(result.stdout) if item]
    keys = [(item["kind"], item["metadata"].get("namespace"), item["metadata"]["name"]) for item in objects]
    assert len(keys) == len(set(keys)), f"two objects of one name: {keys}"
    return objects


def of_kind(objects, kind):
    found = [item for item in objects if item["kind"] == kind]
    assert len(found) == 1, f"{len(found)} of {kind}"
    return found[0]


def pod(objects):
    return of_kind(objects, "Deployment")["spec"]["template"]


def container(objects):
    return pod(objects)["spec"]["containers"][0]


def configuration(objects):
    config = [item for item in objects if item["kind"] == "ConfigMap" and "pinfold.yaml" in item.get("data", {})]
    assert len(config) == 1
    return config[0]["data"]["pinfold.yaml"]


def promtool_test(rules):
    """Runs the tests of the alerts on other rules than those of the file."""
    # As text: series such as 0x40 are a number to Python's YAML.
    tests = (CHART.parent / "tests" / "alerts_test.yaml").read_text()
    file = "../pinfold/files/alerts.yaml"
    assert file in tests
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        (folder / "rules.yaml").write_text(yaml.safe_dump(rules))
        (folder / "test.yaml").write_text(tests.replace(file, "rules.yaml"))
        return run("promtool", "test", "rules", str(folder / "test.yaml"))


class EveryCase(unittest.TestCase):
    """What holds for whatever values are given."""

    def each(self):
        for case in CASES:
            with self.subTest(case=case.name):
                yield case, case.read_text()

    def test_lint(self):
        for case, _ in self.each():
            result = run("helm", "lint", "--strict", str(CHART), "--values", str(case))
            self.assertEqual(result.returncode, 0, result.stdout + result.stderr)

    def test_kubernetes_takes_every_object(self):
        for _, values in self.each():
            for item in render(values):
                if item["kind"] in CUSTOM:
                    continue
                for version in KUBERNETES:
                    kubernetes_validate.validate(item, version, strict=True)

    def test_every_object_can_be_found_again(self):
        for case, values in self.each():
            wanted = yaml.safe_load(values)
            for item in render(values):
                self.assertTrue(item["metadata"]["namespace"], item)
                if "-more" in item["metadata"]["name"] or item["metadata"]["name"] == "as-text":
                    continue  # extraObjects are left as they are
                labels = item["metadata"]["labels"]
                self.assertEqual(labels["app.kubernetes.io/instance"], "pf")
                self.assertEqual(labels["app.kubernetes.io/managed-by"], "Helm")
                for key, value in wanted.get("commonLabels", {}).items():
                    self.assertEqual(labels[key], value, f"{case.name} {item['kind']}")
                for key, value in wanted.get("commonAnnotations", {}).items():
                    self.assertEqual(item["metadata"]["annotations"][key], value, f"{case.name} {item['kind']}")
                self.assertLessEqual(len(item["metadata"]["name"]), 63)

    def test_the_selectors_find_the_pod(self):
        for _, values in self.each():
            objects = render(values)
            labels = pod(objects)["metadata"]["labels"].items()
            selectors = [
                of_kind(objects, "Deployment")["spec"]["selector"]["matchLabels"],
                of_kind(objects, "Service")["spec"]["selector"],
            ]
            selectors += [i["spec"]["podSelector"]["matchLabels"] for i in objects if i["kind"] == "NetworkPolicy"]
            selectors += [
                i["spec"]["selector"]["matchLabels"]
                for i in objects
                if i["kind"] in ("PodDisruptionBudget", "PodMonitor")
            ]
            for selector in selectors:
                self.assertLessEqual(selector.items(), labels)
            service = of_kind(objects, "Service")["metadata"]["labels"].items()
            for item in objects:
                if item["kind"] == "ServiceMonitor":
                    self.assertLessEqual(item["spec"]["selector"]["matchLabels"].items(), service)

    def test_the_pod_is_restricted(self):
        """The restricted Pod Security Standard, field by field."""
        for case, values in self.each():
            spec = pod(render(values))["spec"]
            self.assertTrue(spec["securityContext"]["runAsNonRoot"])
            self.assertEqual(spec["securityContext"]["seccompProfile"]["type"], "RuntimeDefault")
            for name in ("hostNetwork", "hostPID", "hostIPC"):
                self.assertNotIn(name, spec)
            security = spec["containers"][0]["securityContext"]
            self.assertFalse(security["allowPrivilegeEscalation"])
            self.assertTrue(security["readOnlyRootFilesystem"])
            self.assertEqual(security["capabilities"], {"drop": ["ALL"]})
            self.assertFalse(spec["automountServiceAccountToken"])
            volumes = {kind for volume in spec["volumes"] for kind in volume if kind != "name"}
            self.assertLessEqual(volumes, {"configMap", "secret", "emptyDir"}, case.name)
            mounts = {mount["name"] for mount in spec["containers"][0]["volumeMounts"]}
            self.assertEqual(mounts, {volume["name"] for volume in spec["volumes"]})

    def test_there_is_never_a_second_daemon(self):
        for _, values in self.each():
            spec = of_kind(render(values), "Deployment")["spec"]
            self.assertIn(spec["replicas"], (0, 1))
            self.assertEqual(spec["strategy"], {"type": "Recreate"})

    def test_pinfold_takes_the_configuration(self):
        for case, values in self.each():
            if yaml.safe_load(values).get("existingConfigMap"):
                continue
            config = configuration(render(values))
            with tempfile.TemporaryDirectory() as folder:
                folder = pathlib.Path(folder)
                for target in yaml.safe_load(config)["targets"]:
                    (folder / "tree" / target["path"]).mkdir(parents=True, exist_ok=True)
                (folder / "pinfold.yaml").write_text(config)
                result = run(PINFOLD, "validate", "--config", str(folder / "pinfold.yaml"), str(folder / "tree"))
            self.assertEqual(result.returncode, 0, f"{case.name}\n{result.stderr}\n{config}")

    def test_the_files_that_the_configuration_names_are_mounted(self):
        for case, values in self.each():
            if yaml.safe_load(values).get("existingConfigMap"):
                continue
            objects = render(values)
            config = yaml.safe_load(configuration(objects))
            repository = config["repository"]
            auth = repository.get("auth", {})
            files = [value for key, value in {**auth, **auth.get("githubApp", {})}.items() if key.endswith("File")]
            files += [repository["cacheDir"]]
            for webhook in config.get("webhooks", {}).values():
                files += webhook.values()
            files += [config["http"]["tokenFile"]] if "tokenFile" in config.get("http", {}) else []
            notifications = config.get("notifications", {})
            files += [notifications["caFile"]] if "caFile" in notifications else []
            for receiver in notifications.get("receivers", []):
                files += [value for key, value in receiver.items() if key.endswith("File")]
            files += repository.get("verify", {}).values()
            files += [repository[key] for key in ("caFile", "proxyCredentialsFile") if key in repository]
            mounts = [mount["mountPath"] for mount in container(objects)["volumeMounts"]]
            for file in files:
                self.assertTrue(any(f"{file}/".startswith(f"{mount}/") for mount in mounts), f"{case.name}: {file}")
            if yaml.safe_load(values).get("git", {}).get("existingSecret"):
                self.assertTrue(repository["auth"], case.name)

    def test_the_port_is_the_same_everywhere(self):
        for case, values in self.each():
            objects = render(values)
            given = yaml.safe_load(values)
            listen = given.get("config", {}).get("http", {}).get("listen", "0.0.0.0:8420")
            port = given.get("existingConfigMapPort") or int(listen.rsplit(":", 1)[1])
            self.assertEqual(container(objects)["ports"], [{"name": "http", "containerPort": port, "protocol": "TCP"}])
            self.assertEqual(of_kind(objects, "Service")["spec"]["ports"][0]["targetPort"], "http")
            for item in objects:
                if item["kind"] == "NetworkPolicy":
                    self.assertEqual(item["spec"]["ingress"][0]["ports"][0]["port"], port, case.name)

    def test_prometheus_takes_the_rules(self):
        seen = 0
        for case, values in self.each():
            for item in render(values):
                if item["kind"] != "PrometheusRule":
                    continue
                seen += 1
                with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
                    yaml.safe_dump(item["spec"], file)
                    file.flush()
                    result = run("promtool", "check", "rules", file.name)
                self.assertEqual(result.returncode, 0, f"{case.name}\n{result.stdout}{result.stderr}")
        self.assertGreater(seen, 1)


class Refused(unittest.TestCase):
    """A mistake ends the installation, with words that say which."""

    def refused(self, changes, *words):
        result = helm(with_values(changes))
        self.assertNotEqual(result.returncode, 0, changes)
        for word in words:
            self.assertIn(word, result.stderr, changes)

    def test_nothing_given(self):
        result = helm({})
        self.assertNotEqual(result.returncode, 0)
        self.assertIn("config.repository.url is needed", result.stderr)

    def test_no_targets(self):
        self.refused({"config.targets": []}, "config.targets is needed")

    def test_by_the_schema(self):
        for changes, word in [
            ({"imagee": {}}, "imagee"),
            ({"image.digest": "sha256:short"}, "/image/digest"),
            ({"image.digset": ""}, "digset"),
            ({"image.pullPolicy": "Sometimes"}, "/image/pullPolicy"),
            ({"replicaCount": 2}, "/replicaCount"),
            ({"config.mode": "obsrve"}, "/config/mode"),
            ({"config.repositry": {}}, "repositry"),
            ({"config.repository.token": "secret"}, "token"),
            ({"config.targets": [{"name": "prod", "path": "prod"}]}, "region"),
            ({"config.targets": [{"name": "p", "path": "p", "region": "r", "account": 111111111111}]}, "account"),
            ({"config.webhooks": {"github": {}}}, "webhooks"),
            ({"config.repository.verify": {}}, "verify"),
            ({"git.existingSecret": "Not_A_Name"}, "/git/existingSecret"),
            ({"config.notifications": {"receivers": [{"name": "a", "kind": "slack", "url": "https://x"}]}}, "url"),
            ({"notifications.url": "https://x"}, "url"),
            ({"webhook.secret": "x"}, "secret"),
            ({"config.webhooks": {"github": {"secretFile": "/x"}}}, "webhook.existingSecret"),
            ({"git.token": "secret"}, "token"),
            ({"git.secretKeys.token": "a/b"}, "/git/secretKeys/token"),
            ({"service.port": 70000}, "/service/port"),
            ({"service.type": "ExternalName"}, "/service/type"),
            ({"podLabels": {"on": True}}, "/podLabels"),
            ({"serviceAccount.automountServiceAccountToken": "false"}, "automountServiceAccountToken"),
            ({"cache.sizeLimit": "plenty"}, "/cache/sizeLimit"),
            ({"terminationGracePeriodSeconds": 0}, "terminationGracePeriodSeconds"),
            ({"serviceMonitor.interval": "30"}, "/serviceMonitor/interval"),
            ({"prometheusRule.reconcileWindow": "15 minutes"}, "reconcileWindow"),
            ({"prometheusRule.overrides": {"PinfoldAbsent": {"sevrity": "x"}}}, "sevrity"),
            ({"networkPolicy.egressPorts": ["https"]}, "egressPorts"),
            ({"ingress.hosts": [{"name": "x"}]}, "host"),
            ({"podDisruptionBudget.minAvailable": "one"}, "minAvailable"),
        ]:
            with self.subTest(changes=changes):
                self.refused(changes, word)

    def test_credentials_that_do_not_fit(self):
        self.refused({"config.repository.url": "git@example.com:a/b.git"}, "git.existingSecret is needed", "known_hosts")
        self.refused({"config.repository.url": "/srv/git", "git.existingSecret": "x"}, "neither https nor ssh")

    def test_a_loopback_listener(self):
        for listen in ("127.0.0.1:8420", "[::1]:8420"):
            self.refused({"config.http": {"listen": listen}}, "loopback")

    def test_two_monitors(self):
        self.refused({"serviceMonitor.enabled": True, "podMonitor.enabled": True}, "exclude each other")

    def test_ways_in_without_a_way(self):
        self.refused({"ingress.enabled": True}, "ingress.hosts is needed")
        self.refused({"httpRoute.enabled": True}, "httpRoute.parentRefs is needed")

    def test_an_alert_that_is_not_there(self):
        self.refused({"prometheusRule.enabled": True, "prometheusRule.disabled": ["PinfoldAbsnt"]}, "PinfoldAbsnt")
        self.refused({"prometheusRule.enabled": True, "prometheusRule.overrides": {"Pinfold": {}}}, "PinfoldAbsent")


class OneChange(unittest.TestCase):
    """The minimal values with one thing changed."""

    def objects(self, changes=None, *more, **names):
        return render(with_values(changes or {}), *more, **names)

    def test_the_least(self):
        kinds = sorted(item["kind"] for item in self.objects())
        self.assertEqual(kinds, ["ConfigMap", "Deployment", "Service", "ServiceAccount"])
        self.assertEqual(
            yaml.safe_load(configuration(self.objects())),
            {
                "repository": {
                    "url": "https://github.com/acme/lambda-versions.git",
                    "cacheDir": "/var/cache/pinfold",
                },
                "targets": [{"name": "prod", "path": "prod", "region": "us-east-1"}],
            },
        )

    def test_a_parents_globals_are_none_of_our_business(self):
        self.assertTrue(self.objects({"global.ours": {"x": 1}}))

    def test_image(self):
        version = yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"]
        digest = "sha256:" + "0" * 64
        for changes, image in [
            ({}, f"ghcr.io/pinfold/pinfold:{version}"),
            ({"image.tag": "1.2.3"}, "ghcr.io/pinfold/pinfold:1.2.3"),
            ({"image.digest": digest, "image.tag": "1.2.3"}, f"ghcr.io/pinfold/pinfold@{digest}"),
            ({"image.registry": ""}, f"pinfold/pinfold:{version}"),
            ({"global.imageRegistry": "r.example.com/m/"}, f"r.example.com/m/pinfold/pinfold:{version}"),
        ]:
            with self.subTest(changes=changes):
                self.assertEqual(container(self.objects(changes))["image"], image)

    def test_pull_secrets_of_both_kinds(self):
        spec = pod(
            self.objects({"imagePullSecrets": ["a", {"name": "b"}], "global.imagePullSecrets": [{"name": "c"}, "a"]})
        )["spec"]
        self.assertEqual(spec["imagePullSecrets"], [{"name": "c"}, {"name": "a"}, {"name": "b"}])

    def test_a_change_of_the_configuration_is_a_new_pod(self):
        checksum = lambda changes: pod(self.objects(changes))["metadata"]["annotations"]["checksum/config"]
        self.assertEqual(checksum({}), checksum({"service.port": 80}))
        self.assertNotEqual(checksum({}), checksum({"config.mode": "observe"}))
        self.assertNotEqual(checksum({}), checksum({"git.existingSecret": "pinfold-git"}))

    def test_a_new_chart_with_the_same_pod_does_not_restart_it(self):
        labels = pod(self.objects())["metadata"]["labels"]
        self.assertNotIn("helm.sh/chart", labels)

    def test_git_over_https(self):
        objects = self.objects({"git.existingSecret": "pinfold-git", "git.secretKeys.username": "user"})
        self.assertEqual(
            yaml.safe_load(configuration(objects))["repository"]["auth"],
            {"tokenFile": "/etc/pinfold/git/token", "usernameFile": "/etc/pinfold/git/user"},
        )
        volume = next(v for v in pod(objects)["spec"]["volumes"] if v["name"] == "git")
        self.assertEqual(volume["secret"], {"secretName": "pinfold-git", "defaultMode": 0o440})

    def test_git_over_ssh(self):
        for url in ("ssh://git@example.com:2222/a/b.git", "git@example.com:a/b.git"):
            objects = self.objects({"config.repository.url": url, "git.existingSecret": "pinfold-git"})
            self.assertEqual(
                yaml.safe_load(configuration(objects))["repository"]["auth"],
                {
                    "sshKeyFile": "/etc/pinfold/git/ssh-privatekey",
                    "knownHostsFile": "/etc/pinfold/git/known_hosts",
                },
            )

    def test_what_the_configuration_says_itself_stays(self):
        own = {"auth": {"tokenFile": "/run/token"}, "cacheDir": "/elsewhere", "caFile": "/ca.pem"}
        changes = {f"config.repository.{key}": value for key, value in own.items()}
        objects = self.objects({**changes, "git.existingSecret": "x", "git.caConfigMap.name": "ca"})
        repository = yaml.safe_load(configuration(objects))["repository"]
        self.assertLessEqual(own.items(), repository.items())

    def test_no_secret_is_made_and_none_is_a_value(self):
        for case in CASES:
            self.assertNotIn("Secret", [item["kind"] for item in render(case.read_text())])

    def test_an_existing_config_map(self):
        objects = render({"existingConfigMap": "theirs"})
        self.assertNotIn("ConfigMap", [item["kind"] for item in objects])
        volume = next(v for v in pod(objects)["spec"]["volumes"] if v["name"] == "config")
        self.assertEqual(volume["configMap"], {"name": "theirs"})
        self.assertNotIn("checksum/config", pod(objects)["metadata"]["annotations"])

    def test_service_accounts(self):
        account = lambda changes: pod(self.objects(changes))["spec"]["serviceAccountName"]
        self.assertEqual(account({}), "pf-pinfold")
        self.assertEqual(account({"serviceAccount.name": "own"}), "own")
        self.assertEqual(account({"serviceAccount.create": False}), "default")
        self.assertEqual(account({"serviceAccount.create": False, "serviceAccount.name": "theirs"}), "theirs")
        objects = self.objects({"serviceAccount.annotations": {"eks.amazonaws.com/role-arn": "arn"}})
        made = of_kind(objects, "ServiceAccount")
        self.assertEqual(made["metadata"]["annotations"], {"eks.amazonaws.com/role-arn": "arn"})
        self.assertFalse(made["automountServiceAccountToken"])

    def test_names(self):
        name = lambda changes, **names: of_kind(self.objects(changes, **names), "Deployment")["metadata"]["name"]
        self.assertEqual(name({}), "pf-pinfold")
        self.assertEqual(name({}, release="pinfold"), "pinfold")
        self.assertEqual(name({"nameOverride": "x"}), "pf-x")
        self.assertEqual(name({"fullnameOverride": "x"}), "x")

    def test_two_releases_do_not_meet(self):
        one, two = self.objects(release="a"), self.objects(release="b")
        names = lambda objects: {(item["kind"], item["metadata"]["name"]) for item in objects}
        self.assertFalse(names(one) & names(two))
        self.assertNotEqual(
            of_kind(one, "Service")["spec"]["selector"], of_kind(two, "Service")["spec"]["selector"]
        )

    def test_where_the_pod_may_go(self):
        def ports(changes):
            policy = of_kind(self.objects({"networkPolicy.enabled": True, **changes}), "NetworkPolicy")
            self.assertEqual(policy["spec"]["policyTypes"], ["Ingress", "Egress"])
            return sorted((rule.get("to", [{}])[0].get("ipBlock", {}).get("cidr", "any"), port["port"])
                          for rule in policy["spec"]["egress"] for port in rule["ports"])  # fmt: skip

        agent = ("169.254.170.23/32", 80)
        self.assertEqual(ports({}), [agent, ("any", 22), ("any", 53), ("any", 53), ("any", 443)])
        self.assertEqual(
            ports({"networkPolicy.egressPorts": [443], "networkPolicy.allowPodIdentityAgent": False}),
            [("any", 53), ("any", 53), ("any", 443)],
        )
        self.assertIn(("169.254.169.254/32", 80), ports({"networkPolicy.allowInstanceMetadata": True}))

    def test_a_budget_of_nothing_is_a_budget(self):
        budget = lambda changes: of_kind(
            self.objects({"podDisruptionBudget.enabled": True, **changes}), "PodDisruptionBudget"
        )["spec"]
        self.assertEqual(budget({})["maxUnavailable"], 1)
        self.assertNotIn("minAvailable", budget({}))
        self.assertEqual(budget({"podDisruptionBudget.minAvailable": 0})["minAvailable"], 0)

    def test_monitors(self):
        for kind, key in (("ServiceMonitor", "endpoints"), ("PodMonitor", "podMetricsEndpoints")):
            value = kind[0].lower() + kind[1:]
            item = of_kind(self.objects({f"{value}.enabled": True, f"{value}.labels": {"release": "p"}}), kind)
            self.assertEqual(
                item["spec"][key], [{"port": "http", "path": "/metrics", "interval": "30s", "honorLabels": False}]
            )
            self.assertEqual(item["spec"]["namespaceSelector"], {"matchNames": ["pin"]})
            self.assertEqual(item["metadata"]["labels"]["release"], "p")

    def test_ways_in(self):
        ingress = of_kind(
            self.objects({"ingress.enabled": True, "ingress.hosts": [{"host": "pinfold.example.com"}]}), "Ingress"
        )
        self.assertEqual(
            ingress["spec"]["rules"],
            [
                {
                    "host": "pinfold.example.com",
                    "http": {
                        "paths": [
                            {
                                "path": "/",
                                "pathType": "Prefix",
                                "backend": {"service": {"name": "pf-pinfold", "port": {"name": "http"}}},
                            }
                        ]
                    },
                }
            ],
        )
        route = of_kind(
            self.objects({"httpRoute.enabled": True, "httpRoute.parentRefs": [{"name": "g"}], "service.port": 80}),
            "HTTPRoute",
        )
        self.assertEqual(
            route["spec"],
            {
                "parentRefs": [{"name": "g"}],
                "rules": [
                    {
                        "backendRefs": [{"name": "pf-pinfold", "port": 80}],
                        "matches": [{"path": {"type": "PathPrefix", "value": "/"}}],
                    }
                ],
            },
        )

    def test_objects_of_ones_own(self):
        item = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": '{{ include "pinfold.fullname" . }}-x'}}
        for given in (item, yaml.safe_dump(item)):
            made = of_kind(self.objects({"extraObjects": [given]}), "Secret")
            self.assertEqual(made["metadata"]["name"], "pf-pinfold-x")

    def test_the_notes_say_the_next_command(self):
        def notes(changes):
            # Helm shows them to those who have a cluster; a template can include them without.
            item = (
                "{apiVersion: v1, kind: ConfigMap, metadata: {name: notes}, "
                'data: {notes: {{ include "pinfold/templates/NOTES.txt" . | toJson }}}}'
            )
            objects = self.objects({**changes, "extraObjects": [item]})
            return next(item["data"]["notes"] for item in objects if item["metadata"]["name"] == "notes")

        text = notes({})
        self.assertIn("kubectl --namespace pin rollout status deployment/pf-pinfold", text)
        self.assertIn("/pinfold status --url http://127.0.0.1:8420", text)
        self.assertIn("read without credentials", text)
        self.assertIn("It corrects drift in: prod (*)", text)
        self.assertIn("It only observes", notes({"config.mode": "observe"}))
        self.assertNotIn("read without credentials", notes({"git.existingSecret": "x"}))
        self.assertIn("replicaCount is 0", notes({"replicaCount": 0}))

    def test_the_package_holds_what_is_of_use(self):
        with tempfile.TemporaryDirectory() as folder:
            result = run("helm", "package", str(CHART), "--destination", folder)
            self.assertEqual(result.returncode, 0, result.stderr)
            (archive,) = pathlib.Path(folder).iterdir()
            names = run("tar", "-tzf", str(archive)).stdout.split()
        self.assertIn("pinfold/README.md", names)
        self.assertIn("pinfold/files/alerts.yaml", names)
        self.assertFalse([name for name in names if "/ci/" in name or name.endswith("gotmpl")])


class Alerts(unittest.TestCase):
    """The PrometheusRule is the file of rules, with the release's own put in."""

    def rules(self, changes=None):
        return of_kind(render(with_values({"prometheusRule.enabled": True, **(changes or {})})), "PrometheusRule")[
            "spec"
        ]

    def alerts(self, changes=None):
        return {r["alert"]: r for group in self.rules(changes)["groups"] for r in group["rules"]}

    def file(self):
        groups = yaml.safe_load((CHART / "files" / "alerts.yaml").read_text())["groups"]
        return {rule["alert"]: rule for group in groups for rule in group["rules"]}

    def test_all_are_there_and_complete(self):
        rendered = self.alerts()
        self.assertEqual(list(rendered), list(self.file()))
        for name, rule in rendered.items():
            self.assertIn(rule["labels"]["severity"], ("critical", "warning", "info"), name)
            self.assertLessEqual({"summary", "description", "runbook_url"}, rule["annotations"].keys(), name)
            self.assertTrue(rule["annotations"]["runbook_url"].endswith(f"#{name.lower()}"))
            self.assertTrue(self.file()[name]["annotations"]["runbook_url"].endswith(f"#{name.lower()}"))

    def test_every_series_is_the_releases_own(self):
        for name, rule in self.alerts().items():
            self.assertEqual(
                len(re.findall(r"pinfold_[a-z_]+\{", rule["expr"])), rule["expr"].count('namespace="pin"'), name
            )
            self.assertNotIn("job=~", rule["expr"])
        for name, rule in self.file().items():
            self.assertEqual(
                len(re.findall(r"pinfold_[a-z_]+", rule["expr"])), rule["expr"].count('job=~".*pinfold.*"'), name
            )

    def test_the_rendered_rules_pass_the_tests_of_the_file(self):
        result = promtool_test(self.rules({"prometheusRule.selector": 'job=~".+"'}))
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)

    def test_the_tests_do_notice(self):
        result = promtool_test(self.rules({"prometheusRule.disabled": ["PinfoldGitStale"]}))
        self.assertNotEqual(result.returncode, 0)

    def test_changes(self):
        alerts = self.alerts(
            {
                "prometheusRule.disabled": ["PinfoldAbsent"],
                "prometheusRule.overrides": {
                    "PinfoldGitStale": {"for": "1h", "severity": "page", "expr": "vector(1)"},
                },
                "prometheusRule.alertLabels": {"team": "x"},
                "prometheusRule.reconcileWindow": "2h",
                "prometheusRule.runbookUrl": "https://wiki.example.com/pinfold",
            }
        )
        self.assertNotIn("PinfoldAbsent", alerts)
        stale = alerts["PinfoldGitStale"]
        self.assertEqual((stale["for"], stale["expr"]), ("1h", "vector(1)"))
        self.assertEqual(stale["labels"], {"severity": "page", "team": "x"})
        self.assertEqual(stale["annotations"]["runbook_url"], "https://wiki.example.com/pinfold#pinfoldgitstale")
        self.assertIn("[2h]", alerts["PinfoldReconcileLoopDead"]["expr"])


class RealRun(unittest.TestCase):
    """A Prometheus scrapes `pinfold demo`: its metrics are sound, no alert fires, the dashboard's queries find series."""

    @classmethod
    def setUpClass(cls):
        cls.stack = contextlib.ExitStack()
        cls.addClassCleanup(cls.stack.close)
        folder = pathlib.Path(cls.stack.enter_context(tempfile.TemporaryDirectory()))
        cls.pinfold, cls.prometheus = (f"http://127.0.0.1:{port}" for port in free_ports(2))
        cls.start([PINFOLD, "demo", "--listen", urllib.parse.urlsplit(cls.pinfold).netloc, "--dir", f"{folder}/demo"])
        scrape = {
            "job_name": "pinfold",
            "static_configs": [
                {
                    "targets": [urllib.parse.urlsplit(cls.pinfold).netloc],
                    "labels": {"namespace": "pinfold", "pod": "pinfold-0"},
                }
            ],
        }
        (folder / "prometheus.yml").write_text(
            yaml.safe_dump(
                {
                    "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
                    "rule_files": [str(CHART / "files" / "alerts.yaml")],
                    "scrape_configs": [scrape],
                }
            )
        )
        cls.start(
            [
                "prometheus",
                f"--config.file={folder}/prometheus.yml",
                f"--storage.tsdb.path={folder}/data",
                f"--web.listen-address={urllib.parse.urlsplit(cls.prometheus).netloc}",
                "--log.level=error",
            ]
        )
        in_sync = "sum(pinfold_function_ready) >= 20 and sum(rate(pinfold_reconciles_total[10s])) > 0"
        deadline = time.monotonic() + 90
        while not cls.query(in_sync):
            assert time.monotonic() < deadline, "the demo does not show in Prometheus"
            time.sleep(1)

    @classmethod
    def start(cls, command):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        cls.stack.callback(process.wait)
        cls.stack.callback(process.terminate)

    @classmethod
    def query(cls, expr):
        url = f"{cls.prometheus}/api/v1/query?{urllib.parse.urlencode({'query': expr})}"
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                return json.load(answer)["data"]["result"]
        except urllib.error.HTTPError as error:
            if error.code == 503:
                return []  # it is starting
            raise AssertionError(f"{error.read().decode()}: {expr}") from None
        except urllib.error.URLError:
            return []

    def test_the_metrics_are_sound(self):
        with urllib.request.urlopen(f"{self.pinfold}/metrics", timeout=10) as answer:
            text = answer.read().decode()
        result = run("promtool", "check", "metrics", stdin=text)
        self.assertEqual((result.returncode, result.stdout, result.stderr), (0, "", ""))

    def test_no_alert_fires(self):
        # Suspended functions of the demo are pending for a day.
        firing = self.query('ALERTS{alertstate="firing"}')
        self.assertEqual(firing, [])
        with urllib.request.urlopen(f"{self.prometheus}/api/v1/rules", timeout=10) as answer:
            groups = json.load(answer)["data"]["groups"]
        unwell = [rule["name"] for group in groups for rule in group["rules"] if rule["health"] == "err"]
        self.assertEqual(unwell, [])

    def test_the_dashboard_finds_its_series(self):
        dashboard = json.loads((CHART / "files" / "dashboard.json").read_text())
        # Nothing is wrong in the demo, so these have nothing to show.
        empty = {"Left undone, by reason", "Waiting for somebody", "Drift"}
        for panel in dashboard["panels"]:
            for target in panel["targets"]:
                expr = target["expr"]
                for variable, value in {"$__rate_interval": "10s", "$namespace": ".*", "$target": ".*"}.items():
                    expr = expr.replace(variable, value)
                with self.subTest(panel=panel["title"]):
                    found = self.query(expr)
                    self.assertTrue(found or panel["title"] in empty, expr)


class RealTrouble(unittest.TestCase):
    """The alerts on series as Pinfold serves them while things go wrong: each scrape of the demo stands for a minute."""

    SCRAPES = 30

    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        (port,) = free_ports(1)
        self.url = f"http://127.0.0.1:{port}"
        listen = ["--listen", f"127.0.0.1:{port}", "--dir", f"{self.folder}/demo"]
        process = subprocess.Popen([PINFOLD, "demo", *listen], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(process.wait)
        self.addCleanup(process.terminate)

    def scrape(self):
        """Returns the value of each series."""
        try:
            with urllib.request.urlopen(f"{self.url}/metrics", timeout=10) as answer:
                lines = answer.read().decode().splitlines()
        except urllib.error.URLError:
            return {}
        return dict(line.rsplit(" ", 1) for line in lines if line.startswith("pinfold_"))

    def wait_until_in_sync(self):
        deadline = time.monotonic() + 90
        while True:
            ready = [value for name, value in self.scrape().items() if name.startswith("pinfold_function_ready{")]
            # One function of the demo is suspended, with $LATEST and one alias.
            if len(ready) >= 20 and ready.count("0") <= 2:
                return
            assert time.monotonic() < deadline, "the demo does not come to rest"
            time.sleep(0.5)

    def break_things(self):
        """One function may not be read, one not be changed, and one manifest is none."""
        config = yaml.safe_load((self.folder / "demo" / "pinfold.yaml").read_text())
        denied = {"kind": "reply", "status": 403, "errorType": "AccessDeniedException"}
        faults = [
            {"operation": "GetFunction", "resource": "orders-events", "times": 0, "effect": denied},
            {"operation": "UpdateAlias", "resource": "checkout-worker", "times": 0, "effect": denied},
        ]
        for fault in faults:
            request = urllib.request.Request(
                config["targets"][0]["endpointUrl"] + "/_sandbox/faults", data=json.dumps(fault).encode(), method="POST"
            )
            urllib.request.urlopen(request, timeout=10).close()
        repository = self.folder / "demo" / "lambda-versions"
        (worker,) = repository.glob("prod/**/checkout-worker.yaml")
        # Another alias is to be moved: its version is published, and the alias is not.
        worker.write_text(re.sub(r'version: ".*"', 'version: "1.5.1"', worker.read_text()))
        (repository / "prod" / "broken.yaml").write_text("kind: [\n")
        who = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
        for command in (["add", "--all"], ["commit", "--quiet", "--message", "broken"]):
            result = run("git", "-C", str(repository), *who, *command)
            self.assertEqual(result.returncode, 0, result.stderr)

    def test_the_alerts_fire_on_what_is_really_served(self):
        self.wait_until_in_sync()
        scrapes = []
        for number in range(self.SCRAPES):
            if number == 3:
                self.break_things()
            scrapes.append(self.scrape())
            time.sleep(1)
        own = 'job="pinfold",namespace="pinfold",pod="a"'
        series = []
        for name in sorted({name for scrape in scrapes for name in scrape}):
            labelled = name.replace("{", "{" + own + ",") if "{" in name else name + "{" + own + "}"
            series.append({"series": labelled, "values": " ".join(scrape.get(name, "_") for scrape in scrapes)})
        # Whatever fired at any time of the half hour, and nothing else.
        fired = {
            "expr": 'group by (alertname) (max_over_time(ALERTS{alertstate="firing"}[30m]))',
            "eval_time": f"{self.SCRAPES - 1}m",
            "exp_samples": [
                {"labels": f'{{alertname="{name}"}}', "value": 1}
                for name in ("PinfoldAwsDenied", "PinfoldFunctionStalled", "PinfoldManifestInvalid", "PinfoldSyncFailed")
            ],
        }
        test = {"interval": "1m", "input_series": series, "promql_expr_test": [fired]}
        (self.folder / "test.yaml").write_text(
            yaml.safe_dump({"rule_files": [str(CHART / "files" / "alerts.yaml")], "tests": [test]})
        )
        result = run("promtool", "test", "rules", str(self.folder / "test.yaml"))
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


if __name__ == "__main__":
    unittest.main()
