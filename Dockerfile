# docker build -t petals-chat . (docs/deployment.md). The image has Node, the product and its CPU libraries; no shell script
# of a package runs, and nothing is downloaded but npm's packages of package-lock.json.

FROM node:24.22.3-bookworm-slim AS build
WORKDIR /src
COPY package.json package-lock.json .npmrc ./
COPY packages/ packages/
RUN npm ci --ignore-scripts --include=dev --no-audit --no-fund
COPY tsconfig.json tsconfig.base.json tsconfig.build.json ./
COPY scripts/packages/ scripts/packages/
RUN node node_modules/typescript/bin/tsc -b packages/cli \
    && node scripts/packages/bundle-server.mjs \
    && npm run build -w packages/web \
    && npm prune --omit=dev --ignore-scripts --no-audit --no-fund \
    && node scripts/packages/slim.mjs .

FROM debian:bookworm-slim
COPY --from=build /usr/local/bin/node /usr/local/bin/node
COPY --from=build /src/package.json /app/package.json
COPY --from=build /src/node_modules /app/node_modules
COPY --from=build /src/packages /app/packages
RUN useradd --no-log-init --no-create-home --uid 10001 --home-dir /var/lib/petals-chat --shell /usr/sbin/nologin petals-chat \
    && install -d -o petals-chat -g petals-chat /var/lib/petals-chat /var/cache/petals-chat
ENV NODE_ENV=production \
    XDG_CACHE_HOME=/var/cache/petals-chat \
    PETALS_CHAT_HOST=0.0.0.0
USER 10001
WORKDIR /var/lib/petals-chat
VOLUME ["/var/cache/petals-chat", "/var/lib/petals-chat"]
EXPOSE 5000
# SIGTERM lets running answers finish: give the container 45 s (docker stop -t 45, stop_grace_period).
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s --retries=3 \
    CMD ["node", "-e", "fetch('http://127.0.0.1:5000/healthz').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "/app/node_modules/petals-chat/bin/petals-chat.mjs"]
