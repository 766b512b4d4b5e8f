# The image of Pinfold: the binary, the libraries that it links, certificate authorities, and nothing else.
#
#   docker build -t pinfold .
#   docker build -t pinfold --build-arg FEATURES=events,otlp .
#
# Nothing in here names an architecture: build it for amd64 on amd64, for arm64 on arm64 (or with
# `docker buildx build --platform`, which takes an emulator where there is no such machine).

ARG RUST_VERSION=1.95
FROM docker.io/library/rust:${RUST_VERSION}-bookworm AS build
WORKDIR /build

# zlib is linked into the binary: the builder happens to have a shared one, the final image has not.
ENV LIBZ_SYS_STATIC=1 \
    CARGO_INCREMENTAL=0 \
    CARGO_TERM_COLOR=never

# Features beside the default ones, such as `events,otlp`. They bring dependencies along, so that both layers go by them.
ARG FEATURES=

# The dependencies are a layer of their own, which only a change of Cargo.toml or Cargo.lock builds anew: an empty
# program takes the place of ours. Downloads are kept between builds where the builder can do so.
COPY Cargo.toml Cargo.lock ./
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    mkdir src \
    && echo 'fn main() {}' > src/main.rs \
    && touch src/lib.rs \
    && cargo build --locked --profile dist --features "${FEATURES}"

# The commit, for pinfold_build_info; a change of it builds the program anew, and nothing else.
ARG REVISION=unknown
ENV PINFOLD_REVISION=${REVISION}
COPY src src
COPY desired-state-example desired-state-example
# Cargo goes by the time of files, and those of a checkout may be older than the empty program's.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    touch src/main.rs src/lib.rs \
    && cargo build --locked --profile dist --features "${FEATURES}"

# The root of the final image. The libraries are those that the dynamic linker says; the notes in status.d tell scanners
# which Debian packages they are, as in other images without a package manager.
RUN mkdir -p /root-of-image/etc/ssl/certs /root-of-image/etc/pinfold /root-of-image/var/lib/dpkg/status.d /empty \
    && cp target/dist/pinfold /root-of-image/pinfold \
    && ldd /root-of-image/pinfold > ldd.txt \
    && grep -o '/[^ ]*' ldd.txt > libraries.txt \
    && while read -r library; do \
         mkdir -p "/root-of-image$(dirname "$library")" && cp -L "$library" "/root-of-image$library" || exit 1; \
       done < libraries.txt \
    && cp -L /etc/ssl/certs/ca-certificates.crt /root-of-image/etc/ssl/certs/ \
    && cp -L /etc/os-release /root-of-image/etc/os-release \
    && for package in libc6 libgcc-s1 ca-certificates; do \
         dpkg-query --status "$package" > "/root-of-image/var/lib/dpkg/status.d/$package" || exit 1; \
       done \
    && echo 'pinfold:x:65532:65532:pinfold:/tmp:/nonexistent' > /root-of-image/etc/passwd \
    && echo 'pinfold:x:65532:' > /root-of-image/etc/group \
    && echo 'hosts: files dns' > /root-of-image/etc/nsswitch.conf \
    && mkdir -m 1777 /root-of-image/tmp \
    # What the loader finds must be all there is: a library that is missing shows here and not in production.
    && chroot /root-of-image /pinfold --version

FROM scratch
ARG VERSION=0.0.0-dev
ARG REVISION=unknown
ARG CREATED=1970-01-01T00:00:00Z
ARG SOURCE=https://github.com/pinfold/pinfold
LABEL org.opencontainers.image.title="Pinfold" \
      org.opencontainers.image.description="A GitOps reconciler for AWS Lambda code" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.documentation="${SOURCE}/tree/main/docs" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}"
COPY --from=build /root-of-image /
COPY --from=build --chown=65532:65532 /empty /var/cache/pinfold
# Git's OpenSSL was built from source and AWS's rustls looks for itself: this file is what both are to trust. A company's
# own authorities may be put in its place.
ENV SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt \
    HOME=/tmp
# By number, so that Kubernetes can tell that it is not root.
USER 65532:65532
EXPOSE 8420
ENTRYPOINT ["/pinfold"]
CMD ["run"]
