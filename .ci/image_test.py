"""Runs the image as the chart would, against a sandbox in a second container, and with authorities of its own.

Needs podman and runc, helm, openssl and git, the Python package PyYAML, and the image that PINFOLD_IMAGE names. Talks to
the loopback alone: containers have the host's network, as a bridge needs rights that not every machine gives.
"""

import contextlib
import http.server
import io
import json
import os
import pathlib
import socket
import ssl
import subprocess
import tempfile
import threading
import time
import unittest
import urllib.error
import urllib.request
import uuid
import zipfile

import yaml

CHART = pathlib.Path(__file__).resolve().parent.parent / "charts" / "pinfold"
IMAGE = os.environ["PINFOLD_IMAGE"]
# What the pod's security context and limits come to. The runtime and the limits on processes are podman's own
# affair: its defaults do not work in every sandbox.
LIKE_THE_CHART = [
    "--read-only", "--read-only-tmpfs=false", "--cap-drop=all", "--security-opt=no-new-privileges",
    "--user=65532:65532", "--memory=256m", "--tmpfs=/tmp:rw,size=64m,mode=1777",
]  # fmt: skip
PODMAN = ["podman", "--cgroup-manager=cgroupfs", "--events-backend=file", "--runtime=runc"]
LIMITS = ["--network=host", "--ulimit=nofile=1024:4096", "--ulimit=nproc=4096:4096"]
SIZE_LIMIT = 40_000_000
# Where the image says that authorities are.
AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"


def run(*command, check=True, timeout=120):
    result = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)
    if check and result.returncode != 0:
        raise AssertionError(f"{command}: {result.returncode}\n{result.stdout}{result.stderr}")
    return result


def container(*arguments, options=(), check=True, timeout=120):
    """Runs the image to its end."""
    return run(
        *PODMAN, "run", "--rm", *LIMITS, *LIKE_THE_CHART, *options, IMAGE, *arguments, check=check, timeout=timeout
    )


def free_port():
    with contextlib.closing(socket.socket()) as made:
        made.bind(("127.0.0.1", 0))
        return made.getsockname()[1]


def get(url):
    """Returns the status and the text of an answer; no status where nobody answers."""
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError as error:
        return None, str(error)


def wait_for(what, condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {seconds} s")
        time.sleep(0.2)


def pod_of(values):
    """Returns the pod that the chart makes of values, and its ConfigMap's files."""
    command = ["helm", "template", "pf", str(CHART), "--values", "-"]
    result = subprocess.run(
        command, input=yaml.safe_dump(values), capture_output=True, text=True, timeout=60, check=False
    )
    if result.returncode != 0:
        raise AssertionError(result.stderr)
    objects = {item["kind"]: item for item in yaml.safe_load_all(result.stdout) if item}
    return objects["Deployment"]["spec"]["template"]["spec"], objects["ConfigMap"]["data"]


def as_a_kubelet(pod, files, folder):
    """Returns the options of podman that give the container what the pod's specification gives it."""
    made = pod["containers"][0]
    security = {**pod["securityContext"], **made["securityContext"]}
    memory = made["resources"]["limits"]["memory"].removesuffix("i").lower()
    options = [f"--user={security['runAsUser']}:{security['runAsGroup']}", f"--memory={memory}"]
    options += [f"--cap-drop={name}" for name in security["capabilities"]["drop"]]
    if security["readOnlyRootFilesystem"]:
        options += ["--read-only", "--read-only-tmpfs=false"]
    if not security["allowPrivilegeEscalation"]:
        options.append("--security-opt=no-new-privileges")
    mounts = {mount["name"]: mount["mountPath"] for mount in made["volumeMounts"]}
    for volume in pod["volumes"]:
        path = mounts[volume["name"]]
        if "emptyDir" in volume:
            size = volume["emptyDir"]["sizeLimit"].removesuffix("i").lower()
            # The group of the volume's files is the pod's, and may write.
            options.append(f"--tmpfs={path}:rw,size={size},mode=0777")
        elif "configMap" in volume:
            source = folder / "config"
            source.mkdir(exist_ok=True)
            for name, text in files.items():
                (source / name).write_text(text)
            options.append(f"--volume={source}:{path}:ro")
        else:
            options.append(f"--volume={volume['hostPath']['path']}:{path}:ro")
    return options


class Image(unittest.TestCase):
    """What the image is."""

    def config(self):
        return json.loads(run(*PODMAN, "image", "inspect", IMAGE).stdout)[0]

    def test_it_is_small(self):
        size = self.config()["Size"]
        print(f"{IMAGE}: {size / 1e6:.1f} MB")
        self.assertLess(size, SIZE_LIMIT)

    def test_it_is_nobodys_and_has_labels(self):
        config = self.config()["Config"]
        self.assertEqual(config["User"], "65532:65532")
        self.assertEqual((config["Entrypoint"], config["Cmd"]), (["/pinfold"], ["run"]))
        for label in ("title", "description", "licenses", "source", "version", "revision", "created"):
            self.assertTrue(config["Labels"][f"org.opencontainers.image.{label}"], label)

    def test_there_is_no_shell(self):
        for program in ("/bin/sh", "/bin/bash", "/usr/bin/env"):
            result = run(*PODMAN, "run", "--rm", *LIMITS, f"--entrypoint={program}", IMAGE, "-c", "true", check=False)
            self.assertNotEqual(result.returncode, 0, program)

    def test_the_demo_runs_with_no_network(self):
        limits = ["--network=none", *LIMITS[1:]]
        result = run(*PODMAN, "run", "--rm", *limits, *LIKE_THE_CHART, IMAGE, "demo", "--once")
        self.assertIn("11 functions", result.stdout)


class Daemon(unittest.TestCase):
    """The daemon in one container, AWS in another."""

    def setUp(self):
        self.stack = contextlib.ExitStack()
        self.addCleanup(self.stack.close)
        self.folder = pathlib.Path(self.stack.enter_context(tempfile.TemporaryDirectory()))
        self.aws = f"http://127.0.0.1:{free_port()}"
        self.start("sandbox", "--listen", self.aws.removeprefix("http://"))
        wait_for("the sandbox serves", lambda: get(f"{self.aws}/_sandbox/health")[0] == 200)

    def start(self, *arguments, options=LIKE_THE_CHART):
        name = f"pinfold-{uuid.uuid4().hex[:8]}"
        run(*PODMAN, "run", "--detach", f"--name={name}", *LIMITS, *options, IMAGE, *arguments)
        self.stack.callback(run, *PODMAN, "rm", "--force", "--time=0", name, check=False)
        return name

    def call(self, service, method, path, body):
        """Calls the sandbox, which looks at the Region of a signature and never at the signature."""
        credential = f"test/20260101/us-east-1/{service}/aws4_request"
        request = urllib.request.Request(
            f"{self.aws}{path}",
            data=body if isinstance(body, bytes) else json.dumps(body).encode(),
            method=method,
            headers={"Authorization": f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature=0"},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            text = answer.read()
        return json.loads(text) if text.startswith(b"{") else text

    def seed(self):
        """One function on its first version, and the artifacts of two versions."""
        self.call("s3", "PUT", "/artifacts", b"")
        for version in ("1.0.0", "1.1.0"):
            archive = io.BytesIO()
            with zipfile.ZipFile(archive, "w") as made:
                made.writestr("index.js", f"// {version}\n")
            self.call("s3", "PUT", f"/artifacts/api/{version}.zip", archive.getvalue())
        self.call(
            "lambda", "POST", "/2015-03-31/functions",
            {
                "FunctionName": "api", "Runtime": "nodejs22.x", "Handler": "index.handler",
                "Role": "arn:aws:iam::000000000000:role/api", "Publish": True,
                "Code": {"S3Bucket": "artifacts", "S3Key": "api/1.0.0.zip"},
            },
        )  # fmt: skip

    def live(self):
        """Returns the Lambda version that the alias runs."""
        try:
            return self.call("lambda", "GET", "/2015-03-31/functions/api/aliases/live", b"")["FunctionVersion"]
        except urllib.error.HTTPError:
            return None

    def commit(self, repository, version):
        (repository / "prod").mkdir(parents=True, exist_ok=True)
        (repository / "prod" / "api.yaml").write_text(
            f'apiVersion: pinfold/v1\nkind: Function\nname: api\nversion: "{version}"\n'
            "artifact: s3://artifacts/api/{version}.zip\naliases:\n  live: {}\n"
        )
        git = ["git", "-C", str(repository), "-c", "user.name=test", "-c", "user.email=test@example.com"]
        run(*git, "init", "--quiet", "--initial-branch=main")
        run(*git, "add", ".")
        run(*git, "-c", "commit.gpgSign=false", "commit", "--quiet", "--message", version)

    def test_it_converges_answers_its_probes_and_stops(self):
        self.seed()
        repository = self.folder / "repository"
        self.commit(repository, "1.0.0")
        daemon = f"http://127.0.0.1:{free_port()}"
        pod, files = pod_of(
            {
                "config": {
                    "repository": {"url": "/repository"},
                    "targets": [
                        {"name": "prod", "path": "prod", "region": "us-east-1", "endpointUrl": self.aws}
                    ],
                    "schedule": {"git": "* * * * * *", "sweep": "0/5 * * * * *"},
                    "http": {"listen": daemon.replace("http://127.0.0.1", "0.0.0.0")},
                },
                "extraVolumes": [{"name": "repository", "hostPath": {"path": str(repository)}}],
                "extraVolumeMounts": [{"name": "repository", "mountPath": "/repository", "readOnly": True}],
            }
        )
        # The one thing that differs: the host's network is not the pod's own.
        files = {name: text.replace("0.0.0.0", "127.0.0.1") for name, text in files.items()}
        options = as_a_kubelet(pod, files, self.folder)
        # Others may read it: the image's user is none of this machine's.
        run("chmod", "-R", "a+rX", str(self.folder))
        started = time.monotonic()
        name = self.start(*pod["containers"][0]["args"], options=options)
        wait_for("it lives", lambda: get(f"{daemon}/livez")[0] == 200)
        wait_for("it is ready", lambda: get(f"{daemon}/readyz")[0] == 200)
        print(f"ready after {time.monotonic() - started:.1f} s")

        status = [*PODMAN, "exec", name, "/pinfold", "status", "--url", daemon]
        wait_for("live is in sync", lambda: run(*status, check=False).returncode == 0)
        self.assertEqual(self.live(), "1")

        self.commit(repository, "1.1.0")
        run("chmod", "-R", "a+rX", str(self.folder))
        merged = time.monotonic()
        wait_for("the bump is live", lambda: self.live() == "2")
        print(f"a bump was live {time.monotonic() - merged:.1f} s after its commit")
        wait_for("live is in sync again", lambda: run(*status, check=False).returncode == 0)
        self.assertIn("pinfold_function_ready", get(f"{daemon}/metrics")[1])

        # In the middle of a change: the step in hand is finished.
        self.commit(repository, "1.0.0")
        run("chmod", "-R", "a+rX", str(self.folder))
        time.sleep(1)
        stopped = time.monotonic()
        grace = pod["terminationGracePeriodSeconds"]
        run(*PODMAN, "stop", f"--time={grace}", name)
        took = time.monotonic() - stopped
        print(f"stopped after {took:.1f} s")
        state = json.loads(run(*PODMAN, "inspect", name).stdout)[0]["State"]
        logs = run(*PODMAN, "logs", name).stderr
        self.assertEqual(state["ExitCode"], 0, logs)
        self.assertLess(took, grace, logs)
        self.assertFalse(state["OOMKilled"])


class Authorities(unittest.TestCase):
    """Git's OpenSSL and AWS's rustls both trust the file that the image names, and nothing else."""

    @classmethod
    def setUpClass(cls):
        cls.stack = contextlib.ExitStack()
        cls.addClassCleanup(cls.stack.close)
        folder = pathlib.Path(cls.stack.enter_context(tempfile.TemporaryDirectory()))
        cls.authority = folder / "ca.pem"
        run(
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-days", "2", "-subj", "/CN=authority of the test", "-keyout", f"{folder}/ca.key", "-out",
            str(cls.authority),
        )  # fmt: skip
        run(
            "openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-subj", "/CN=127.0.0.1", "-keyout", f"{folder}/key.pem", "-out", f"{folder}/csr.pem",
        )  # fmt: skip
        (folder / "ext").write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
        run(
            "openssl", "x509", "-req", "-in", f"{folder}/csr.pem", "-CA", str(cls.authority), "-CAkey",
            f"{folder}/ca.key", "-CAcreateserial", "-days", "2", "-extfile", f"{folder}/ext", "-out",
            f"{folder}/cert.pem",
        )  # fmt: skip
        run("chmod", "-R", "a+rX", str(folder))
        cls.asked = []
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), cls.handler())
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(f"{folder}/cert.pem", f"{folder}/key.pem")
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        cls.stack.callback(server.server_close)
        cls.stack.callback(server.shutdown)
        cls.url = f"https://127.0.0.1:{server.server_port}"
        cls.folder = folder

    @classmethod
    def handler(cls):
        class Handler(http.server.BaseHTTPRequestHandler):
            """Answers 404 to everything and keeps what was asked: who got so far has trusted the certificate."""

            def do_GET(self):
                cls.asked.append(self.path)
                self.send_error(404)

            do_POST = do_HEAD = do_GET

            def log_message(self, *_):
                pass

        return Handler

    def asked_by(self, config, *arguments, trusted):
        """Returns what the server is asked by a plan, and what the plan prints."""
        self.asked.clear()
        (self.folder / "pinfold.yaml").write_text(json.dumps(config))
        options = [f"--volume={self.folder}:/test:ro"]
        if trusted:
            options.append(f"--volume={self.authority}:{AUTHORITIES}:ro")
        result = container("plan", "--config", "/test/pinfold.yaml", *arguments, options=options, check=False)
        return list(self.asked), result.stdout + result.stderr

    def test_git(self):
        config = {
            "repository": {"url": f"{self.url}/a/b.git", "cacheDir": "/tmp/cache"},
            "targets": [{"name": "prod", "path": "prod", "region": "us-east-1", "endpointUrl": "http://127.0.0.1:1"}],
        }
        asked, text = self.asked_by(config, trusted=False)
        self.assertEqual(asked, [], text)
        self.assertIn("certificate", text)
        asked, text = self.asked_by(config, trusted=True)
        self.assertIn("/a/b.git/info/refs?service=git-upload-pack", asked, text)

    def test_aws(self):
        tree = self.folder / "tree" / "prod"
        tree.mkdir(parents=True, exist_ok=True)
        (tree / "api.yaml").write_text(
            'apiVersion: pinfold/v1\nkind: Function\nname: api\nversion: "1"\nartifact: s3://artifacts/a.zip\n'
        )
        config = {
            "targets": [{"name": "prod", "path": "prod", "region": "us-east-1", "endpointUrl": self.url}],
        }
        asked, text = self.asked_by(config, "--source", "/test/tree", trusted=False)
        self.assertEqual(asked, [], text)
        asked, text = self.asked_by(config, "--source", "/test/tree", trusted=True)
        self.assertTrue([path for path in asked if path.startswith("/2015-03-31/functions")], text)


if __name__ == "__main__":
    unittest.main()
