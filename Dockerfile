# The embedded profile in one container: docker run --network host -v quanren:/data quanren
# Inside a network of its own the gateway must listen on 0.0.0.0, which it does only with auth and TLS set up
# (docs/operations.md), or with QUANREN_UNSAFE_LISTEN_WITHOUT_AUTH_AND_TLS=true.

FROM node:24-trixie-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm install --no-save --include=optional
COPY . .
RUN node node_modules/typescript/bin/tsc -p . \
  && find dist -name '*.test.*' -delete && rm -rf dist/test dist/bench

FROM node:24-trixie-slim AS packages
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm install --no-save --omit=dev --include=optional

FROM node:24-trixie-slim
LABEL org.opencontainers.image.title="Quanren" org.opencontainers.image.licenses="Apache-2.0"
ENV NODE_ENV=production QUANREN_DATA_DIR=/data
WORKDIR /app
COPY --from=packages /app/node_modules node_modules
COPY --from=build /app/dist dist
COPY package.json LICENSE ./
COPY catalog/migrations catalog/migrations
COPY engines engines
COPY data data
RUN mkdir /data && chown node:node /data
USER node
VOLUME /data
EXPOSE 8080 8081 9464
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=2s --start-period=120s \
  CMD ["node", "-e", "require(process.env.QUANREN_TLS_CERT_FILE ? 'https' : 'http').get({ port: process.env.QUANREN_GATEWAY_PORT ?? 8080, path: '/healthz', rejectUnauthorized: false }, (r) => process.exit(r.statusCode === 200 ? 0 : 1)).on('error', () => process.exit(1))"]
CMD ["node", "dist/cli/main.js", "start"]
