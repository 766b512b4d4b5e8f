//! A small Git server over HTTP, so that fetches are tested without a network, a git program or a fixed port.
//!
//! It speaks the oldest dialect (gitprotocol-pack): every reference is advertised, every pack is whole.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use git2::{Buf, Oid, Repository};

use crate::memory::swollen;

/// What the server does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    Well,
    Down,
    /// Sends half of each pack.
    Truncating,
    /// Adds to each pack what unfolds to all the memory that there is.
    Swollen,
}

/// A server, and how to make it misbehave.
pub(crate) struct Server {
    pub(crate) url: String,
    manner: Arc<AtomicUsize>,
    packs: Arc<AtomicUsize>,
    /// What `Authorization` has to be, where it has to be anything.
    asks_for: Arc<Mutex<Option<String>>>,
    /// Whoever says this in `Authorization` is answered with that status.
    turns_away: Arc<Mutex<Option<(String, &'static str)>>>,
}

impl Server {
    /// Serves the repository in this folder, for as long as the process lives.
    pub(crate) fn start(repository: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Self {
            url: format!("http://{}/repo.git", listener.local_addr().unwrap()),
            manner: Arc::new(AtomicUsize::new(0)),
            packs: Arc::new(AtomicUsize::new(0)),
            asks_for: Arc::default(),
            turns_away: Arc::default(),
        };
        let (manner, packs, repository) = (server.manner.clone(), server.packs.clone(), repository.to_owned());
        let (asks_for, turns_away) = (server.asks_for.clone(), server.turns_away.clone());
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let manner = match manner.load(Ordering::SeqCst) {
                    0 => Manner::Well,
                    1 => Manner::Down,
                    2 => Manner::Truncating,
                    _ => Manner::Swollen,
                };
                let asked = asks_for.lock().unwrap().clone();
                let turned_away = turns_away.lock().unwrap().clone();
                let door = (asked.as_deref(), turned_away);
                answer(stream, Path::new(&repository), manner, door, &packs);
            }
        });
        server
    }

    pub(crate) fn be(&self, manner: Manner) {
        self.manner.store(manner as usize, Ordering::SeqCst);
    }

    /// Lets nobody in but with this token, from now on.
    pub(crate) fn ask_for(&self, token: &str) {
        *self.asks_for.lock().unwrap() = Some(authorization(token));
    }

    /// Takes this token, and answers with a status to whoever has it, from now on.
    pub(crate) fn turn_away(&self, token: &str, status: &'static str) {
        *self.turns_away.lock().unwrap() = Some((authorization(token), status));
    }

    /// How many packs were sent.
    pub(crate) fn packs(&self) -> usize {
        self.packs.load(Ordering::SeqCst)
    }
}

fn authorization(token: &str) -> String {
    let credentials = STANDARD.encode(format!("x-access-token:{token}"));
    format!("Authorization: Basic {credentials}\r\n")
}

/// What `Authorization` has to be, and what it is turned away for.
type Door<'a> = (Option<&'a str>, Option<(String, &'static str)>);

fn answer(mut stream: TcpStream, repository: &Path, manner: Manner, door: Door<'_>, packs: &AtomicUsize) {
    let (asked, turned_away) = door;
    let Some((head, body)) = request(&mut stream) else {
        return;
    };
    if manner == Manner::Down {
        respond(&mut stream, "503 Service Unavailable", "text/plain", b"");
        return;
    }
    if let Some((_, status)) = turned_away.filter(|(said, _)| head.contains(said)) {
        respond(&mut stream, status, "text/plain", b"");
        return;
    }
    if asked.is_some_and(|asked| !head.contains(asked)) {
        respond(
            &mut stream,
            "401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"x\"",
            "text/plain",
            b"",
        );
        return;
    }
    let repository = Repository::open_bare(repository).unwrap();
    if head.starts_with("GET /repo.git/info/refs?service=git-upload-pack ") {
        let kind = "application/x-git-upload-pack-advertisement";
        respond(&mut stream, "200 OK", kind, advertisement(&repository).as_bytes());
    } else if head.starts_with("POST /repo.git/git-upload-pack ") {
        let mut response = b"0008NAK\n".to_vec();
        if body.contains("done") {
            packs.fetch_add(1, Ordering::SeqCst);
            let pack = pack(&repository, &body);
            response.extend(if manner == Manner::Swollen {
                swollen(&pack)
            } else {
                pack
            });
            if manner == Manner::Truncating {
                response.truncate(response.len() / 2);
            }
        }
        respond(&mut stream, "200 OK", "application/x-git-upload-pack-result", &response);
    } else {
        respond(&mut stream, "404 Not Found", "text/plain", b"");
    }
}

/// Reads a request: its head, and its body.
pub(crate) fn request(stream: &mut TcpStream) -> Option<(String, String)> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).ok()?;
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.parse().ok())?
    });
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).ok()?;
    Some((head, String::from_utf8_lossy(&body).into_owned()))
}

pub(crate) fn respond(stream: &mut TcpStream, status: &str, kind: &str, body: &[u8]) {
    let length = body.len();
    let head =
        format!("HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
    stream
        .write_all(head.as_bytes())
        .and_then(|()| stream.write_all(body))
        .ok();
}

fn line(text: &str) -> String {
    format!("{:04x}{text}", text.len() + 4)
}

fn advertisement(repository: &Repository) -> String {
    let mut text = line("# service=git-upload-pack\n") + "0000";
    let mut features = "\0agent=test";
    for reference in repository.references_glob("refs/heads/*").unwrap().flatten() {
        text += &line(&format!(
            "{} {}{features}\n",
            reference.target().unwrap(),
            reference.name().unwrap()
        ));
        features = "";
    }
    if !features.is_empty() {
        text += &line(&format!("{} capabilities^{{}}{features}\n", Oid::ZERO_SHA1));
    }
    write!(text, "0000").unwrap();
    text
}

/// Packs everything that the wanted commits reach.
fn pack(repository: &Repository, body: &str) -> Vec<u8> {
    let mut walk = repository.revwalk().unwrap();
    for (at, _) in body.match_indices("want ") {
        walk.push(Oid::from_str(&body[at + 5..at + 45]).unwrap()).unwrap();
    }
    let mut builder = repository.packbuilder().unwrap();
    builder.insert_walk(&mut walk).unwrap();
    let mut pack = Buf::new();
    builder.write_buf(&mut pack).unwrap();
    pack.to_vec()
}
