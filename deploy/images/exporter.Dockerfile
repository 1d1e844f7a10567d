# One exporter, and nothing else: no shell, no libc, no package to update. `build`, beside this file,
# lays out root/ (the static binary, and the name /exporter for it) and names the exporter.
FROM scratch
ARG EXPORTER
ARG VERSION
ARG REVISION
LABEL org.opencontainers.image.title="${EXPORTER}" \
      org.opencontainers.image.description="Prometheus exporter for a lakehouse" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY root/ /
USER 65532:65532
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=5s --retries=5 CMD ["/exporter", "healthcheck"]
ENTRYPOINT ["/exporter"]
