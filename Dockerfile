# One image for every app: the command names it, e.g. `docker run … dist/apps/registry/main.js`. What is in it, and why: docs/adr/0026.
# A release names both by digest: --build-arg BUILD=node:24-bookworm-slim@sha256:… --build-arg RUNTIME=gcr.io/distroless/nodejs24-debian12:nonroot@sha256:…
ARG BUILD=node:24-bookworm-slim
ARG RUNTIME=gcr.io/distroless/nodejs24-debian12:nonroot

FROM ${BUILD} AS build
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
COPY scripts scripts
RUN npm install --no-save --ignore-scripts && node scripts/installed.mjs
COPY .swcrc nest-cli.json tsconfig.json LICENSE ./
COPY apps apps
COPY libs libs
RUN node scripts/build.mjs && node scripts/layout.mjs /layout

FROM ${RUNTIME}
ENV NODE_ENV=production
WORKDIR /app
COPY --from=build /layout ./
USER 65532:65532
EXPOSE 8080 3000
# The gateway answers on PORT, services on PROBE_PORT. Kubernetes has probes of its own.
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s \
  CMD ["/nodejs/bin/node", "-e", "fetch(`http://127.0.0.1:${process.env.PROBE_PORT ?? process.env.PORT ?? 8080}/readyz`).then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["/nodejs/bin/node", "--enable-source-maps"]
CMD ["dist/apps/gateway/main.js"]
