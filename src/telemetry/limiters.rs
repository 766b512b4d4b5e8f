//! How many calls a second the rate limits allow, read at every scrape. Limits nothing itself.

use prometheus::{GaugeVec, Opts, Registry};

/// One rate limit.
pub struct LimiterRate {
    /// The account whose quota it keeps to; empty where the configuration does not tell.
    pub account: String,
    /// The Region.
    pub region: String,
    /// The quota, as a word.
    pub bucket: &'static str,
    /// Returns how many calls a second it allows now.
    pub per_second: Box<dyn Fn() -> f64 + Send + Sync>,
}

/// The gauges that show them.
pub(super) struct LimiterGauges(GaugeVec);

impl LimiterGauges {
    pub(super) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let gauges = GaugeVec::new(
            Opts::new(
                "pinfold_aws_limiter_calls_per_second",
                "Calls a second that the rate limit allows now: less than configured after AWS has throttled.",
            ),
            &["account", "region", "bucket"],
        )?;
        registry.register(Box::new(gauges.clone()))?;
        Ok(Self(gauges))
    }

    /// Shows these, and no others.
    pub(super) fn measure(&self, limiters: &[LimiterRate]) {
        self.0.reset();
        for limiter in limiters {
            let labels = [limiter.account.as_str(), &limiter.region, limiter.bucket];
            self.0.with_label_values(&labels).set((limiter.per_second)());
        }
    }
}
