FROM python:3.11-slim AS build
WORKDIR /src
COPY . .
# The CPU build of PyTorch needs a fraction of the space of the one for CUDA.
RUN python -m venv /opt/tagtray \
 && /opt/tagtray/bin/pip install --no-cache-dir -c constraints.txt \
        --extra-index-url https://download.pytorch.org/whl/cpu .

FROM python:3.11-slim
COPY --from=build /opt/tagtray /opt/tagtray
RUN useradd --uid 10001 --create-home --home-dir /var/lib/tagtray tagtray
ENV PATH=/opt/tagtray/bin:$PATH TAGTRAY_HOME=/var/lib/tagtray PYTHONDONTWRITEBYTECODE=1
USER 10001
ENTRYPOINT ["tagtray"]
