//! Runs the binary as a user without any settings would, and takes down what it prints and how it ends.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitStatus, Stdio};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use serde_json::Value;
use tempfile::TempDir;

/// A home folder, and the environment that goes with it.
pub(crate) struct Home {
    folder: TempDir,
    variables: Vec<(String, String)>,
    program: PathBuf,
}

/// What a command came to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Home {
    pub(crate) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            variables: Vec::new(),
            program: env!("CARGO_BIN_EXE_pinfold").into(),
        }
    }

    /// Adds a variable to the environment.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// From now on runs a copy of the binary in the home folder. Returns where that is.
    pub(crate) fn copy_program(&mut self) -> PathBuf {
        let copy = self.path().join("pinfold");
        std::fs::copy(&self.program, &copy).unwrap();
        self.program.clone_from(&copy);
        copy
    }

    pub(crate) fn path(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// Writes a file. The commands run in the home folder, so that they can name it by the same path.
    pub(crate) fn file(&self, path: &str, text: &str) -> &Self {
        let path = self.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        self
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(arguments)
            .env_clear()
            .env("HOME", self.path())
            .envs(self.variables.iter().cloned())
            .current_dir(self.path())
            .stdin(Stdio::null());
        command
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Outcome {
        let output = self.command(arguments).output().unwrap();
        let text = |bytes: &[u8]| {
            let text = String::from_utf8(bytes.to_vec()).unwrap();
            text.replace(self.path().to_str().unwrap(), "HOME")
        };
        Outcome {
            code: output.status.code().unwrap(),
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
        }
    }

    /// Runs a command to its end with a terminal for its standard error. Returns what was shown there, too.
    pub(crate) fn run_on_a_terminal(&self, arguments: &[&str]) -> Outcome {
        let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&terminal).unwrap();
        unlockpt(&terminal).unwrap();
        let size = Winsize {
            ws_row: 24,
            ws_col: 120,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&terminal, size).unwrap();
        let name = ptsname(&terminal, Vec::new()).unwrap().into_string().unwrap();
        let other_end = File::options().read(true).write(true).open(name).unwrap();
        let child = self
            .command(arguments)
            .env("TERM", "xterm")
            .stdout(Stdio::piped())
            .stderr(other_end)
            .spawn()
            .unwrap();
        let mut shown = Vec::new();
        let mut bytes = [0; 4096];
        // Linux answers with an error when nobody holds the other end any more.
        let mut terminal = File::from(terminal);
        while let Ok(read @ 1..) = terminal.read(&mut bytes) {
            shown.extend_from_slice(&bytes[..read]);
        }
        let output = child.wait_with_output().unwrap();
        Outcome {
            code: output.status.code().unwrap(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(shown).unwrap(),
        }
    }

    /// Starts a command that stays.
    pub(crate) fn start(&self, arguments: &[&str]) -> Running {
        let mut child = self
            .command(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Running {
            stdout: BufReader::new(child.stdout.take().unwrap()),
            stderr: BufReader::new(child.stderr.take().unwrap()),
            child,
        }
    }
}

impl Outcome {
    /// Returns standard output as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }
}

/// A command that stays. It is ended with the test.
pub(crate) struct Running {
    child: Child,
    stdout: BufReader<ChildStdout>,
    stderr: BufReader<ChildStderr>,
}

impl Running {
    /// Returns the next line on standard output.
    pub(crate) fn stdout_line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        line
    }

    /// Reads standard error up to the line that has these words, and returns it.
    pub(crate) fn stderr_until(&mut self, words: &str) -> String {
        let mut before = String::new();
        loop {
            let mut line = String::new();
            assert_ne!(self.stderr.read_line(&mut line).unwrap(), 0, "it ended: {before}");
            if line.contains(words) {
                return line;
            }
            before.push_str(&line);
        }
    }

    /// Asks it to read its configuration anew.
    pub(crate) fn hang_up(&self) {
        let id = self.child.id().to_string();
        let kill = Command::new("kill").args(["-HUP", &id]).status().unwrap();
        assert!(kill.success());
    }

    /// Asks it to end, as `kill` and every supervisor do. Returns how it ended and what else it printed.
    pub(crate) fn terminate(mut self) -> (ExitStatus, String) {
        let kill = Command::new("kill").arg(self.child.id().to_string()).status().unwrap();
        assert!(kill.success());
        let mut rest = String::new();
        self.stderr.read_to_string(&mut rest).unwrap();
        (self.child.wait().unwrap(), rest)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns the URL at the end of a line.
pub(crate) fn url(line: &str) -> String {
    let start = line.find("http://").unwrap_or_else(|| panic!("no URL in {line:?}"));
    line[start..].trim_end().to_owned()
}

/// Makes an HTTP request. Returns the status and the body.
pub(crate) fn http(method: &str, url: &str, body: &str) -> (u16, String) {
    http_with(method, url, "", body)
}

/// The same with more headers, each a line.
pub(crate) fn http_with(method: &str, url: &str, headers: &str, body: &str) -> (u16, String) {
    let rest = url.strip_prefix("http://").unwrap();
    let (host, path) = rest.split_once('/').unwrap();
    let mut stream = TcpStream::connect(host).unwrap();
    // HTTP/1.0, so that the body comes whole and the connection is closed behind it.
    let head = format!(
        "{method} /{path} HTTP/1.0\r\nHost: {host}\r\nContent-Length: {}\r\n{headers}\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(body.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, body.to_owned())
}
