ARG PYTHON=3.11-slim-bookworm

FROM python:${PYTHON} AS build
# Where PyTorch comes from. The build for processors is a tenth of the one for CUDA, e.g. .../whl/cu130.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
# Extras of tagtray: engines that start sooner than PyTorch, and those that the pages need.
ARG EXTRAS=onnx,openvino
# `yes`: add torchvision's own weights as the model resnet18-official; the builder needs a network for that.
ARG OFFICIAL_WEIGHTS=no
ENV PATH=/opt/tagtray/bin:$PATH TAGTRAY_HOME=/var/lib/tagtray PYTHONDONTWRITEBYTECODE=1
WORKDIR /src
RUN python -m venv /opt/tagtray
COPY . .
# Headers, tests and pip itself are of no use to a program that is only run.
RUN pip install --no-cache-dir -c constraints.txt --extra-index-url "${TORCH_INDEX}" ".[${EXTRAS}]" \
 && rm -rf /opt/tagtray/lib/python3*/site-packages/torch/include \
           /opt/tagtray/lib/python3*/site-packages/torch/test \
           /opt/tagtray/lib/python3*/site-packages/pip
RUN mkdir -p "${TAGTRAY_HOME}" /uploads \
 && chmod 0700 "${TAGTRAY_HOME}" /uploads \
 && if [ "${OFFICIAL_WEIGHTS}" = yes ]; then \
        python -c "import torch, torchvision; \
torch.save(torchvision.models.ResNet18_Weights.IMAGENET1K_V1.get_state_dict(check_hash=True), '/tmp/r18.pth')" \
     && tagtray weights add /tmp/r18.pth --name resnet18-official; \
    fi

FROM python:${PYTHON}
RUN useradd --uid 10001 --no-create-home --home-dir /var/lib/tagtray --shell /usr/sbin/nologin tagtray
COPY --from=build /opt/tagtray /opt/tagtray
COPY --from=build --chown=10001:10001 /var/lib/tagtray /var/lib/tagtray
COPY --from=build --chown=10001:10001 /uploads /uploads
ENV PATH=/opt/tagtray/bin:$PATH TAGTRAY_HOME=/var/lib/tagtray PYTHONDONTWRITEBYTECODE=1
# Every container has a home of its own, which begins as that of the image.
VOLUME /var/lib/tagtray
USER 10001
ENTRYPOINT ["tagtray"]
CMD ["--help"]
