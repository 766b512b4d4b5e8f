"""Installs the chart into a Kubernetes API of its own and holds its pods to the restricted Pod Security Standard.

Needs helm and openssl, the Python package PyYAML, etcd and kube-apiserver in the folder that CLUSTER names, and the
CustomResourceDefinitions of other projects in the one that KINDS names; `.ci/cluster` sees to all of that. Talks to the
loopback alone. There are no controllers and no kubelet: what is asserted is what the API takes and refuses.
"""

import copy
import json
import os
import pathlib
import secrets
import socket
import ssl
import subprocess
import tempfile
import time
import unittest
import urllib.error
import urllib.request

import yaml

CHART = pathlib.Path(__file__).resolve().parent.parent / "charts" / "pinfold"
CASES = sorted((CHART / "ci").glob("*-values.yaml"))
CLUSTER = pathlib.Path(os.environ["CLUSTER"])
KINDS = sorted(pathlib.Path(os.environ["KINDS"]).glob("*.yaml"))
# Namespaces that the cases name.
NAMESPACES = ("pin", "pinfold-system", "monitoring")


def free_port():
    with socket.socket() as made:
        made.bind(("127.0.0.1", 0))
        return made.getsockname()[1]


def wait_for(what, condition, seconds=120):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {seconds} s")
        time.sleep(0.2)


class Api:
    """etcd and kube-apiserver, from their start to their end."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.token = secrets.token_hex(16)
        self.port = free_port()
        self.processes = []
        etcd, peers = free_port(), free_port()
        self.start(
            "etcd", "--data-dir", self.folder / "etcd", "--unsafe-no-fsync",
            f"--listen-client-urls=http://127.0.0.1:{etcd}", f"--advertise-client-urls=http://127.0.0.1:{etcd}",
            f"--listen-peer-urls=http://127.0.0.1:{peers}", f"--initial-advertise-peer-urls=http://127.0.0.1:{peers}",
            f"--initial-cluster=default=http://127.0.0.1:{peers}",
        )  # fmt: skip
        key = self.folder / "service-accounts.pem"
        subprocess.run(["openssl", "genrsa", "-out", key, "2048"], check=True, capture_output=True)
        tokens = self.folder / "tokens.csv"
        tokens.write_text(f"{self.token},admin,admin,system:masters\n")
        self.start(
            "kube-apiserver", f"--etcd-servers=http://127.0.0.1:{etcd}", "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1", f"--secure-port={self.port}", f"--cert-dir={self.folder / 'certificates'}",
            f"--token-auth-file={tokens}", "--authorization-mode=RBAC", "--service-cluster-ip-range=10.0.0.0/24",
            "--service-account-issuer=https://kubernetes.default.svc", f"--service-account-key-file={key}",
            f"--service-account-signing-key-file={key}",
        )  # fmt: skip
        self.kubeconfig = self.folder / "kubeconfig"
        self.kubeconfig.write_text(json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "own",
            "clusters": [{"name": "own", "cluster": {
                "server": f"https://127.0.0.1:{self.port}", "insecure-skip-tls-verify": True}}],
            "users": [{"name": "admin", "user": {"token": self.token}}],
            "contexts": [{"name": "own", "context": {"cluster": "own", "user": "admin"}}],
        }))  # fmt: skip
        wait_for("the API", lambda: self.call("GET", "/readyz")[0] == 200)

    def start(self, name, *arguments):
        with open(self.folder / f"{name}.log", "w", encoding="utf-8") as log:
            command = [str(CLUSTER / name), *map(str, arguments)]
            self.processes.append(subprocess.Popen(command, stdout=log, stderr=log))

    def stop(self):
        for process in reversed(self.processes):
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def call(self, method, path, body=None):
        """Returns the status, the answer and the warnings."""
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        request = urllib.request.Request(
            f"https://127.0.0.1:{self.port}{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=30, context=context) as answer:
                return answer.status, answer.read().decode(), answer.headers.get_all("Warning") or []
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode(), []
        except OSError as error:
            return None, str(error), []

    def helm(self, *arguments):
        # Nothing of the machine's own Helm, and no other cluster.
        surroundings = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "KUBECONFIG": str(self.kubeconfig)}
        return subprocess.run(
            ["helm", *arguments], env=surroundings, capture_output=True, text=True, timeout=300, check=False
        )


class Chart(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.api = Api(cls.folder.name)
        cls.addClassCleanup(cls.api.stop)
        for file in KINDS:
            definition = yaml.safe_load(file.read_text())
            # Groups of Kubernetes itself ask for the link to their review; these are copies for a test.
            definition["metadata"].setdefault("annotations", {})["api-approved.kubernetes.io"] = "unapproved, a copy"
            cls.create("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition)
            path = f"/apis/{definition['spec']['group']}/v1/{definition['spec']['names']['plural']}"
            wait_for(path, lambda path=path: cls.api.call("GET", path)[0] == 200)
        levels = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn", "audit")}
        for name in NAMESPACES:
            cls.create("/api/v1/namespaces", {"metadata": {"name": name, "labels": levels}})
        # What cases say is there already.
        cls.create("/api/v1/namespaces/pin/serviceaccounts", {"metadata": {"name": "shared"}})
        cls.create("/apis/node.k8s.io/v1/runtimeclasses", {"metadata": {"name": "gvisor"}, "handler": "runsc"})

    @classmethod
    def create(cls, path, body):
        status, answer, _ = cls.api.call("POST", path, body)
        if status != 201:
            raise AssertionError(f"{path}: {status} {answer}")

    def manifest(self, release):
        shown = self.api.helm("get", "manifest", release, "--namespace", "pin")
        self.assertEqual(shown.returncode, 0, shown.stderr)
        return [document for document in yaml.safe_load_all(shown.stdout) if document]

    def pod(self, documents):
        """Returns the pod that the Deployment's controller would create, and its namespace."""
        (deployment,) = [document for document in documents if document["kind"] == "Deployment"]
        template = copy.deepcopy(deployment["spec"]["template"])
        template["metadata"]["name"] = deployment["metadata"]["name"]
        return {"apiVersion": "v1", "kind": "Pod", **template}, deployment["metadata"].get("namespace", "pin")

    def test_every_case_is_installed_upgraded_and_removed(self):
        self.assertGreater(len(CASES), 3)
        for case in CASES:
            with self.subTest(case.name):
                release = case.name.removesuffix("-values.yaml")
                self.addCleanup(self.api.helm, "uninstall", release, "--namespace", "pin", "--ignore-not-found")
                arguments = (release, str(CHART), "--namespace", "pin", "--values", str(case))
                installed = self.api.helm("install", *arguments)
                self.assertEqual(installed.returncode, 0, installed.stderr)
                self.assertNotIn("would violate PodSecurity", installed.stderr)
                self.assertNotIn("unknown field", installed.stderr)
                upgraded = self.api.helm("upgrade", *arguments, "--set", "podAnnotations.upgraded=yes")
                self.assertEqual(upgraded.returncode, 0, upgraded.stderr)
                pod, namespace = self.pod(self.manifest(release))
                status, answer, warnings = self.api.call("POST", f"/api/v1/namespaces/{namespace}/pods?dryRun=All", pod)
                self.assertEqual((status, warnings), (201, []), answer)
                removed = self.api.helm("uninstall", release, "--namespace", "pin")
                self.assertEqual(removed.returncode, 0, removed.stderr)

    def test_the_api_takes_every_field(self):
        """Sends every object once more with strict validation, which refuses fields that the API would drop."""
        for case in CASES:
            with self.subTest(case.name):
                rendered = self.api.helm("template", "strict", str(CHART), "--namespace", "pin", "--values", str(case))
                self.assertEqual(rendered.returncode, 0, rendered.stderr)
                for document in filter(None, yaml.safe_load_all(rendered.stdout)):
                    group, kind = document["apiVersion"], document["kind"]
                    plural = {"NetworkPolicy": "networkpolicies", "Ingress": "ingresses"}.get(kind, f"{kind.lower()}s")
                    namespace = document["metadata"].get("namespace", "pin")
                    root = "/api" if "/" not in group else "/apis"
                    path = f"{root}/{group}/namespaces/{namespace}/{plural}?dryRun=All&fieldValidation=Strict"
                    status, answer, warnings = self.api.call("POST", path, document)
                    self.assertEqual((status, warnings), (201, []), f"{kind}: {answer}")

    def test_a_pod_with_more_rights_is_refused(self):
        """What the test above finds nothing wrong with, the API would have refused otherwise."""
        case = CHART / "ci" / "minimal-values.yaml"
        self.addCleanup(self.api.helm, "uninstall", "rights", "--namespace", "pin")
        installed = self.api.helm("install", "rights", str(CHART), "--namespace", "pin", "--values", str(case))
        self.assertEqual(installed.returncode, 0, installed.stderr)
        pod, _ = self.pod(self.manifest("rights"))
        del pod["spec"]["securityContext"]["runAsNonRoot"]
        status, answer, _ = self.api.call("POST", "/api/v1/namespaces/pin/pods?dryRun=All", pod)
        self.assertEqual(status, 403, answer)
        self.assertIn("violates PodSecurity", answer)


if __name__ == "__main__":
    unittest.main()
