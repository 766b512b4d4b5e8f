"""Pinfold on real Git servers, each started here on a free port of the loopback and stopped at the end.

Needs nginx with fcgiwrap, sshd, git and openssl, and the binary that PINFOLD names. `.ci/git` sees to all of them.
"""

import base64
import contextlib
import http.server
import json
import os
import pathlib
import select
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import threading
import time
import unittest

PINFOLD = os.environ["PINFOLD"]
BACKEND = "/usr/lib/git-core/git-http-backend"
TOKEN = "canary-token-7f3a"
# What a test that has failed already waits at the most, in seconds.
PATIENCE = 20
MANIFEST = 'apiVersion: pinfold/v1\nkind: Function\nname: api\nversion: "{}"\nartifact: s3://b/{{version}}.zip\n'


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def run(*command, **options):
    return subprocess.run([str(word) for word in command], check=True, capture_output=True, text=True, **options).stdout


def until(what, condition):
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"{what}: not within {PATIENCE} s")
        time.sleep(0.02)


def listens(port):
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


class Servers:
    """Everything that the tests talk to."""

    def __init__(self, folder):
        self.folder = folder
        # sshd changes its user, who has to get in here.
        folder.chmod(0o755)
        self.children = []
        self.environment = {
            "PATH": os.environ["PATH"], "HOME": str(folder), "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_AUTHOR_NAME": "A", "GIT_AUTHOR_EMAIL": "a@example.com",
            "GIT_COMMITTER_NAME": "A", "GIT_COMMITTER_EMAIL": "a@example.com",
        }  # fmt: skip
        self.work = folder / "work"
        self.bare = folder / "served" / "repo.git"
        self.bare.parent.mkdir()
        self.git("init", "--quiet", "--bare", "--initial-branch=main", self.bare, cwd=folder)
        self.git("config", "http.uploadpack", "true", cwd=self.bare)
        (self.bare / "git-daemon-export-ok").touch()
        self.git("init", "--quiet", "--initial-branch=main", self.work, cwd=folder)
        self.head = self.push("1.0.0")
        self.sandbox = self.start_sandbox()
        self.start_https()
        self.start_sshd()

    def start(self, *command, **options):
        child = subprocess.Popen([str(word) for word in command], **options)
        self.children.append(child)
        return child

    def stop(self):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.cgi.pid, signal.SIGTERM)
        for child in reversed(self.children):
            child.send_signal(signal.SIGTERM)
        for child in self.children:
            try:
                child.wait(5)
            except subprocess.TimeoutExpired:
                child.kill()

    def git(self, *arguments, cwd=None):
        return run("git", *arguments, cwd=cwd or self.work, env=self.environment)

    def push(self, version):
        (self.work / "prod").mkdir(exist_ok=True)
        (self.work / "prod" / "api.yaml").write_text(MANIFEST.format(version))
        self.git("add", ".")
        self.git("commit", "--quiet", "--message", version)
        self.git("push", "--quiet", "--force", self.bare, "main")
        return self.git("rev-parse", "HEAD").strip()

    def start_sandbox(self):
        child = self.start(PINFOLD, "sandbox", "--listen", "127.0.0.1:0", stdout=subprocess.PIPE, text=True)
        return child.stdout.readline().split()[-1]

    def start_https(self):
        tls = self.folder / "tls"
        tls.mkdir()
        self.ca = tls / "ca.pem"
        new = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
        run(*new, "-subj", "/CN=CA of the test", "-keyout", tls / "ca.key", "-out", self.ca)
        self.certificate(tls, "good", "IP:127.0.0.1,DNS:localhost,DNS:git.invalid,DNS:api.invalid", [])
        self.certificate(tls, "mismatch", "IP:127.0.0.9", [])
        self.certificate(tls, "expired", "IP:127.0.0.1", ["-not_before", "20200101000000Z", "-not_after", "20200102000000Z"])
        password = run("openssl", "passwd", "-apr1", TOKEN).strip()
        (self.folder / "users").write_text(f"x-access-token:{password}\nrobot:{password}\n")
        sock = self.folder / "cgi.sock"
        # Its workers outlive it, so it has a group of its own.
        self.cgi = self.start(
            "fcgiwrap", "-s", f"unix:{sock}", "-c", "2", start_new_session=True, stderr=subprocess.DEVNULL
        )
        until("fcgiwrap", sock.exists)
        (self.folder / "users-app").write_text("")
        names = ["good", "mismatch", "expired", "open", "app"]
        self.ports = {name: free_port() for name in names}
        self.ports["redirect"] = free_port()
        blocks = []
        for name in names:
            certificate = "good" if name in ("open", "app") else name
            users = "users-app" if name == "app" else "users"
            auth = "" if name == "open" else f'auth_basic "git"; auth_basic_user_file {self.folder}/{users};'
            blocks.append(f"""
              server {{
                listen 127.0.0.1:{self.ports[name]} ssl;
                ssl_certificate {tls}/{certificate}.pem; ssl_certificate_key {tls}/{certificate}.key;
                {auth}
                location / {{
                  fastcgi_pass unix:{sock};
                  fastcgi_param SCRIPT_FILENAME {BACKEND};
                  fastcgi_param GIT_PROJECT_ROOT {self.bare.parent};
                  fastcgi_param PATH_INFO $uri;
                  fastcgi_param QUERY_STRING $query_string;
                  fastcgi_param REQUEST_METHOD $request_method;
                  fastcgi_param CONTENT_TYPE $content_type;
                  fastcgi_param CONTENT_LENGTH $content_length;
                  fastcgi_param REMOTE_USER $remote_user;
                  fastcgi_param HTTP_GIT_PROTOCOL $http_git_protocol;
                  fastcgi_param HOME {self.folder};
                }}
              }}""")
        blocks.append(f"""
              server {{
                listen 127.0.0.1:{self.ports["redirect"]} ssl;
                ssl_certificate {tls}/good.pem; ssl_certificate_key {tls}/good.key;
                return 302 https://localhost:{self.ports["good"]}$request_uri;
              }}""")
        temporary = "".join(
            f"{kind}_temp_path {self.folder}/nginx-{kind}; " for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        self.log = self.folder / "access.log"
        (self.folder / "nginx.conf").write_text(f"""
            daemon off; pid {self.folder}/nginx.pid; user root; worker_processes 1; error_log {self.folder}/error.log;
            events {{ worker_connections 64; }}
            http {{ access_log {self.log}; {temporary} {"".join(blocks)} }}""")
        self.start("nginx", "-c", self.folder / "nginx.conf", "-e", self.folder / "error.log")
        until("nginx", lambda: listens(self.ports["good"]))

    def certificate(self, tls, name, names, dates):
        run("openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-subj", f"/CN={name}", "-keyout", tls / f"{name}.key", "-out", tls / f"{name}.csr")  # fmt: skip
        (tls / f"{name}.ext").write_text(f"subjectAltName={names}\n")
        if dates:
            # x509 signs from now on; ca signs for any time.
            (tls / "index").write_text("")
            (tls / "ca.conf").write_text(
                f"[ca]\ndefault_ca=c\n[c]\ndatabase={tls}/index\nnew_certs_dir={tls}\nrand_serial=yes\ndefault_md=sha256\n"
                "policy=p\n[p]\ncommonName=supplied\n"
            )
            run("openssl", "ca", "-batch", "-config", tls / "ca.conf", "-cert", self.ca, "-keyfile", tls / "ca.key",
                "-in", tls / f"{name}.csr", "-out", tls / f"{name}.pem", "-extfile", tls / f"{name}.ext",
                "-startdate", dates[1], "-enddate", dates[3], "-notext")  # fmt: skip
        else:
            run("openssl", "x509", "-req", "-in", tls / f"{name}.csr", "-CA", self.ca, "-CAkey", tls / "ca.key",
                "-CAcreateserial", "-days", "2", "-extfile", tls / f"{name}.ext", "-out", tls / f"{name}.pem")  # fmt: skip

    def start_sshd(self):
        ssh = self.folder / "ssh"
        ssh.mkdir()
        pathlib.Path("/run/sshd").mkdir(exist_ok=True)
        kinds = {"ed25519": ["ed25519"], "ecdsa": ["ecdsa", "-b", "256"], "rsa": ["rsa", "-b", "3072"]}
        self.keys = {}
        authorized = []
        for name, options in kinds.items():
            for role in ("host", "user"):
                run("ssh-keygen", "-q", "-t", *options, "-N", "", "-C", role, "-f", ssh / f"{role}-{name}")
            self.keys[name] = ssh / f"user-{name}"
            authorized.append((ssh / f"user-{name}.pub").read_text())
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "stranger", "-f", ssh / "stranger")
        (ssh / "authorized").write_text("".join(authorized))
        self.ssh = ssh
        self.ssh_ports = {}
        for name in kinds:
            port = self.ssh_ports[name] = free_port()
            (ssh / f"{name}.conf").write_text(
                f"Port {port}\nListenAddress 127.0.0.1\nHostKey {ssh}/host-{name}\nAuthorizedKeysFile {ssh}/authorized\n"
                f"PidFile {ssh}/{name}.pid\nUsePAM no\nStrictModes no\nPasswordAuthentication no\n"
                "KbdInteractiveAuthentication no\nPermitRootLogin yes\n"
            )
            self.start("/usr/sbin/sshd", "-D", "-e", "-f", ssh / f"{name}.conf", stderr=subprocess.DEVNULL)
            until(f"sshd with {name}", lambda port=port: listens(port))

    def known(self, name, host="127.0.0.1", marker="", key=None):
        public = (self.ssh / f"host-{key or name}.pub").read_text()
        return f"{marker}[{host}]:{self.ssh_ports[name]} {public}"


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.temporary.cleanup)
        cls.servers = Servers(pathlib.Path(cls.temporary.name))
        cls.addClassCleanup(cls.servers.stop)

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def file(self, name, text):
        path = self.folder / name
        path.write_text(text)
        return str(path)

    def plan(self, repository, environment=None):
        """Plans with a repository. Returns the exit code, the report where there is one, and what was said."""
        target = {"name": "prod", "path": "prod", "region": "us-east-1", "endpointUrl": self.servers.sandbox}
        config = self.file("pinfold.yaml", json.dumps({"repository": repository, "targets": [target]}))
        began = time.monotonic()
        done = subprocess.run(
            [PINFOLD, "plan", "--config", config, "--output", "json"],
            capture_output=True, text=True, timeout=120, check=False,
            env={"PATH": os.environ["PATH"], "HOME": str(self.folder)} | (environment or {}),
        )  # fmt: skip
        self.took = time.monotonic() - began
        said = done.stdout + done.stderr
        self.assertNotIn(TOKEN, said)
        self.assertNotIn(base64.b64encode(f"x-access-token:{TOKEN}".encode()).decode(), said)
        report = json.loads(done.stdout) if done.stdout.strip() else None
        return done.returncode, report, done.stderr

    def reads(self, repository, environment=None):
        code, report, said = self.plan(repository, environment)
        # The function is not there, which is the plan's affair.
        self.assertEqual(code, 1, said)
        self.assertEqual(report["revision"], self.servers.head)

    def refused(self, repository, *words, environment=None):
        code, _, said = self.plan(repository, environment)
        self.assertEqual(code, 2, said)
        for word in words:
            self.assertIn(word, said)
        return said

    def https(self, name="good", host="127.0.0.1", **more):
        auth = {"tokenFile": self.file("token", TOKEN + "\n")}
        url = f"https://{host}:{self.servers.ports[name]}/repo.git"
        return {"url": url, "auth": auth, "caFile": str(self.servers.ca)} | more

    def over_ssh(self, host_key, key, known, host="127.0.0.1"):
        return {
            "url": f"ssh://root@{host}:{self.servers.ssh_ports[host_key]}{self.servers.bare}",
            "auth": {"sshKeyFile": str(key), "knownHostsFile": self.file("known_hosts", known)},
        }


class Https(Case):
    def test_token(self):
        self.reads(self.https())

    def test_user_and_token(self):
        repository = self.https()
        repository["auth"]["usernameFile"] = self.file("user", "robot\n")
        self.reads(repository)

    def test_whole_history(self):
        self.reads(self.https(forcePush="refuse"))

    def test_an_unchanged_commit_is_not_fetched(self):
        cache = {"cacheDir": str(self.folder / "cache")}
        self.reads(self.https(**cache))
        before = self.servers.log.read_text().count("POST /repo.git/git-upload-pack")
        self.reads(self.https(**cache))
        self.assertEqual(self.servers.log.read_text().count("POST /repo.git/git-upload-pack"), before)
        shallow = list((self.folder / "cache").glob("*/mirror.git/shallow"))
        self.assertEqual(len(shallow), 1, "the head alone was fetched")

    def test_new_and_rewritten_heads(self):
        cache = {"cacheDir": str(self.folder / "cache")}
        self.reads(self.https(**cache))
        for change in ("1.0.1", "1.0.2"):
            self.servers.head = self.servers.push(change)
            self.reads(self.https(**cache))
        self.servers.git("reset", "--quiet", "--hard", "HEAD~1")
        self.servers.head = self.servers.push("1.1.0")
        self.reads(self.https(**cache))

    def test_wrong_token_is_offered_once(self):
        repository = self.https()
        repository["auth"]["tokenFile"] = self.file("wrong", "wrong")
        before = self.servers.log.read_text().count("x-access-token")
        self.refused(repository, "the server refused what is in")
        self.assertLessEqual(self.servers.log.read_text().count("x-access-token") - before, 1)

    def test_no_token(self):
        repository = self.https()
        del repository["auth"]
        self.refused(repository, "set repository.auth.tokenFile")

    def test_no_such_repository(self):
        repository = self.https()
        repository["url"] = repository["url"].replace("repo.git", "nothing.git")
        self.refused(repository, "no such repository")

    def test_no_such_branch(self):
        self.refused(self.https(branch="nowhere"), "no branch nowhere (there are main)")

    def test_unknown_authority(self):
        repository = self.https()
        del repository["caFile"]
        self.refused(repository, "repository.caFile")

    def test_certificates_that_do_not_hold(self):
        for name in ("mismatch", "expired"):
            with self.subTest(name):
                self.refused(self.https(name), "check the server's certificate")

    def test_redirect_is_not_followed(self):
        before = self.servers.log.read_text().count("x-access-token")
        self.refused(self.https("redirect"), "redirects are not followed")
        self.assertEqual(self.servers.log.read_text().count("x-access-token"), before, "no credential went anywhere")

    def test_nobody_there(self):
        repository = self.https()
        repository["url"] = f"https://127.0.0.1:{free_port()}/repo.git"
        self.refused(repository, "check the host, the port, the proxy")


class BehindProxy(Case):
    """Has a proxy at hand, which counts what it is asked."""

    # User and password, where it asks for them.
    CREDENTIALS = "us er:canary/proxy-81c5"

    def setUp(self):
        super().setUp()
        self.asked = []
        self.wants = None
        self.over_tls = None
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.addCleanup(self.listener.close)
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                threading.Thread(target=self.tunnel, args=(connection,), daemon=True).start()

    def tunnel(self, connection):
        with contextlib.suppress(OSError):
            if self.over_tls:
                connection = self.over_tls.wrap_socket(connection, server_side=True)
            while head := self.head(connection):
                self.asked.append(head)
                if self.wants and f"Proxy-Authorization: Basic {self.wants}\r\n" not in head:
                    answer = "407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=proxy"
                    connection.sendall(f"HTTP/1.1 {answer}\r\nContent-Length: 0\r\n\r\n".encode())
                    continue
                self.connect(connection, head)
                break
            connection.close()

    @staticmethod
    def head(connection):
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            byte = connection.recv(1)
            if not byte:
                return ""
            head += byte
        return head.decode()

    @staticmethod
    def connect(connection, head):
        host, port = head.split()[1].rsplit(":", 1)
        # What a proxy is for: the name means nothing to us.
        server = socket.create_connection(("127.0.0.1" if host.endswith(".invalid") else host, int(port)))
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        ends = {connection: server, server: connection}
        with contextlib.suppress(OSError):
            while True:
                for end in select.select(list(ends), [], [])[0]:
                    data = end.recv(65536)
                    if not data:
                        raise OSError
                    ends[end].sendall(data)
        server.close()


class Proxy(BehindProxy):
    def test_https_proxy(self):
        self.reads(self.https(host="localhost"), {"HTTPS_PROXY": self.url})
        self.assertTrue(self.asked and self.asked[0].startswith("CONNECT localhost:"), self.asked)

    def test_no_proxy(self):
        self.reads(self.https(host="localhost"), {"HTTPS_PROXY": self.url, "NO_PROXY": "localhost"})
        self.assertEqual(self.asked, [])

    def credentials(self, text):
        self.wants = base64.b64encode(self.CREDENTIALS.encode()).decode()
        return self.file("proxy-credentials", text + "\n")

    def test_a_proxy_of_the_configuration(self):
        past = {"HTTPS_PROXY": "http://127.0.0.1:9", "NO_PROXY": "*"}
        self.reads(self.https(host="git.invalid", proxy=self.url), past)
        self.assertTrue(self.asked and self.asked[0].startswith("CONNECT git.invalid:"), self.asked)

    def test_no_proxy_of_the_configuration(self):
        self.reads(self.https(host="localhost", proxy="none"), {"HTTPS_PROXY": self.url})
        self.assertEqual(self.asked, [])

    def test_credentials(self):
        file = self.credentials(self.CREDENTIALS)
        self.reads(self.https(host="git.invalid", proxy=self.url, proxyCredentialsFile=file))

    def test_credentials_of_the_environment(self):
        self.credentials("")
        self.reads(self.https(host="git.invalid"), {"HTTPS_PROXY": self.url.replace("//", "//us%20er:canary%2Fproxy-81c5@")})

    def test_credentials_that_the_proxy_does_not_take(self):
        file = self.credentials("us er:canary-other")
        said = self.refused(self.https(proxy=self.url, proxyCredentialsFile=file), "repository.proxyCredentialsFile")
        self.assertNotIn("canary", said)
        self.assertLessEqual(len(self.asked), 3, "they are offered once")
        self.refused(self.https(proxy=self.url), "repository.proxyCredentialsFile")

    def test_a_proxy_over_tls(self):
        tls = self.servers.folder / "tls"
        self.over_tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.over_tls.load_cert_chain(tls / "good.pem", tls / "good.key")
        self.reads(self.https(host="git.invalid", proxy=self.url.replace("http:", "https:")))

    def test_a_proxy_that_is_away(self):
        self.refused(self.https(proxy=f"http://127.0.0.1:{free_port()}"), "the proxy")


class GithubApp(BehindProxy):
    """A stand-in for GitHub's API makes tokens that nginx then asks for."""

    def setUp(self):
        super().setUp()
        self.key = self.folder / "key.pem"
        # As GitHub hands it out: `BEGIN RSA PRIVATE KEY`.
        run("openssl", "genrsa", "-traditional", "-out", self.key, "2048")
        run("openssl", "rsa", "-in", self.key, "-pubout", "-out", self.folder / "public.pem")
        self.requests = []
        self.tokens = []
        test = self

        class Api(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                test.requests.append((self.path, json.loads(body)))
                status, answer = test.answer(self.path, self.headers["Authorization"])
                text = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Api)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls = self.servers.folder / "tls"
        context.load_cert_chain(tls / "good.pem", tls / "good.key")
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        self.port = server.server_address[1]

    def answer(self, path, authorization):
        if not self.signed(authorization):
            return 401, {"message": "A JSON web token could not be decoded"}
        if path != "/api/v3/app/installations/42/access_tokens":
            return 404, {"message": "Not Found"}
        token = f"ghs_canary{os.urandom(15).hex()}"
        self.tokens.append(token)
        password = run("openssl", "passwd", "-apr1", token).strip()
        # nginx reads the file anew for each request.
        (self.servers.folder / "users-app").write_text(f"x-access-token:{password}\n")
        expires = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))
        return 201, {"token": token, "expires_at": expires}

    def signed(self, authorization):
        """Says whether the App signed this, as GitHub would judge it."""
        kind, jwt = authorization.split()
        head, claims, signature = jwt.split(".")
        bare = lambda part: base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))  # noqa: E731
        (self.folder / "signature").write_bytes(bare(signature))
        (self.folder / "signed").write_text(f"{head}.{claims}")
        verify = ["openssl", "dgst", "-sha256", "-verify", self.folder / "public.pem", "-signature", self.folder / "signature"]
        done = subprocess.run([*verify, self.folder / "signed"], capture_output=True, check=False)
        claims, now = json.loads(bare(claims)), time.time()
        in_time = claims["iat"] <= now < claims["exp"] <= now + 600
        return kind == "Bearer" and claims["iss"] == "123456" and in_time and done.returncode == 0

    def app(self, host="127.0.0.1", api="127.0.0.1", **more):
        app = {"appId": 123456, "installationId": 42, "privateKeyFile": str(self.key)}
        repository = self.https("app", host)
        repository["auth"] = {"githubApp": app | {"apiUrl": f"https://{api}:{self.port}/api/v3"} | more}
        return repository

    def tearDown(self):
        for token in self.tokens:
            self.assertNotIn(token, self.said)

    def plan(self, repository, environment=None):
        code, report, self.said = super().plan(repository, environment)
        self.assertNotIn("eyJ", self.said, "no JWT is shown")
        self.assertNotIn(self.key.read_text().splitlines()[1], self.said)
        return code, report, self.said

    def test_a_token_is_made_once_for_all(self):
        self.reads(self.app())
        wants = {"repositories": ["repo"], "permissions": {"contents": "read"}}
        self.assertEqual(self.requests, [("/api/v3/app/installations/42/access_tokens", wants)])

    def test_no_token_is_made_where_everybody_may_read(self):
        repository = self.app()
        repository["url"] = f"https://127.0.0.1:{self.servers.ports['open']}/repo.git"
        self.reads(repository)
        self.assertEqual(self.requests, [])

    def test_the_api_is_behind_the_proxy_too(self):
        self.reads(self.app("git.invalid", "api.invalid") | {"proxy": self.url})
        hosts = {head.split()[1].split(":")[0] for head in self.asked}
        self.assertEqual(hosts, {"git.invalid", "api.invalid"})

    def test_a_key_of_somebody_else(self):
        run("openssl", "genrsa", "-out", self.key, "2048")
        said = self.refused(self.app(), "A JSON web token could not be decoded", "is the private key one of this App's?")
        self.assertIn(f"ask https://127.0.0.1:{self.port}/api/v3 for a token", said)

    def test_another_installation(self):
        self.refused(self.app(installationId=43), "check repository.auth.githubApp.installationId")

    def test_no_key_at_all(self):
        self.key.write_text("-----BEGIN RSA PRIVATE KEY-----\nhunter2\n-----END RSA PRIVATE KEY-----\n")
        self.refused(self.app(), "is not an RSA private key in PEM", "githubApp.privateKeyFile")

    def test_an_authority_that_is_not_known(self):
        repository = self.app() | {"url": f"http://127.0.0.1:{self.asks_for_a_token()}/repo.git"}
        del repository["caFile"]
        self.refused(repository, "the server's certificate is not trusted", "repository.caFile")

    def test_a_silent_api(self):
        silent = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(silent.close)
        api = f"https://127.0.0.1:{silent.getsockname()[1]}"
        said = self.refused(self.app(apiUrl=api) | {"timeout": "3s"}, "no answer within 3s")
        self.assertIn(f"ask {api} for a token", said)
        self.assertLess(self.took, 10)

    def asks_for_a_token(self):
        class Git(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(401)
                self.send_header("WWW-Authenticate", "Basic realm=git")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Git)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return server.server_address[1]


class Ssh(Case):
    def test_each_kind_of_key(self):
        for kind, key in self.servers.keys.items():
            with self.subTest(kind):
                self.reads(self.over_ssh(kind, key, self.servers.known(kind)))

    def test_hashed_host(self):
        repository = self.over_ssh("ed25519", self.servers.keys["ed25519"], self.servers.known("ed25519"))
        run("ssh-keygen", "-H", "-f", repository["auth"]["knownHostsFile"])
        self.assertIn("|1|", pathlib.Path(repository["auth"]["knownHostsFile"]).read_text())
        self.reads(repository)

    def test_host_keys_that_are_not_to_be_trusted(self):
        servers = self.servers
        print_of = run("ssh-keygen", "-lf", servers.ssh / "host-ed25519.pub").split()[1]
        for known, word in [
            ("", "has none for it"),
            (servers.known("ed25519", host="other.example"), "has none for it"),
            (servers.known("ed25519", key="ecdsa"), "has another for it"),
            (servers.known("ed25519") + servers.known("ed25519", marker="@revoked "), "marks as revoked"),
        ]:
            with self.subTest(word):
                repository = self.over_ssh("ed25519", servers.keys["ed25519"], known)
                self.refused(repository, word, print_of)

    def test_a_key_that_the_server_does_not_know(self):
        repository = self.over_ssh("ed25519", self.servers.ssh / "stranger", self.servers.known("ed25519"))
        self.refused(repository, "the server refused what is in")

    def test_no_such_repository(self):
        repository = self.over_ssh("ed25519", self.servers.keys["ed25519"], self.servers.known("ed25519"))
        repository["url"] += "-not"
        self.refused(repository, "no such repository")


class Here(Case):
    def test_path_and_file_url(self):
        for url in (str(self.servers.bare), f"file://{self.servers.bare}"):
            with self.subTest(url):
                self.reads({"url": url})


class Hostile(Case):
    def server(self, manner):
        listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listener.close)

        def serve():
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    threading.Thread(target=manner, args=(connection,), daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        return f"127.0.0.1:{listener.getsockname()[1]}"

    def costs_one_timeout(self, url, **more):
        self.refused({"url": url, "timeout": "2s"} | more, "no answer within 2s")
        self.assertLess(self.took, 10)

    @staticmethod
    def silent(connection):
        while connection.recv(1024):
            pass

    @staticmethod
    def drip(first):
        def manner(connection):
            with contextlib.suppress(OSError):
                connection.sendall(first)
                while True:
                    connection.sendall(b"x")
                    time.sleep(0.2)

        return manner

    def test_silent(self):
        address = self.server(self.silent)
        self.costs_one_timeout(f"http://{address}/r.git")
        self.costs_one_timeout(f"https://{address}/r.git")
        auth = {"sshKeyFile": str(self.servers.keys["rsa"]), "knownHostsFile": self.file("known", "")}
        self.costs_one_timeout(f"ssh://git@{address}/r.git", auth=auth)

    def test_dripping(self):
        head = (
            b"HTTP/1.1 200 OK\r\nContent-Type: application/x-git-upload-pack-advertisement\r\n"
            b"Content-Length: 100000\r\n\r\n0fff"
        )
        self.costs_one_timeout(f"http://{self.server(self.drip(head))}/r.git")

    def test_endless_advertisement(self):
        def flood(connection):
            with contextlib.suppress(OSError):
                connection.recv(4096)
                connection.sendall(
                    b"HTTP/1.1 200 OK\r\nContent-Type: application/x-git-upload-pack-advertisement\r\n"
                    b"Content-Length: 999999999999\r\n\r\n001e# service=git-upload-pack\n0000"
                )
                number = 0
                while True:
                    lines = []
                    for _ in range(1000):
                        number += 1
                        line = f"{'1' * 40} refs/heads/{number:020}-{'x' * 200}\n"
                        lines.append(f"{len(line) + 4:04x}{line}")
                    connection.sendall("".join(lines).encode())

        code, _, said = self.plan({"url": f"http://{self.server(flood)}/r.git", "timeout": "20s"})
        self.assertEqual(code, 2, said)
        self.assertLess(self.took, 40)


class Signed(Case):
    def test_a_commit_signed_by_git_itself(self):
        servers = self.servers
        signed = shutil.copytree(servers.bare, self.folder / "signed.git")
        key = servers.keys["ed25519"]
        commit = servers.git("-c", "gpg.format=ssh", "-c", f"user.signingKey={key}", "commit-tree", "-S", "-m", "signed",
                             "HEAD^{tree}").strip()  # fmt: skip
        servers.git("push", "--quiet", "--force", signed, f"{commit}:refs/heads/main")
        signers = self.file("signers", f'me@example.com namespaces="git" {key.with_suffix(".pub").read_text()}')
        repository = {"url": str(signed), "verify": {"allowedSignersFile": signers}}
        code, report, said = self.plan(repository)
        self.assertEqual((code, report and report["revision"]), (1, commit), said)
        servers.git("push", "--quiet", "--force", signed, "main")
        self.refused(repository, "the commit may not speak: it is not signed")


if __name__ == "__main__":
    unittest.main(warnings="ignore")
