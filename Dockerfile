# docker build -t immich-sync .
# docker run -v /photos:/photos -v state:/state -e IMMICH_INSTANCE_URL -e IMMICH_API_KEY immich-sync
#
# Nothing is compiled: all that is needed exists as wheels for amd64 and arm64.
ARG PYTHON=3.13-slim

FROM python:${PYTHON} AS build
WORKDIR /build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
COPY deploy/requirements.txt deploy/requirements-build.txt ./
RUN python -m venv --without-pip /opt/immich-sync
RUN pip --python /opt/immich-sync/bin/python install --require-hashes --only-binary :all: -r requirements.txt
RUN python -m venv /build/tools
RUN /build/tools/bin/pip install --require-hashes --only-binary :all: -r requirements-build.txt
COPY pyproject.toml README.md LICENSE ./
COPY immich_sync immich_sync
RUN /build/tools/bin/pip wheel --no-index --no-deps --no-build-isolation -w /build/wheels .
RUN pip --python /opt/immich-sync/bin/python install --no-index --no-deps /build/wheels/immich_syncd-*.whl
COPY --chmod=755 deploy/entrypoint.py /opt/immich-sync/entrypoint
RUN python -m compileall -q /opt/immich-sync/lib

FROM python:${PYTHON}
ARG VERSION=""
ARG REVISION=""
ARG SOURCE=""
LABEL org.opencontainers.image.title="immich-sync" \
      org.opencontainers.image.description="Every photo and video of your folders in Immich: once, whole, proved, in its album." \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.source="${SOURCE}"
COPY --from=build /opt/immich-sync /opt/immich-sync
# A new volume takes over the owner of the folder that it is mounted on.
RUN ln -s /opt/immich-sync/entrypoint /usr/local/bin/immich-sync \
 && install -d -m 700 -o 1000 -g 1000 /state \
 && install -d -m 755 /photos
ENV IMMICH_SYNC_STATE_DIR=/state \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONFAULTHANDLER=1
USER 1000:1000
WORKDIR /
VOLUME ["/state"]
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=1m --timeout=15s --start-period=2m --retries=3 CMD ["/usr/local/bin/immich-sync", "status", "--check"]
ENTRYPOINT ["/usr/local/bin/immich-sync"]
CMD ["run"]
