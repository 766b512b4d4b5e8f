//! Published versions: `PublishVersion` and `ListVersionsByFunction`.

use serde_json::{Map, Value, json};

use super::model::{Function, LastUpdate, State, VersionNumber};
use super::name::{Target, check_description, page_size};
use super::request::{ListInput, PublishVersion};
use super::view::{self, Detail};
use super::{Context, Found, Lambda, LambdaError, Reply, check_revision, refuse_if_busy};

/// The full configuration of a version that is known to exist.
pub(super) fn show(function: &Function, number: VersionNumber, arn: &str) -> Value {
    function
        .version(number)
        .map(|version| view::configuration(function, number, version, arn, Detail::Full))
        .map_or(Value::Null, Value::Object)
}

impl Found<'_> {
    /// Snapshots `$LATEST` under the next number. That rotates the revision of `$LATEST`, but not its `LastModified`.
    pub(super) fn publish(&mut self, description: Option<&str>) -> u64 {
        *self.last_version += 1;
        let number = *self.last_version;
        let mut version = self.function.latest.clone();
        version.revision_id = self.ids.uuid();
        version.state = State::Active;
        version.last_update = Some(LastUpdate::Successful);
        version.pending = None;
        if let Some(description) = description {
            description.clone_into(&mut version.description);
        }
        self.function.versions.insert(number, version);
        self.function.published = Some(number);
        self.function.latest.revision_id = self.ids.uuid();
        number
    }
}

impl Lambda {
    pub(super) fn publish_version(&mut self, context: &Context, input: &PublishVersion) -> super::Result {
        let name = Target::unqualified(context, &input.function_name)?;
        check_description(input.description.as_deref())?;
        let mut found = self.find(context, &name)?;
        // Where both guards are wrong the stale revision is reported, and both hold even with nothing to publish.
        check_revision(input.revision_id.as_deref(), &found.function.latest.revision_id)?;
        refuse_if_busy(found.function)?;
        let present = &found.function.latest.code.sha256;
        if let Some(expected) = input.code_sha256.as_deref().filter(|expected| *expected != &**present) {
            return Err(LambdaError::invalid(format!(
                "CodeSHA256 ({expected}) is different from current CodeSHA256 in $LATEST ({present}). \
                 Please try again with the CodeSHA256 in $LATEST."
            )));
        }
        let unchanged = found
            .function
            .published
            .filter(|number| found.function.versions.contains_key(number));
        let number = unchanged.unwrap_or_else(|| {
            let number = found.publish(input.description.as_deref());
            if found.has_snap_start()
                && let Some(version) = found.function.versions.get_mut(&number)
            {
                // A snapshot has to be taken before the version can serve.
                version.state = State::Pending;
                version.last_update = None;
                version.pending = Some(context.pending());
            }
            number
        });
        let arn = found.function.qualified(number);
        Ok(Reply::created(show(
            found.function,
            VersionNumber::Published(number),
            &arn,
        )))
    }

    pub(super) fn list_versions(&mut self, context: &Context, input: &ListInput) -> super::Result {
        // Lambda returns at most 50 versions a page, whatever MaxItems says.
        let size = page_size(input.max_items, 50)?;
        let name = Target::unqualified(context, &input.function_name)?;
        let after = match input.marker.as_deref().filter(|marker| !marker.is_empty()) {
            None => None,
            Some(marker) => Some(VersionNumber::parse(marker).ok_or_else(|| LambdaError::invalid("Invalid Marker"))?),
        };
        let function = self.find(context, &name)?.function;
        let all = std::iter::once(VersionNumber::Latest)
            .chain(function.versions.keys().copied().map(VersionNumber::Published));
        let mut rest = all.filter(|number| after.is_none_or(|after| *number > after));
        let page: Vec<VersionNumber> = rest.by_ref().take(size).collect();
        let more = rest.next().is_some();
        let items: Vec<Value> = page
            .iter()
            .filter_map(|number| {
                let version = function.version(*number)?;
                let arn = function.qualified(number);
                Some(view::configuration(function, *number, version, &arn, Detail::Listed).into())
            })
            .collect();
        let mut body = Map::from_iter([("Versions".to_owned(), Value::from(items))]);
        if let Some(last) = page.last().filter(|_| more) {
            body.insert("NextMarker".to_owned(), json!(last.to_string()));
        }
        Ok(Reply::ok(body))
    }
}

impl Found<'_> {
    fn has_snap_start(&self) -> bool {
        let snap_start = self.function.latest.config.get("SnapStart").unwrap_or_default();
        snap_start["ApplyOn"] == "PublishedVersions"
    }
}
