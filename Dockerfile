# One image for operator and workers: two programs, their shared libraries and the CA bundle; no shell.
FROM rust:1.95-bookworm AS builder
WORKDIR /source
COPY . .
RUN cargo build --locked --release -p longshore-operator -p longshore-worker \
 && scripts/image-tree target/release /image

FROM scratch
COPY --from=builder /image/longshore-operator /longshore-operator
COPY --from=builder /image/longshore-worker /longshore-worker
COPY --from=builder /image/lib /lib
COPY --from=builder /image/lib64 /lib64
COPY --from=builder /image/etc /etc
USER 65532:65532
ENTRYPOINT ["/longshore-operator"]
