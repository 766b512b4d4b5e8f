//! How the sandbox does with a large account: starts `pinfold sandbox` from a saved state of 10,000 functions with 3 versions
//! each, and says how long that took, how many GetFunction calls it answers in a second, and how much memory it has.
//!
//! `cargo build --release && cargo run --release --example sandbox_scale`
//!
//! It measures the built binary from outside, over HTTP, on the machine's own cores, which the client here shares.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use pinfold::sandbox::{Code, NewFunction, Options, Sandbox, package};

const FUNCTIONS: usize = 10_000;
const VERSIONS: usize = 3;

/// How long GetFunction is called.
const MEASURED: Duration = Duration::from_secs(5);
/// Connections that call side by side.
const CONNECTIONS: usize = 4;

fn main() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let state = folder.path().join("state.json");
    let bytes = write_state(&state)?;
    say(&format!(
        "state            {FUNCTIONS} functions, {VERSIONS} versions each, {:.1} MiB of JSON",
        mib(bytes)
    ))?;
    let mut server = Server::start(&state)?;
    say(&format!(
        "ready            {:.2} s after the start",
        server.ready.as_secs_f64()
    ))?;
    say(&format!("memory, ready    {}", server.memory()?))?;
    let calls = measure(server.address)?;
    let rate = calls / usize::try_from(MEASURED.as_secs())?;
    say(&format!(
        "GetFunction      {rate} calls a second over {CONNECTIONS} connections"
    ))?;
    say(&format!("memory, after    {}", server.memory()?))
}

fn say(line: &str) -> anyhow::Result<()> {
    Ok(writeln!(std::io::stdout(), "{line}")?)
}

#[expect(clippy::cast_precision_loss, reason = "megabytes for people")]
fn mib(bytes: usize) -> f64 {
    bytes as f64 / 1024.0 / 1024.0
}

fn name(function: usize) -> String {
    format!("function-{function:05}")
}

/// Deploys everything in a sandbox of this process and writes its state. Returns how large that is.
fn write_state(file: &Path) -> anyhow::Result<usize> {
    let sandbox = Sandbox::new(Options::default());
    let place = sandbox.place("us-east-1");
    for function in 0..FUNCTIONS {
        let name = name(function);
        for version in 1..=VERSIONS {
            let text = format!("exports.handler = async () => '{name} {version}';\n");
            let code = Code::zip(package([("index.js", text)]));
            if version == 1 {
                place.create_function(NewFunction::new(&name, code))?;
            } else {
                place.update_code(&name, &code)?;
            }
            place.publish(&name)?;
        }
        place.create_alias(&name, "live", u64::try_from(VERSIONS)?)?;
    }
    let json = serde_json::to_vec(&sandbox.save())?;
    std::fs::write(file, &json)?;
    Ok(json.len())
}

/// `pinfold sandbox` as a process.
struct Server {
    child: Child,
    address: SocketAddr,
    ready: Duration,
}

impl Drop for Server {
    fn drop(&mut self) {
        // Nothing is to be saved, and where it has ended by itself there is nothing to kill.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    fn start(state: &Path) -> anyhow::Result<Self> {
        let example = std::env::current_exe()?;
        let built = example.parent().and_then(Path::parent).context("no folder")?;
        let began = Instant::now();
        let mut child = Command::new(built.join("pinfold"))
            .args(["sandbox", "--listen", "127.0.0.1:0", "--load"])
            .arg(state)
            .stdout(Stdio::piped())
            .spawn()
            .context("no binary pinfold beside the examples: build it first, in the same profile")?;
        let mut line = String::new();
        let out = child.stdout.as_mut().context("no standard output")?;
        BufReader::new(out).read_line(&mut line)?;
        let address = line
            .trim()
            .strip_prefix("listening on http://")
            .context("it does not listen")?;
        let address = address.parse()?;
        get_function(&mut BufReader::new(TcpStream::connect(address)?), 0)?;
        Ok(Self {
            child,
            address,
            ready: began.elapsed(),
        })
    }

    /// What the process holds now and held at the most, as Linux counts it.
    fn memory(&mut self) -> anyhow::Result<String> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let of = |key: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(key)).unwrap_or("?");
            line.trim().to_owned()
        };
        Ok(format!("{} resident, {} at the most", of("VmRSS:"), of("VmHWM:")))
    }
}

/// Calls GetFunction on every connection until the time is over. Returns how often.
fn measure(address: SocketAddr) -> anyhow::Result<usize> {
    let callers: Vec<_> = (0..CONNECTIONS)
        .map(|caller| {
            std::thread::spawn(move || -> anyhow::Result<usize> {
                let stream = TcpStream::connect(address)?;
                stream.set_nodelay(true)?;
                let mut stream = BufReader::new(stream);
                let (began, mut calls) = (Instant::now(), 0);
                while began.elapsed() < MEASURED {
                    // A stride that is prime to the number of functions goes through all of them.
                    get_function(&mut stream, (caller + calls * 7919) % FUNCTIONS)?;
                    calls += 1;
                }
                Ok(calls)
            })
        })
        .collect();
    let mut calls = 0;
    for caller in callers {
        match caller.join() {
            Ok(made) => calls += made?,
            Err(_) => bail!("a caller panicked"),
        }
    }
    Ok(calls)
}

fn get_function(stream: &mut BufReader<TcpStream>, function: usize) -> anyhow::Result<()> {
    let name = name(function);
    let request = format!(
        "GET /2015-03-31/functions/{name} HTTP/1.1\r\nhost: localhost\r\nauthorization: AWS4-HMAC-SHA256 \
         Credential=test/20260101/us-east-1/lambda/aws4_request, SignedHeaders=host, Signature=0\r\n\r\n"
    );
    stream.get_mut().write_all(request.as_bytes())?;
    let (mut length, mut line) = (0, String::new());
    stream.read_line(&mut line)?;
    ensure!(line.starts_with("HTTP/1.1 200"), "{name}: {line}");
    loop {
        line.clear();
        stream.read_line(&mut line)?;
        let header = line.trim_end().to_ascii_lowercase();
        if header.is_empty() {
            break;
        }
        if let Some(value) = header.strip_prefix("content-length:") {
            length = value.trim().parse()?;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    ensure!(
        String::from_utf8_lossy(&body).contains(&name),
        "{name}: another function came"
    );
    Ok(())
}
