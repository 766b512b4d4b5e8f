//! S3's REST API: the operations on objects and multipart uploads.

use axum::response::Response;

use super::super::lambda::Context;
use super::super::s3::{Algorithm, Checksum, CompletedPart, Deleted, Found, S3, S3Error, Stored};
use super::s3::{NAMESPACE, document, empty};
use super::s3_request::S3Request;
use super::xml::{CompleteMultipartUpload, Xml, read};
use super::{reply, set_header};

pub(super) fn carry_out(s3: &mut S3, context: &Context, request: &S3Request) -> Result<Response, S3Error> {
    let (bucket, key) = (request.bucket.as_str(), request.key.as_str());
    let upload = request.parameter("uploadId").unwrap_or_default();
    match request.operation {
        "PutObject" => {
            let stored = s3.put(bucket, key, request.put()?, context.now)?;
            let mut response = empty(200);
            stored_headers(&mut response, &stored);
            Ok(response)
        }
        "GetObject" | "HeadObject" => read_object(s3, request),
        "GetObjectAttributes" => attributes(s3, request),
        "CopyObject" => copy(s3, context, request),
        "DeleteObject" => {
            let Deleted { version, marker } = s3.delete(bucket, key, request.version(), context.now)?;
            let mut response = empty(204);
            if let Some(version) = version {
                set_header(&mut response, "x-amz-version-id", &version);
            }
            if marker {
                set_header(&mut response, "x-amz-delete-marker", "true");
            }
            Ok(response)
        }
        "CreateMultipartUpload" => create_upload(s3, request),
        "UploadPart" => {
            request.check_content_sha256()?;
            let number = request
                .parameter("partNumber")
                .and_then(|number| number.parse().ok())
                .unwrap_or(0);
            let (etag, checksum) = s3.upload_part(
                (bucket, key, upload),
                number,
                request.body.clone(),
                request.header("content-md5"),
                &request.checksum()?,
                context.now,
            )?;
            let mut response = empty(200);
            set_header(&mut response, "etag", &format!("\"{etag}\""));
            set_header(&mut response, checksum.algorithm.header(), &checksum.value);
            Ok(response)
        }
        "CompleteMultipartUpload" => complete(s3, context, request, upload),
        "AbortMultipartUpload" => s3.abort_upload(bucket, key, upload).map(|()| empty(204)),
        "ListParts" => {
            let mut xml = Xml::new("ListPartsResult", NAMESPACE);
            xml.leaf("Bucket", bucket);
            xml.leaf("Key", key);
            xml.leaf("UploadId", upload);
            xml.leaf("IsTruncated", "false");
            for (number, size, etag, modified) in s3.list_parts(bucket, key, upload)? {
                xml.open("Part");
                xml.leaf("PartNumber", &number.to_string());
                xml.leaf("LastModified", &modified.iso8601());
                xml.leaf("ETag", &format!("\"{etag}\""));
                xml.leaf("Size", &size.to_string());
                xml.close("Part");
            }
            Ok(document(xml.finish("ListPartsResult")))
        }
        _ => Err(S3Error::new(
            501,
            "NotImplemented",
            "The sandbox does not have this operation.",
        )),
    }
}

fn stored_headers(response: &mut Response, stored: &Stored) {
    set_header(response, "etag", &format!("\"{}\"", stored.etag));
    if let Some(version) = &stored.version {
        set_header(response, "x-amz-version-id", version);
    }
    checksum_headers(response, &stored.checksum);
}

fn checksum_headers(response: &mut Response, checksum: &Checksum) {
    set_header(response, checksum.algorithm.header(), &checksum.value);
    set_header(response, "x-amz-checksum-type", checksum.kind());
}

fn checksum_leaves(xml: &mut Xml, checksum: &Checksum) {
    xml.leaf(&format!("Checksum{}", checksum.algorithm.name()), &checksum.value);
    xml.leaf("ChecksumType", checksum.kind());
}

/// The conditions of a read, in the order in which S3 weighs them.
fn check_conditions(request: &S3Request, found: Found<'_>) -> Result<(), S3Error> {
    let names = |list: &str| {
        list.split(',')
            .any(|one| one.trim() == "*" || one.trim().trim_matches('"') == found.object.etag)
    };
    if request.header("if-match").is_some_and(|list| !names(list)) {
        return Err(S3Error::precondition_failed());
    }
    if request.header("if-none-match").is_some_and(names) {
        return Err(S3Error::new(304, "NotModified", "Not Modified").with("etag", format!("\"{}\"", found.object.etag)));
    }
    Ok(())
}

/// First and last byte of a `Range`. `None` where there is no range, or one that S3 passes over.
fn range(text: Option<&str>, size: usize) -> Result<Option<(usize, usize)>, S3Error> {
    let Some((first, last)) = text
        .and_then(|text| text.strip_prefix("bytes="))
        .and_then(|range| range.split_once('-'))
    else {
        return Ok(None);
    };
    let bounds = match (first.trim().parse::<usize>(), last.trim().parse::<usize>()) {
        (Ok(first), Ok(last)) if first <= last => (first, last.min(size.saturating_sub(1))),
        (Ok(first), Err(_)) if last.trim().is_empty() => (first, size.saturating_sub(1)),
        (Err(_), Ok(count)) if first.trim().is_empty() && count > 0 => {
            (size.saturating_sub(count), size.saturating_sub(1))
        }
        (_, _) => return Ok(None),
    };
    if bounds.0 >= size {
        return Err(
            S3Error::new(416, "InvalidRange", "The requested range is not satisfiable")
                .with("content-range", format!("bytes */{size}")),
        );
    }
    Ok(Some(bounds))
}

fn read_object(s3: &S3, request: &S3Request) -> Result<Response, S3Error> {
    let found = s3.get(&request.bucket, &request.key, request.version())?;
    check_conditions(request, found)?;
    let object = found.object;
    let whole = object.body.len();
    let bounds = range(request.header("range"), whole)?;
    let body = bounds.map_or_else(|| object.body.clone(), |(first, last)| object.body.slice(first..=last));
    let length = body.len();
    let mut response = reply(if bounds.is_some() { 206 } else { 200 }, "binary/octet-stream", body);
    for (name, value) in &object.headers {
        set_header(&mut response, name, value);
    }
    set_header(&mut response, "content-length", &length.to_string());
    set_header(&mut response, "accept-ranges", "bytes");
    set_header(&mut response, "etag", &format!("\"{}\"", object.etag));
    set_header(&mut response, "last-modified", &found.entry.modified.http_date());
    if let Some((first, last)) = bounds {
        set_header(&mut response, "content-range", &format!("bytes {first}-{last}/{whole}"));
    }
    if found.show_version {
        set_header(&mut response, "x-amz-version-id", &found.entry.version);
    }
    // The checksum is of the whole object, so it does not go with a part of it.
    let asked = request
        .header("x-amz-checksum-mode")
        .is_some_and(|mode| mode.eq_ignore_ascii_case("ENABLED"));
    if asked && bounds.is_none_or(|(first, last)| first == 0 && last + 1 == whole) {
        checksum_headers(&mut response, &object.checksum);
    }
    Ok(response)
}

fn attributes(s3: &S3, request: &S3Request) -> Result<Response, S3Error> {
    let found = s3.get(&request.bucket, &request.key, request.version())?;
    let wanted = request.header("x-amz-object-attributes").unwrap_or_default();
    let asks = |name: &str| wanted.split(',').any(|one| one.trim() == name);
    let object = found.object;
    let mut xml = Xml::new("GetObjectAttributesResponse", NAMESPACE);
    if asks("ETag") {
        xml.leaf("ETag", &object.etag);
    }
    if asks("Checksum") {
        xml.open("Checksum");
        checksum_leaves(&mut xml, &object.checksum);
        xml.close("Checksum");
    }
    if asks("ObjectParts") && !object.parts.is_empty() {
        xml.open("ObjectParts");
        xml.leaf("PartsCount", &object.parts.len().to_string());
        xml.close("ObjectParts");
    }
    if asks("StorageClass") {
        xml.leaf("StorageClass", "STANDARD");
    }
    if asks("ObjectSize") {
        xml.leaf("ObjectSize", &object.body.len().to_string());
    }
    let mut response = document(xml.finish("GetObjectAttributesResponse"));
    set_header(&mut response, "last-modified", &found.entry.modified.http_date());
    if found.show_version {
        set_header(&mut response, "x-amz-version-id", &found.entry.version);
    }
    Ok(response)
}

fn copy(s3: &mut S3, context: &Context, request: &S3Request) -> Result<Response, S3Error> {
    let source = request.copy_source()?;
    let algorithm = request
        .header("x-amz-checksum-algorithm")
        .map(Algorithm::parse)
        .transpose()?;
    let headers = (request.header("x-amz-metadata-directive") == Some("REPLACE")).then(|| request.object_headers());
    let to = (request.bucket.as_str(), request.key.as_str());
    let (stored, from) = s3.copy(&source, to, algorithm, headers, context.now)?;
    let mut xml = Xml::new("CopyObjectResult", NAMESPACE);
    xml.leaf("LastModified", &stored.modified.iso8601());
    xml.leaf("ETag", &format!("\"{}\"", stored.etag));
    checksum_leaves(&mut xml, &stored.checksum);
    let mut response = document(xml.finish("CopyObjectResult"));
    if let Some(version) = &stored.version {
        set_header(&mut response, "x-amz-version-id", version);
    }
    if let Some(from) = from {
        set_header(&mut response, "x-amz-copy-source-version-id", &from);
    }
    Ok(response)
}

fn create_upload(s3: &mut S3, request: &S3Request) -> Result<Response, S3Error> {
    let algorithm = request
        .header("x-amz-checksum-algorithm")
        .map(Algorithm::parse)
        .transpose()?;
    let kind = request.header("x-amz-checksum-type");
    let created = s3.create_upload(&request.bucket, &request.key, algorithm, kind, request.object_headers())?;
    let mut xml = Xml::new("InitiateMultipartUploadResult", NAMESPACE);
    xml.leaf("Bucket", &request.bucket);
    xml.leaf("Key", &request.key);
    xml.leaf("UploadId", &created.id);
    let mut response = document(xml.finish("InitiateMultipartUploadResult"));
    if let Some(algorithm) = created.algorithm {
        set_header(&mut response, "x-amz-checksum-algorithm", algorithm.name());
        set_header(
            &mut response,
            "x-amz-checksum-type",
            if created.composite { "COMPOSITE" } else { "FULL_OBJECT" },
        );
    }
    Ok(response)
}

fn complete(s3: &mut S3, context: &Context, request: &S3Request, upload: &str) -> Result<Response, S3Error> {
    let list: CompleteMultipartUpload = read(request.text()?).map_err(|_| S3Error::malformed_xml())?;
    let parts: Vec<CompletedPart> = list
        .parts
        .into_iter()
        .map(|part| CompletedPart {
            number: part.number,
            etag: part.etag,
        })
        .collect();
    // The checksum of the whole object comes in a header of its algorithm.
    let expected = Algorithm::ALL
        .into_iter()
        .find_map(|algorithm| request.header(algorithm.header()));
    let only_new = request.header("if-none-match") == Some("*");
    let (bucket, key) = (request.bucket.as_str(), request.key.as_str());
    let stored = s3.complete_upload((bucket, key, upload), &parts, expected, only_new, context.now)?;
    let mut xml = Xml::new("CompleteMultipartUploadResult", NAMESPACE);
    xml.leaf("Location", &format!("{}/{bucket}/{key}", context.endpoint));
    xml.leaf("Bucket", bucket);
    xml.leaf("Key", key);
    xml.leaf("ETag", &format!("\"{}\"", stored.etag));
    checksum_leaves(&mut xml, &stored.checksum);
    let mut response = document(xml.finish("CompleteMultipartUploadResult"));
    if let Some(version) = &stored.version {
        set_header(&mut response, "x-amz-version-id", version);
    }
    Ok(response)
}
