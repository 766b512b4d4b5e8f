//! Looks up artifacts: does the object exist, and which SHA-256 do its bytes have. Never writes, never keeps bytes.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumMode, ChecksumType};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_smithy_types::retry::RetryConfig;
use sha2::{Digest as _, Sha256};

use super::aws::{Attempts, Connection, one_line, port_error};
use crate::domain::{self, ArtifactFailure, ArtifactFailureKind, CodeSha256, Resolution, S3Location, VerifiedObject};
use crate::ports::{Artifacts, PortError, PortErrorKind};
use crate::telemetry::Telemetry;

/// Bytes of the largest object that is read to be hashed. Lambda takes at most 250 MB unzipped, so a zip beyond it
/// could not run anyway.
const LARGEST: u64 = 250 * 1024 * 1024;

/// Longest time for reading one object. The largest is through in it at a megabyte a second; a body that only drips must
/// not keep a pass from ending.
const LONGEST_READ: Duration = Duration::from_mins(5);

/// Hashes remembered at the most. Each takes some 200 bytes; when it is full it begins anew.
const REMEMBERED: usize = 50_000;

/// What a hash was computed from: bucket, key, object version, ETag.
type Fingerprint = (String, String, Option<String>, Option<String>);

/// The artifacts of one target.
pub struct S3Artifacts {
    client: Client,
    /// Hashes that were computed by reading the object.
    hashes: Mutex<BTreeMap<Fingerprint, CodeSha256>>,
}

impl S3Artifacts {
    /// Builds a reader on a connection.
    pub fn new(connection: &Connection, telemetry: &Telemetry) -> Self {
        let mut config = aws_sdk_s3::config::Builder::from(&connection.sdk)
            .http_client(connection.http.clone())
            .retry_config(RetryConfig::standard())
            .interceptor(Attempts::new("s3", telemetry.clone()));
        if let Some(url) = &connection.s3_endpoint {
            config = config.endpoint_url(url.as_str()).force_path_style(url.is_local_or_ip());
        }
        Self {
            client: Client::from_conf(config.build()),
            hashes: Mutex::default(),
        }
    }

    async fn head(&self, location: &S3Location) -> Result<HeadObjectOutput, ArtifactFailure> {
        let answer = self
            .client
            .head_object()
            .bucket(&location.bucket)
            .key(&location.key)
            .set_version_id(location.object_version.clone())
            .checksum_mode(ChecksumMode::Enabled)
            .send()
            .await;
        let error = match answer {
            Ok(head) => return Ok(head),
            Err(error) => error,
        };
        let told = error.raw_response().map(|response| response.status().as_u16());
        let named = port_error(format!("HeadObject {location}"), &error);
        match told {
            Some(301..=399 | 400..=403 | 405..=428) => Err(self.why(location, &named).await),
            Some(_) | None => Err(failure(location, &named)),
        }
    }

    /// Asks for the first byte of an object whose head was refused. S3 gives no reason with the answer to HEAD: 400 may
    /// be an object version that it does not know or a token that has expired, 403 a clock that is wrong.
    async fn why(&self, location: &S3Location, head: &PortError) -> ArtifactFailure {
        let answer = self
            .client
            .get_object()
            .bucket(&location.bucket)
            .key(&location.key)
            .set_version_id(location.object_version.clone())
            .range("bytes=0-0")
            .send()
            .await;
        match answer {
            Err(error) if error.as_service_error().is_some_and(|error| error.code().is_some()) => {
                // What a malformed or foreign version id is answered with.
                let is_of_the_version = error.as_service_error().and_then(ProvideErrorMetadata::code)
                    == Some("InvalidArgument")
                    && location.object_version.is_some();
                if is_of_the_version {
                    not_found(format!(
                        "S3 does not know {location}: correct `objectVersion`, or leave it out"
                    ))
                } else {
                    failure(location, &port_error(format!("GetObject {location}"), &error))
                }
            }
            Ok(_) | Err(_) => failure(location, head),
        }
    }

    /// Reads the object once and hashes it, chunk by chunk.
    async fn read(&self, location: &S3Location, e_tag: Option<&str>) -> Result<CodeSha256, ArtifactFailure> {
        let object = self
            .client
            .get_object()
            .bucket(&location.bucket)
            .key(&location.key)
            .set_version_id(location.object_version.clone())
            .set_if_match(e_tag.map(str::to_owned))
            .send()
            .await
            .map_err(|error| failure(location, &port_error(format!("GetObject {location}"), &error)))?;
        hash_of(object.body, location).await
    }

    async fn hash(&self, location: &S3Location, head: &HeadObjectOutput) -> Result<CodeSha256, ArtifactFailure> {
        if let Some(sha256) = full_object_sha256(head) {
            return Ok(sha256);
        }
        let fingerprint: Fingerprint = (
            location.bucket.clone(),
            location.key.clone(),
            location.object_version.clone(),
            head.e_tag().map(str::to_owned),
        );
        // Without version and ETag nothing tells the bytes from others at the same key.
        let is_lasting = fingerprint.2.is_some() || fingerprint.3.is_some();
        if let Some(sha256) = self.lock().get(&fingerprint) {
            return Ok(*sha256);
        }
        if head
            .content_length()
            .and_then(|length| u64::try_from(length).ok())
            .is_some_and(|length| length > LARGEST)
        {
            return Err(too_large(location));
        }
        let sha256 = self.read(location, head.e_tag()).await?;
        if !is_lasting {
            return Ok(sha256);
        }
        let mut hashes = self.lock();
        if hashes.len() >= REMEMBERED {
            hashes.clear();
        }
        hashes.insert(fingerprint, sha256);
        Ok(sha256)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<Fingerprint, CodeSha256>> {
        self.hashes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Artifacts for S3Artifacts {
    async fn look_up(&self, location: &S3Location) -> Resolution {
        let head = self.head(location).await?;
        // "null" is the version of an object from before its bucket kept versions; it can be overwritten.
        let object_version = head.version_id().filter(|id| *id != "null").map(str::to_owned);
        if let Some(version) = &object_version {
            S3Location::check_object_version(version)
                .map_err(|error| unreadable(format!("HeadObject {location}: {error}")))?;
        }
        let location = S3Location {
            object_version: object_version.or_else(|| location.object_version.clone()),
            ..location.clone()
        };
        let sha256 = self.hash(&location, &head).await?;
        Ok(VerifiedObject { location, sha256 })
    }
}

/// Hashes a body as it comes, up to the largest object and the longest time.
async fn hash_of(mut body: ByteStream, location: &S3Location) -> Result<CodeSha256, ArtifactFailure> {
    let all = async {
        let (mut hasher, mut read) = (Sha256::new(), 0_u64);
        while let Some(chunk) = body.next().await {
            let chunk =
                chunk.map_err(|error| unreadable(format!("GetObject {location}: {}", one_line(&error.to_string()))))?;
            read += chunk.len() as u64;
            if read > LARGEST {
                return Err(too_large(location));
            }
            hasher.update(&chunk);
        }
        Ok(CodeSha256::from_bytes(hasher.finalize().into()))
    };
    let late = |_| {
        let minutes = LONGEST_READ.as_secs() / 60;
        unreadable(format!(
            "GetObject {location}: the object did not come within {minutes} min"
        ))
    };
    tokio::time::timeout(LONGEST_READ, all).await.map_err(late)?
}

/// Returns S3's own SHA-256 of the whole object. That of a multipart upload is a hash of hashes, and passed over.
fn full_object_sha256(head: &HeadObjectOutput) -> Option<CodeSha256> {
    match head.checksum_type() {
        Some(ChecksumType::FullObject) | None => head.checksum_sha256()?.parse().ok(),
        Some(_) => None,
    }
}

fn failure(location: &S3Location, error: &PortError) -> ArtifactFailure {
    match error.kind {
        PortErrorKind::NotFound => not_found(format!("S3 has no {location}: upload it, or name one that exists")),
        PortErrorKind::AccessDenied => unreadable(format!(
            "{error}: grant s3:GetObject and s3:GetObjectVersion, and s3:ListBucket so that S3 can say what is missing"
        )),
        PortErrorKind::Precondition => unreadable(format!("{location} was overwritten while it was read")),
        PortErrorKind::Conflict
        | PortErrorKind::Throttled
        | PortErrorKind::Credentials
        | PortErrorKind::CodeStorageExceeded
        | PortErrorKind::Invalid
        | PortErrorKind::Unreachable
        | PortErrorKind::Unknown
        | PortErrorKind::TooLarge
        | PortErrorKind::Unverified
        | PortErrorKind::Malformed => unreadable(error.to_string()),
    }
}

fn not_found(message: impl AsRef<str>) -> ArtifactFailure {
    ArtifactFailure {
        kind: ArtifactFailureKind::NotFound,
        message: domain::one_line(message.as_ref()),
    }
}

fn unreadable(message: impl AsRef<str>) -> ArtifactFailure {
    ArtifactFailure {
        kind: ArtifactFailureKind::Unreadable,
        message: domain::one_line(message.as_ref()),
    }
}

fn too_large(location: &S3Location) -> ArtifactFailure {
    unreadable(format!(
        "{location} is larger than {} MiB, more than Lambda takes",
        LARGEST / 1024 / 1024
    ))
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::sync::Arc;

    use aws_smithy_types::body::SdkBody;
    use futures::StreamExt as _;
    use http_body_util::StreamBody;
    use hyper::body::Frame;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;
    use crate::adapters::aws::connect_to;

    const NO_VERSION: Option<&str> = None;

    fn location(object_version: Option<&str>) -> S3Location {
        S3Location {
            bucket: "artifacts".to_owned(),
            key: "api.zip".to_owned(),
            object_version: object_version.map(str::to_owned),
        }
    }

    /// Looks an object up, some times, where S3 answers HEAD and GET like this. Returns the answers and what was asked.
    async fn look_up(
        times: usize,
        location: &S3Location,
        head: &str,
        (get, body): (&str, &str),
    ) -> (Vec<Resolution>, Vec<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let s3 = S3Artifacts::new(
            &connect_to(listener.local_addr().unwrap()).await,
            &Telemetry::new().unwrap(),
        );
        let asked = Arc::new(Mutex::new(Vec::new()));
        let serve = async {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = vec![0; 16 * 1024];
                let length = stream.read(&mut request).await.unwrap();
                let method = String::from_utf8_lossy(&request[..length]);
                let method = method.split(' ').next().unwrap_or_default().to_owned();
                let answer = match method.as_str() {
                    "HEAD" => format!("HTTP/1.1 {head}\r\nconnection: close\r\n\r\n"),
                    _ => format!(
                        "HTTP/1.1 {get}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                        body.len()
                    ),
                };
                asked.lock().unwrap().push(method);
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        };
        let look = async {
            let mut answers = Vec::new();
            for _ in 0..times {
                answers.push(s3.look_up(location).await);
            }
            answers
        };
        let answers = tokio::select! {
            answers = look => answers,
            () = serve => unreachable!("it serves for ever"),
        };
        let asked = asked.lock().unwrap().clone();
        (answers, asked)
    }

    fn error(code: &str) -> String {
        format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>S3 says so.</Message></Error>")
    }

    async fn refused(object_version: Option<&str>, status: &str, code: &str) -> ArtifactFailure {
        let (mut answers, asked) = look_up(1, &location(object_version), status, (status, &error(code))).await;
        assert_eq!(asked, ["HEAD", "GET"], "nothing is asked twice");
        answers.remove(0).unwrap_err()
    }

    #[tokio::test]
    async fn a06_a_bad_request_is_a_missing_version_only_where_s3_says_so() {
        let failure = refused(Some("no-such"), "400 Bad Request", "InvalidArgument").await;
        assert_eq!(failure.kind, ArtifactFailureKind::NotFound);
        assert!(
            failure.message.contains("correct `objectVersion`"),
            "{}",
            failure.message
        );
        for code in ["ExpiredToken", "InvalidToken", "KMS.DisabledException"] {
            let failure = refused(Some("3HL4kqtJvjVBH40N"), "400 Bad Request", code).await;
            assert_eq!(failure.kind, ArtifactFailureKind::Unreadable, "{code}");
            assert!(failure.message.contains(code), "{}", failure.message);
        }
        let failure = refused(NO_VERSION, "400 Bad Request", "InvalidArgument").await;
        assert_eq!(failure.kind, ArtifactFailureKind::Unreadable);
    }

    #[tokio::test]
    async fn a06_a_bucket_of_another_region_is_named_as_such() {
        for (status, code) in [
            ("301 Moved Permanently", "PermanentRedirect"),
            ("400 Bad Request", "AuthorizationHeaderMalformed"),
        ] {
            let failure = refused(NO_VERSION, status, code).await;
            assert_eq!(failure.kind, ArtifactFailureKind::Unreadable);
            assert!(failure.message.contains("another Region"), "{}", failure.message);
        }
    }

    #[tokio::test]
    async fn a10_a_clock_that_is_wrong_is_named_as_such() {
        let failure = refused(NO_VERSION, "403 Forbidden", "RequestTimeTooSkewed").await;
        assert_eq!(failure.kind, ArtifactFailureKind::Unreadable);
        assert!(failure.message.contains("set the clock"), "{}", failure.message);
    }

    #[tokio::test]
    async fn a06_what_may_not_be_read_says_what_to_grant() {
        let failure = refused(NO_VERSION, "403 Forbidden", "AccessDenied").await;
        assert!(failure.message.contains("grant s3:GetObject"), "{}", failure.message);
    }

    #[tokio::test]
    async fn a06_bytes_that_nothing_names_are_hashed_each_time() {
        let get = ("200 OK", "bytes");
        let bare = look_up(2, &location(None), "200 OK\r\ncontent-length: 5", get).await;
        assert_eq!(bare.1, ["HEAD", "GET", "HEAD", "GET"]);
        assert!(bare.0.iter().all(Result::is_ok), "{:?}", bare.0);
        let named = look_up(2, &location(None), "200 OK\r\ncontent-length: 5\r\netag: \"a\"", get).await;
        assert_eq!(named.1, ["HEAD", "GET", "HEAD"]);
    }

    #[tokio::test]
    async fn a06_an_answer_that_makes_no_sense_is_unreadable() {
        let get = ("200 OK", "bytes");
        for head in [
            "200 OK\r\nx-amz-version-id: a b\r\netag: \"a\"",
            "200 OK\r\ncontent-length: 99999999999",
        ] {
            let (answers, _) = look_up(1, &location(None), head, get).await;
            let failure = answers[0].as_ref().unwrap_err();
            assert_eq!(failure.kind, ArtifactFailureKind::Unreadable, "{}", failure.message);
        }
        // A checksum that is none is passed over, and the bytes are read.
        let head = "200 OK\r\nx-amz-checksum-sha256: none\r\netag: \"a\"";
        let (answers, asked) = look_up(1, &location(None), head, get).await;
        assert!(answers[0].is_ok() && asked == ["HEAD", "GET"], "{answers:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a06_a_body_that_drips_is_given_up() {
        let drops = futures::stream::repeat_with(|| Ok::<_, Infallible>(Frame::data(bytes::Bytes::from_static(b"x"))))
            .then(|drop| async {
                tokio::time::sleep(Duration::from_secs(1)).await;
                drop
            });
        let body = ByteStream::new(SdkBody::from_body_1_x(StreamBody::new(Box::pin(drops))));
        let began = tokio::time::Instant::now();
        let failure = hash_of(body, &location(None)).await.unwrap_err();
        assert_eq!(began.elapsed(), LONGEST_READ);
        assert_eq!(failure.kind, ArtifactFailureKind::Unreadable);
    }
}
