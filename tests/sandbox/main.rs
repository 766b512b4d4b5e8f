//! The sandbox held to what AWS was recorded doing, through the real SDKs over HTTP. Nothing here touches AWS.

mod api;
mod world;
