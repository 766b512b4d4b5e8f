//! The target of the measuring programs, and the way to a sandbox that stands in for its account.

use pinfold::adapters::aws::{Access, Limiters, Limits, connect};
use pinfold::adapters::lambda::LambdaWriter;
use pinfold::adapters::s3::S3Artifacts;
use pinfold::domain::Target;
use pinfold::reconcile::TargetPorts;
use pinfold::telemetry::Telemetry;

pub(crate) const REGION: &str = "us-east-1";

/// Connects to a sandbox as the daemon does, with these limits.
pub(crate) async fn ports(url: &str, limits: Limits, telemetry: &Telemetry) -> TargetPorts<LambdaWriter, S3Artifacts> {
    let access = Access {
        region: REGION.parse().unwrap(),
        account: None,
        role_arn: None,
        external_id: None,
        endpoint_url: Some(url.parse().unwrap()),
        s3_endpoint_url: None,
    };
    let connection = connect(&access, &mut Limiters::new(limits)).await;
    TargetPorts {
        target: Target {
            name: "prod".parse().unwrap(),
            path: "prod".to_owned(),
            region: Some(REGION.parse().unwrap()),
            account: None,
            functions: vec!["*".parse().unwrap()],
        },
        lambda: LambdaWriter::new(&connection, telemetry),
        artifacts: S3Artifacts::new(&connection, telemetry),
    }
}
