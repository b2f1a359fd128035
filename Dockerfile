FROM python:3.12-slim-bookworm AS build
WORKDIR /app
RUN python -m venv /venv
COPY requirements/run.lock requirements/
RUN /venv/bin/pip install --no-cache-dir --require-hashes -r requirements/run.lock
COPY . .
RUN /venv/bin/pip install --no-cache-dir --no-deps --no-build-isolation .

FROM python:3.12-slim-bookworm
RUN useradd --create-home --uid 10001 mediajobs && install -d -o mediajobs /data
COPY --from=build /venv /venv
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 MEDIAJOBS_DATA_DIR=/data
USER mediajobs
WORKDIR /data
CMD ["mediajobs", "--help"]
