//! The sandbox held to what AWS was recorded doing, through the real SDKs over HTTP. Nothing here touches AWS.

#[cfg(test)]
mod alias;
#[cfg(test)]
mod api;
#[cfg(test)]
mod delete;
#[cfg(test)]
mod function;
#[cfg(test)]
mod listing;
#[cfg(test)]
mod object;
#[cfg(test)]
mod provisioned;
#[cfg(test)]
mod publish;
#[cfg(test)]
mod source;
#[cfg(test)]
mod update;
#[cfg(test)]
mod world;
