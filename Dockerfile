FROM python:3.11-slim AS build
RUN python -m venv /venv
COPY requirements.txt .
RUN /venv/bin/pip install --no-cache-dir --require-hashes -r requirements.txt

FROM python:3.11-slim
RUN useradd --create-home --uid 10001 arguslm \
    && install --directory --owner arguslm --mode 0700 /data
COPY --from=build /venv /venv
COPY . /app
WORKDIR /app
USER arguslm
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    ARGUSLM_HOST=0.0.0.0 ARGUSLM_DATA_DIR=/data
VOLUME /data
EXPOSE 8000
CMD ["python", "manage.py", "serve"]
