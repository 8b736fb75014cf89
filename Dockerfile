# The function, its locked dependencies, Python, and nothing else.
#   docker build --build-arg BASE=python:3.13-slim@sha256:… --tag …/backup-reaper .
# The base must have `python` 3.11 or newer, with pip in the first stage; pin it by digest for what goes to a cluster.
ARG BASE=python:3.13-slim

FROM ${BASE} AS build
WORKDIR /app
COPY requirements/runtime.txt requirements.txt
# Only wheels, only those whose hashes are locked; no pip in what is shipped.
RUN python -m venv --without-pip .venv \
 && python -m pip --python .venv/bin/python install --no-cache-dir --no-compile \
    --require-hashes --only-binary :all: --requirement requirements.txt
COPY function function
# The file system is read-only later: what is not compiled now would be compiled at every start.
# And any user must be able to read it: a checkout under umask 077 is its owner's alone, and FunctionGraph has a user of
# its own.
RUN python -m compileall -q --invalidation-mode unchecked-hash .venv function \
 && chmod -R a+rX .venv function

FROM ${BASE}
WORKDIR /app
COPY --from=build /app/.venv .venv
COPY --from=build /app/function function
# Logs at once; gunicorn puts a socket into HOME, and /tmp is all that can be written to.
ENV PATH=/app/.venv/bin:$PATH PYTHONUNBUFFERED=1 HOME=/tmp
USER 65532:65532
EXPOSE 8080
# The exec form: SIGTERM reaches the server, not a shell.
CMD ["functions-framework", "--source", "function/main.py", "--target", "delete_backup"]
