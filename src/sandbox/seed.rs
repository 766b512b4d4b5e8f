//! Filling a sandbox from Rust, without HTTP, faults, latency or quotas, and unseen by the record of calls. For tests and
//! rehearsals; it goes through the same state machine as the API, so no state comes about that AWS could not have.

use std::time::Duration;

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::lambda::{Context, Ending, LambdaError, Request};
use super::s3::{Algorithm, Put, S3Error, Wanted};
use super::{Code, NewFunction, Sandbox, Timestamp};

/// An account and a region of the sandbox, to be filled.
#[derive(Debug, Clone)]
pub struct Place {
    sandbox: Sandbox,
    account: String,
    region: String,
    window: Duration,
    ending: Ending,
}

impl Sandbox {
    /// The sandbox's own account in a region.
    pub fn place(&self, region: &str) -> Place {
        Place {
            sandbox: self.clone(),
            account: self.shared.options.account.clone(),
            region: region.to_owned(),
            window: Duration::ZERO,
            ending: Ending::Success,
        }
    }

    /// Makes a bucket, with versioning or without.
    ///
    /// # Errors
    ///
    /// As S3's `CreateBucket`.
    pub fn create_bucket(&self, name: &str, region: &str, versioned: bool) -> Result<(), S3Error> {
        let now = self.shared.now();
        let mut world = self.shared.lock();
        world
            .s3
            .create_bucket(name, region, &self.shared.options.account, now)?;
        if versioned {
            world.s3.put_versioning(name, "Enabled")?;
        }
        Ok(())
    }

    /// Stores an object and gives its version id, if the bucket has versions. With `with_sha256` S3 keeps the SHA-256 of
    /// the whole object, as for an upload that sent one; else a CRC64NVME, as for one that sent nothing.
    ///
    /// # Errors
    ///
    /// As S3's `PutObject`.
    pub fn put_object(
        &self,
        bucket: &str,
        key: &str,
        body: impl Into<Bytes>,
        with_sha256: bool,
    ) -> Result<Option<String>, S3Error> {
        let now = self.shared.now();
        let put = Put {
            body: body.into(),
            checksum: Wanted {
                algorithm: with_sha256.then_some(Algorithm::Sha256),
                value: None,
            },
            ..Put::default()
        };
        self.shared
            .lock()
            .s3
            .put(bucket, key, put, now)
            .map(|stored| stored.version)
    }

    /// Stores an object as the version that it has elsewhere, in a bucket with versions. As S3 does when an object is
    /// uploaded with its SHA-256, but that S3 draws the version id itself.
    ///
    /// # Errors
    ///
    /// As S3's `PutObject`.
    pub fn put_object_version(
        &self,
        bucket: &str,
        key: &str,
        version: &str,
        body: impl Into<Bytes>,
    ) -> Result<(), S3Error> {
        let drawn = self.put_object(bucket, key, body, true)?;
        if let Some(drawn) = drawn {
            self.shared.lock().s3.rename_version(bucket, key, &drawn, version);
        }
        Ok(())
    }

    /// The bytes of the current object of a key, or of one of its versions.
    ///
    /// # Errors
    ///
    /// As S3's `GetObject`.
    pub fn object(&self, bucket: &str, key: &str, version: Option<&str>) -> Result<Bytes, S3Error> {
        let world = self.shared.lock();
        world
            .s3
            .get(bucket, key, version)
            .map(|found| found.object.body.clone())
    }

    /// Deletes the current object of a key, or one of its versions.
    ///
    /// # Errors
    ///
    /// As S3's `DeleteObject`.
    pub fn delete_object(&self, bucket: &str, key: &str, version: Option<&str>) -> Result<(), S3Error> {
        let now = self.shared.now();
        self.shared.lock().s3.delete(bucket, key, version, now).map(|_| ())
    }
}

impl Place {
    /// Another account, in the same region.
    #[must_use]
    pub fn account(mut self, account: &str) -> Self {
        account.clone_into(&mut self.account);
        self
    }

    /// Makes a bucket with versioning, unless there is one of that name.
    ///
    /// # Errors
    ///
    /// As S3's `CreateBucket`.
    pub fn ensure_bucket(&self, name: &str) -> Result<(), S3Error> {
        let now = self.sandbox.shared.now();
        let mut world = self.sandbox.shared.lock();
        if world.s3.bucket(name).is_ok() {
            return Ok(());
        }
        world.s3.create_bucket(name, &self.region, &self.account, now)?;
        world.s3.put_versioning(name, "Enabled")
    }

    /// Lets the updates and creations that follow stay in progress for `window`, as if somebody else were at work.
    #[must_use]
    pub const fn lasting(mut self, window: Duration) -> Self {
        self.window = window;
        self
    }

    /// Lets the updates and creations that follow end `Failed`, with this reason code and text.
    #[must_use]
    pub fn failing(mut self, code: &str, reason: &str) -> Self {
        self.ending = Ending::Failure {
            code: code.to_owned(),
            reason: reason.to_owned(),
        };
        self
    }

    /// Carries out any operation of Lambda's API, with the members of its input and output as they are on the wire.
    /// Updates and creations are through by the next call, unless [`Place::lasting`] says otherwise.
    ///
    /// # Errors
    ///
    /// As Lambda's.
    pub fn call(&self, operation: &str, input: Value) -> Result<Value, LambdaError> {
        let request = Request::parse(operation, input)?;
        let now = self.sandbox.shared.now();
        let mut world = self.sandbox.shared.lock();
        let context = Context {
            account: self.account.clone(),
            region: self.region.clone(),
            now,
            completes: now.after(self.window),
            ending: self.ending.clone(),
            endpoint: String::new(),
        };
        let world = &mut *world;
        let reply = world.lambda.call(&context, &world.s3, request)?;
        Ok(reply.body.unwrap_or(Value::Null))
    }

    /// Makes a function.
    ///
    /// # Errors
    ///
    /// As Lambda's `CreateFunction`.
    pub fn create_function(&self, function: NewFunction) -> Result<Value, LambdaError> {
        let mut input = function.members;
        let defaults = [
            ("Role", json!(format!("arn:aws:iam::{}:role/sandbox", self.account))),
            ("Runtime", json!("nodejs22.x")),
            ("Handler", json!("index.handler")),
        ];
        for (member, value) in defaults {
            input.entry(member).or_insert(value);
        }
        input.insert("FunctionName".to_owned(), json!(function.name));
        input.insert("Code".to_owned(), function.code.members().into());
        self.call("CreateFunction", input.into())
    }

    /// Gives `$LATEST` other code.
    ///
    /// # Errors
    ///
    /// As Lambda's `UpdateFunctionCode`.
    pub fn update_code(&self, function: &str, code: &Code) -> Result<Value, LambdaError> {
        let mut input = code.members();
        input.insert("FunctionName".to_owned(), json!(function));
        self.call("UpdateFunctionCode", input.into())
    }

    /// Publishes `$LATEST` and gives the version's number.
    ///
    /// # Errors
    ///
    /// As Lambda's `PublishVersion`.
    pub fn publish(&self, function: &str) -> Result<u64, LambdaError> {
        let body = self.call("PublishVersion", json!({ "FunctionName": function }))?;
        Ok(body["Version"]
            .as_str()
            .and_then(|number| number.parse().ok())
            .unwrap_or(0))
    }

    /// Publishes `$LATEST` with a description and gives the version's number.
    ///
    /// # Errors
    ///
    /// As Lambda's `PublishVersion`.
    pub fn publish_described(&self, function: &str, description: &str) -> Result<u64, LambdaError> {
        let input = json!({ "FunctionName": function, "Description": description });
        let body = self.call("PublishVersion", input)?;
        Ok(body["Version"]
            .as_str()
            .and_then(|number| number.parse().ok())
            .unwrap_or(0))
    }

    /// Makes an alias.
    ///
    /// # Errors
    ///
    /// As Lambda's `CreateAlias`.
    pub fn create_alias(&self, function: &str, alias: &str, version: u64) -> Result<Value, LambdaError> {
        let input = json!({ "FunctionName": function, "Name": alias, "FunctionVersion": version.to_string() });
        self.call("CreateAlias", input)
    }

    /// Moves an alias, and sends a share of its traffic to a second version, or none.
    ///
    /// # Errors
    ///
    /// As Lambda's `UpdateAlias`.
    pub fn update_alias(
        &self,
        function: &str,
        alias: &str,
        version: u64,
        second: Option<(u64, f64)>,
    ) -> Result<Value, LambdaError> {
        let weights: Map<String, Value> = second
            .into_iter()
            .map(|(version, weight)| (version.to_string(), json!(weight)))
            .collect();
        self.call(
            "UpdateAlias",
            json!({
                "FunctionName": function,
                "Name": alias,
                "FunctionVersion": version.to_string(),
                "RoutingConfig": { "AdditionalVersionWeights": weights },
            }),
        )
    }

    /// Provisions concurrency for an alias. Its allocation, and each later one that a move of the alias brings, takes as
    /// long as [`Place::lasting`] says here.
    ///
    /// # Errors
    ///
    /// As Lambda's `PutProvisionedConcurrencyConfig`.
    pub fn provision(&self, function: &str, alias: &str, executions: u64) -> Result<Value, LambdaError> {
        self.call(
            "PutProvisionedConcurrencyConfig",
            json!({
                "FunctionName": function,
                "Qualifier": alias,
                "ProvisionedConcurrentExecutions": executions,
            }),
        )
    }

    /// Lets a published version fall `Inactive`, as Lambda does after weeks in which nobody called it.
    ///
    /// # Errors
    ///
    /// There is no such version.
    pub fn fall_idle(&self, function: &str, version: u64) -> Result<(), LambdaError> {
        let place = format!("{}/{}", self.account, self.region);
        if self.sandbox.shared.lock().lambda.fall_idle(&place, function, version) {
            Ok(())
        } else {
            Err(LambdaError::not_found(&format!("{function}:{version}")))
        }
    }

    /// `GetFunction`, of `$LATEST` or a qualifier.
    ///
    /// # Errors
    ///
    /// As Lambda's `GetFunction`.
    pub fn function(&self, function: &str, qualifier: Option<&str>) -> Result<Value, LambdaError> {
        self.call(
            "GetFunction",
            json!({ "FunctionName": function, "Qualifier": qualifier }),
        )
    }

    /// `GetAlias`.
    ///
    /// # Errors
    ///
    /// As Lambda's `GetAlias`.
    pub fn alias(&self, function: &str, alias: &str) -> Result<Value, LambdaError> {
        self.call("GetAlias", json!({ "FunctionName": function, "Name": alias }))
    }
}

impl Sandbox {
    /// Turns a manual clock forward; a wall clock goes its own way.
    pub fn advance(&self, duration: Duration) -> Timestamp {
        match &self.shared.options.clock {
            super::Clock::Wall => {}
            super::Clock::Manual(clock) => clock.advance(duration),
        }
        self.shared.now()
    }
}
