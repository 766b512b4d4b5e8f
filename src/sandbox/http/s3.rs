//! S3's REST API: dispatch, errors, and the operations on buckets. Those on objects are in `s3_object`.

use axum::http::request::Parts;
use axum::response::Response;
use bytes::Bytes;

use super::super::lambda::Context;
use super::super::s3::{Algorithm, S3, S3Error, Versioning};
use super::super::world::Refusal;
use super::s3_request::S3Request;
use super::xml::{CreateBucketConfiguration, Delete, VersioningConfiguration, Xml, read};
use super::{Answer, Exchange, Subject, reply, s3_listing, s3_object, set_header};

pub(super) const NAMESPACE: &str = "http://s3.amazonaws.com/doc/2006-03-01/";

pub(super) async fn answer(exchange: Exchange, head: &Parts, body: Bytes) -> Response {
    let request = S3Request::parse(head, body);
    let subject = Subject {
        service: "s3",
        operation: request.operation.to_owned(),
        resource: request.resource(),
        qualifier: request.version().map(str::to_owned),
        params: request.params(),
    };
    let signed_region = exchange.caller.signed_region.clone();
    let response = exchange
        .run(subject, refuse, |world, context| {
            let done = check_region(&world.s3, &request, signed_region.as_deref())
                .and_then(|()| carry_out(&mut world.s3, context, &request));
            match done {
                Ok(response) => Answer {
                    response,
                    error_type: None,
                },
                Err(error) => Answer {
                    response: refusal(&error, &request),
                    error_type: Some(error.code.to_owned()),
                },
            }
        })
        .await;
    if head.method != axum::http::Method::HEAD {
        return response;
    }
    // What a HEAD answers has no body, but an object's own length has been set.
    let (parts, _) = response.into_parts();
    Response::from_parts(parts, axum::body::Body::empty())
}

/// A bucket is only served in its own region; elsewhere S3 points there.
fn check_region(s3: &S3, request: &S3Request, signed: Option<&str>) -> Result<(), S3Error> {
    if matches!(request.operation, "CreateBucket" | "GetBucketLocation" | "ListBuckets") {
        return Ok(());
    }
    match (s3.bucket(&request.bucket), signed) {
        (Ok(bucket), Some(region)) if bucket.region != region => Err(S3Error::new(
            301,
            "PermanentRedirect",
            "The bucket you are attempting to access must be addressed using the specified endpoint. \
             Please send all future requests to this endpoint.",
        )
        .with("x-amz-bucket-region", bucket.region.clone())),
        (Ok(_) | Err(_), _) => Ok(()),
    }
}

fn carry_out(s3: &mut S3, context: &Context, request: &S3Request) -> Result<Response, S3Error> {
    let bucket = request.bucket.as_str();
    match request.operation {
        "ListBuckets" => Ok(list_buckets(s3, context)),
        "CreateBucket" => create_bucket(s3, context, request),
        "HeadBucket" => {
            let mut response = empty(200);
            set_header(&mut response, "x-amz-bucket-region", &s3.bucket(bucket)?.region);
            Ok(response)
        }
        "DeleteBucket" => s3.delete_bucket(bucket).map(|()| empty(204)),
        "GetBucketLocation" => {
            let region = s3.bucket(bucket)?.region.clone();
            let mut xml = Xml::new("LocationConstraint", NAMESPACE);
            // The oldest region has no name here.
            if region != "us-east-1" {
                xml.text(&region);
            }
            Ok(document(xml.finish("LocationConstraint")))
        }
        "GetBucketVersioning" => {
            let mut xml = Xml::new("VersioningConfiguration", NAMESPACE);
            match s3.bucket(bucket)?.versioning {
                Versioning::Never => {}
                Versioning::Enabled => xml.leaf("Status", "Enabled"),
                Versioning::Suspended => xml.leaf("Status", "Suspended"),
            }
            Ok(document(xml.finish("VersioningConfiguration")))
        }
        "PutBucketVersioning" => {
            let wanted: VersioningConfiguration = read(request.text()?).map_err(|_| S3Error::malformed_xml())?;
            s3.put_versioning(bucket, &wanted.status).map(|()| empty(200))
        }
        "ListObjectsV2" => s3_listing::objects(s3, request, true),
        "ListObjects" => s3_listing::objects(s3, request, false),
        "ListObjectVersions" => s3_listing::versions(s3, request),
        "DeleteObjects" => delete_objects(s3, context, request),
        "Malformed" => Err(S3Error::new(
            400,
            "IncompleteBody",
            "The request body is not aws-chunked as its headers say.",
        )),
        "NotImplemented" => Err(S3Error::new(
            501,
            "NotImplemented",
            "The sandbox does not have this operation.",
        )),
        _ => s3_object::carry_out(s3, context, request),
    }
}

pub(super) fn empty(status: u16) -> Response {
    let mut response = reply(status, "application/xml", Bytes::new());
    response.headers_mut().remove("content-type");
    response
}

pub(super) fn document(xml: String) -> Response {
    reply(200, "application/xml", xml)
}

fn refusal(error: &S3Error, request: &S3Request) -> Response {
    let mut response = error_document(error.status, error.code, &error.message, &request.resource());
    for (name, value) in &error.headers {
        set_header(&mut response, name, value);
    }
    response
}

fn refuse(refusal: &Refusal) -> Response {
    let mut response = error_document(refusal.status, &refusal.error_type, &refusal.message, "");
    if let Some(seconds) = refusal.retry_after {
        set_header(&mut response, "retry-after", &seconds.to_string());
    }
    response
}

fn error_document(status: u16, code: &str, message: &str, resource: &str) -> Response {
    if status == 304 {
        return empty(status);
    }
    let mut xml = Xml::plain("Error");
    xml.leaf("Code", code);
    xml.leaf("Message", message);
    xml.leaf("Resource", &format!("/{resource}"));
    reply(status, "application/xml", xml.finish("Error"))
}

fn list_buckets(s3: &S3, context: &Context) -> Response {
    let mut xml = Xml::new("ListAllMyBucketsResult", NAMESPACE);
    xml.open("Owner");
    xml.leaf("ID", &context.account);
    xml.close("Owner");
    xml.open("Buckets");
    for (name, bucket) in s3.list_buckets(&context.account) {
        xml.open("Bucket");
        xml.leaf("Name", name);
        xml.leaf("CreationDate", &bucket.created.iso8601());
        xml.leaf("BucketRegion", &bucket.region);
        xml.close("Bucket");
    }
    xml.close("Buckets");
    document(xml.finish("ListAllMyBucketsResult"))
}

fn create_bucket(s3: &mut S3, context: &Context, request: &S3Request) -> Result<Response, S3Error> {
    let wanted: CreateBucketConfiguration = read(request.text()?).map_err(|_| S3Error::malformed_xml())?;
    let fits = match wanted.location.as_deref().filter(|location| !location.is_empty()) {
        None => context.region == "us-east-1",
        Some(location) => location == context.region || context.region == "us-east-1",
    };
    if !fits {
        let named = wanted.location.as_deref().unwrap_or("unspecified");
        return Err(S3Error::new(
            400,
            "IllegalLocationConstraintException",
            format!(
                "The {named} location constraint is incompatible for the region specific endpoint this request was sent to."
            ),
        ));
    }
    let region = wanted
        .location
        .filter(|location| !location.is_empty())
        .unwrap_or_else(|| context.region.clone());
    s3.create_bucket(&request.bucket, &region, &context.account, context.now)?;
    let mut response = empty(200);
    set_header(&mut response, "location", &format!("/{}", request.bucket));
    Ok(response)
}

fn delete_objects(s3: &mut S3, context: &Context, request: &S3Request) -> Result<Response, S3Error> {
    s3.bucket(&request.bucket)?;
    let wanted = request.checksum()?;
    super::super::s3::check_content_md5(&request.body, request.header("content-md5"))?;
    let fits = match (wanted.algorithm, &wanted.value) {
        (Some(algorithm), Some(value)) => Algorithm::encode(algorithm, &request.body) == *value,
        (_, _) => true,
    };
    if !fits {
        return Err(S3Error::new(
            400,
            "BadDigest",
            "The checksum you specified did not match the calculated checksum.",
        ));
    }
    let list: Delete = read(request.text()?).map_err(|_| S3Error::malformed_xml())?;
    if list.objects.is_empty() || list.objects.len() > 1000 {
        return Err(S3Error::malformed_xml());
    }
    let mut xml = Xml::new("DeleteResult", NAMESPACE);
    for object in &list.objects {
        let deleted = s3.delete(&request.bucket, &object.key, object.version.as_deref(), context.now)?;
        if list.quiet {
            continue;
        }
        xml.open("Deleted");
        xml.leaf("Key", &object.key);
        if let Some(version) = &object.version {
            xml.leaf("VersionId", version);
        }
        if deleted.marker {
            xml.leaf("DeleteMarker", "true");
            if let Some(version) = &deleted.version {
                xml.leaf("DeleteMarkerVersionId", version);
            }
        }
        xml.close("Deleted");
    }
    Ok(document(xml.finish("DeleteResult")))
}
