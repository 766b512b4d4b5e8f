//! S3's REST API: the listings of a bucket as XML. Which entries a page holds is decided by the service.

use axum::response::Response;

use super::super::s3::{Listing, Page, S3, S3Error};
use super::s3::{NAMESPACE, document};
use super::s3_request::S3Request;
use super::uri;
use super::xml::Xml;

fn max_keys(request: &S3Request) -> Result<usize, S3Error> {
    match request.parameter("max-keys") {
        None => Ok(1000),
        Some(text) => text.parse::<usize>().map(|keys| keys.min(1000)).map_err(|_| {
            S3Error::new(
                400,
                "InvalidArgument",
                "Provided max-keys not an integer or within integer range",
            )
        }),
    }
}

/// Writes keys as the client wants them: as they are, or fit for a URL.
fn encoder(request: &S3Request) -> fn(&str) -> String {
    if request.parameter("encoding-type") == Some("url") {
        uri::encode
    } else {
        str::to_owned
    }
}

pub(super) fn objects(s3: &S3, request: &S3Request, second: bool) -> Result<Response, S3Error> {
    let bucket = s3.bucket(&request.bucket)?;
    let text = |name: &str| request.parameter(name).unwrap_or_default().to_owned();
    let token = request.parameter("continuation-token");
    let after = if second {
        token.map_or_else(|| text("start-after"), str::to_owned)
    } else {
        text("marker")
    };
    let listing = Listing {
        prefix: text("prefix"),
        delimiter: text("delimiter"),
        after_key: after,
        after_version: None,
        max_keys: max_keys(request)?,
        versions: false,
    };
    let page = bucket.list(&listing);
    let encode = encoder(request);
    let mut xml = Xml::new("ListBucketResult", NAMESPACE);
    head(&mut xml, request, &listing, &page, encode);
    if second {
        xml.leaf("KeyCount", &(page.items.len() + page.prefixes.len()).to_string());
        if let Some(token) = token {
            xml.leaf("ContinuationToken", token);
        }
        if let Some((next, _)) = &page.next {
            xml.leaf("NextContinuationToken", next);
        }
        if !text("start-after").is_empty() {
            xml.leaf("StartAfter", &encode(&text("start-after")));
        }
    } else {
        xml.leaf("Marker", &encode(&listing.after_key));
        if let Some((next, _)) = &page.next {
            xml.leaf("NextMarker", &encode(next));
        }
    }
    for (key, entry, _) in &page.items {
        let Some(object) = &entry.object else {
            continue;
        };
        xml.open("Contents");
        xml.leaf("Key", &encode(key));
        xml.leaf("LastModified", &entry.modified.iso8601());
        xml.leaf("ETag", &format!("\"{}\"", object.etag));
        xml.leaf("ChecksumAlgorithm", object.checksum.algorithm.name());
        xml.leaf("ChecksumType", object.checksum.kind());
        xml.leaf("Size", &object.body.len().to_string());
        xml.leaf("StorageClass", "STANDARD");
        xml.close("Contents");
    }
    prefixes(&mut xml, &page, encode);
    Ok(document(xml.finish("ListBucketResult")))
}

pub(super) fn versions(s3: &S3, request: &S3Request) -> Result<Response, S3Error> {
    let bucket = s3.bucket(&request.bucket)?;
    let text = |name: &str| request.parameter(name).unwrap_or_default().to_owned();
    let listing = Listing {
        prefix: text("prefix"),
        delimiter: text("delimiter"),
        after_key: text("key-marker"),
        after_version: request
            .parameter("version-id-marker")
            .filter(|marker| !marker.is_empty())
            .map(str::to_owned),
        max_keys: max_keys(request)?,
        versions: true,
    };
    let page = bucket.list(&listing);
    let encode = encoder(request);
    let mut xml = Xml::new("ListVersionsResult", NAMESPACE);
    head(&mut xml, request, &listing, &page, encode);
    xml.leaf("KeyMarker", &encode(&listing.after_key));
    xml.leaf("VersionIdMarker", listing.after_version.as_deref().unwrap_or_default());
    if let Some((key, version)) = &page.next {
        xml.leaf("NextKeyMarker", &encode(key));
        if let Some(version) = version {
            xml.leaf("NextVersionIdMarker", version);
        }
    }
    for (key, entry, current) in &page.items {
        let element = if entry.object.is_some() {
            "Version"
        } else {
            "DeleteMarker"
        };
        xml.open(element);
        xml.leaf("Key", &encode(key));
        xml.leaf("VersionId", &entry.version);
        xml.leaf("IsLatest", if *current { "true" } else { "false" });
        xml.leaf("LastModified", &entry.modified.iso8601());
        if let Some(object) = &entry.object {
            xml.leaf("ETag", &format!("\"{}\"", object.etag));
            xml.leaf("ChecksumAlgorithm", object.checksum.algorithm.name());
            xml.leaf("ChecksumType", object.checksum.kind());
            xml.leaf("Size", &object.body.len().to_string());
            xml.leaf("StorageClass", "STANDARD");
        }
        xml.close(element);
    }
    prefixes(&mut xml, &page, encode);
    Ok(document(xml.finish("ListVersionsResult")))
}

/// What all listings begin with.
fn head(xml: &mut Xml, request: &S3Request, listing: &Listing, page: &Page<'_>, encode: fn(&str) -> String) {
    xml.leaf("Name", &request.bucket);
    xml.leaf("Prefix", &encode(&listing.prefix));
    if !listing.delimiter.is_empty() {
        xml.leaf("Delimiter", &encode(&listing.delimiter));
    }
    xml.leaf("MaxKeys", &listing.max_keys.to_string());
    if let Some(encoding) = request.parameter("encoding-type") {
        xml.leaf("EncodingType", encoding);
    }
    xml.leaf("IsTruncated", if page.next.is_some() { "true" } else { "false" });
}

fn prefixes(xml: &mut Xml, page: &Page<'_>, encode: fn(&str) -> String) {
    for prefix in &page.prefixes {
        xml.open("CommonPrefixes");
        xml.leaf("Prefix", &encode(prefix));
        xml.close("CommonPrefixes");
    }
}
