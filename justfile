# The commands of every day; `just` lists them.

set shell := ["bash", "-euo", "pipefail", "-c"]

# The image that `image` makes and `image-try` takes.
image := "localhost/pinfold:dev"

_default:
    @just --list --unsorted

# Format, lint and test
check: fmt lint test

# Format the code
fmt:
    cargo fmt

# Lint the code
lint:
    cargo clippy --locked --all-targets -- -D warnings

# Run the tests, all or those whose names hold the words
test *words:
    cargo test --locked {{ words }}

# Show everything on the sandbox, with no AWS and no network
demo *flags:
    cargo run --locked --release -- demo {{ flags }}

# Everything that must hold before a change lands
ci:
    .ci/run

# Make what the chart takes from elsewhere: its README from the values, its schema from the configuration
chart-docs:
    helm-docs --chart-search-root charts --log-level warning
    cargo run --locked --quiet -- schema config | charts/tools/config_schema.py --write

# Lint, render and test the chart and its alerts
chart:
    .ci/chart

# Install the chart into a Kubernetes API of its own, which is built first
cluster:
    .ci/cluster

# Run the commands that the documentation shows
docs:
    .ci/docs

# Build the image with whatever builder is there
image:
    if command -v docker >/dev/null; then docker build --tag {{ image }} .; else buildah build --layers --tag {{ image }} .; fi

# Build the image without a daemon and run it against the sandbox, as the chart would
image-try:
    .ci/image

# Hold the dependencies to deny.toml and to the advisories, and lint the workflows and the scripts
deny:
    .ci/lint advisories

# Put the version of Cargo.toml into the chart, before a release
version:
    sed -i "s/^appVersion: .*/appVersion: \"$(cargo metadata --no-deps --format-version 1 | jq -r '.packages[0].version')\"/" charts/pinfold/Chart.yaml
    just chart-docs
