//! As much of STS as a client of Lambda and S3 needs: who am I, and assuming a role in another account.

use axum::response::Response;
use serde_json::json;

use super::super::fault;
use super::super::world::Refusal;
use super::xml::Xml;
use super::{Answer, Exchange, Subject, reply, uri};

const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

pub(super) async fn answer(exchange: Exchange, body: &[u8]) -> Response {
    let form = uri::pairs(&String::from_utf8_lossy(body));
    let field = |name: &str| form.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
    let operation = field("Action").unwrap_or_default();
    let role = field("RoleArn").unwrap_or_default();
    let session = field("RoleSessionName").unwrap_or_default();
    let subject = Subject {
        service: "sts",
        operation: operation.clone(),
        resource: role.clone(),
        qualifier: None,
        params: json!({ "RoleArn": field("RoleArn"), "RoleSessionName": field("RoleSessionName") }),
    };
    exchange
        .run(subject, refuse, |_, context| match operation.as_str() {
            "GetCallerIdentity" => success("GetCallerIdentity", |xml| {
                xml.leaf("Arn", &format!("arn:aws:iam::{}:root", context.account));
                xml.leaf("UserId", &context.account);
                xml.leaf("Account", &context.account);
            }),
            "AssumeRole" | "AssumeRoleWithWebIdentity" => {
                let mut parts = role.split(':').skip(4);
                let account = parts.next().unwrap_or_default();
                let name = parts.next().unwrap_or_default().trim_start_matches("role/");
                if account.len() != 12 || name.is_empty() {
                    let message = format!("{role} is invalid");
                    return Answer {
                        response: error(400, "ValidationError", &message),
                        error_type: Some("ValidationError".to_owned()),
                    };
                }
                let expires = context.now.after(std::time::Duration::from_hours(1));
                success(&operation, |xml| {
                    xml.open("AssumedRoleUser");
                    xml.leaf("Arn", &format!("arn:aws:sts::{account}:assumed-role/{name}/{session}"));
                    xml.leaf("AssumedRoleId", &format!("AROA{account}:{session}"));
                    xml.close("AssumedRoleUser");
                    xml.open("Credentials");
                    // An access key id that is an account number is taken for that account.
                    xml.leaf("AccessKeyId", account);
                    xml.leaf("SecretAccessKey", "sandbox");
                    xml.leaf("SessionToken", "sandbox");
                    xml.leaf("Expiration", &expires.iso8601());
                    xml.close("Credentials");
                })
            }
            other => Answer {
                response: error(
                    400,
                    "InvalidAction",
                    &format!("the sandbox does not have the operation {other}"),
                ),
                error_type: Some("InvalidAction".to_owned()),
            },
        })
        .await
}

fn success(operation: &str, fill: impl FnOnce(&mut Xml)) -> Answer {
    let mut xml = Xml::new(&format!("{operation}Response"), NAMESPACE);
    xml.open(&format!("{operation}Result"));
    fill(&mut xml);
    xml.close(&format!("{operation}Result"));
    xml.open("ResponseMetadata");
    xml.leaf("RequestId", "00000000-0000-4000-8000-000000000000");
    xml.close("ResponseMetadata");
    Answer {
        response: reply(200, "text/xml", xml.finish(&format!("{operation}Response"))),
        error_type: None,
    }
}

fn error(status: u16, code: &str, message: &str) -> Response {
    let mut xml = Xml::new("ErrorResponse", NAMESPACE);
    xml.open("Error");
    xml.leaf("Type", "Sender");
    xml.leaf("Code", code);
    xml.leaf("Message", message);
    xml.close("Error");
    reply(status, "text/xml", xml.finish("ErrorResponse"))
}

fn refuse(refusal: &Refusal) -> Response {
    let code = if refusal.error_type == fault::default_error("sts", refusal.status) && refusal.status == 429 {
        "Throttling"
    } else {
        &refusal.error_type
    };
    error(refusal.status, code, &refusal.message)
}
