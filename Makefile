# Two commands to know: `make demo` and `make test`. Both need Python >= 3.10 with venv, make, and the package index.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
DATA   := datasets-mini
RUN    := output/DomainMix/mini
JOBS   ?= 2

.PHONY: demo test test-quick test-processors lint docs bench bench-gpu clean

demo: $(VENV)/demo.installed
	@$(BIN)/reidzoo render --data-root $(DATA)
	@$(BIN)/reidzoo train --config-file projects/DomainMix/mini.yml --output-dir $(RUN) --resume

# Exports have processes of their own, and so has the guide: a process that had run all before it, and onnxruntime and
# OpenVINO in it, ended there by a segmentation fault, three times of three.
test: $(VENV)/test.installed lint
	@$(BIN)/python -m pytest -n $(JOBS) --dist worksteal --ignore=tests/deployment
	@$(BIN)/python -m pytest -n $(JOBS) --dist loadfile tests/deployment --deselect tests/deployment/test_guide.py
	@$(BIN)/python -m pytest tests/deployment/test_guide.py
	@$(MAKE) --no-print-directory test-processors

# What takes less than a third of a second, and what rounding reaches: two to three minutes on two cores.
test-quick: $(VENV)/test.installed
	@$(BIN)/python -m pytest -n $(JOBS) --dist worksteal -m "not slow"

# The tests that rounding reaches, again on what torch takes for an older processor: no AVX, no fused multiply-add.
test-processors: $(VENV)/test.installed
	@ATEN_CPU_CAPABILITY=default ONEDNN_MAX_CPU_ISA=SSE41 MKL_ENABLE_INSTRUCTIONS=SSE4_2 \
		$(BIN)/python -m pytest -n $(JOBS) --dist worksteal -m "sensitive and not slow"

lint: $(VENV)/test.installed
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

docs: $(VENV)/test.installed
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

# The sizes of the targets take half an hour and 16 GB of an otherwise idle machine; SMALL=1 takes a minute.
bench: $(VENV)/test.installed
	@$(BIN)/python benchmarks/run_all.py $(if $(SMALL),--small --output output/bench-small.md)

# Eight minutes of one CUDA device: parity with the CPU, training, waits, loading, ranking, clustering, resume.
bench-gpu: $(VENV)/test.installed
	@$(BIN)/python benchmarks/gpu --out output/gpu.json
	@$(BIN)/python benchmarks/gpu/report.py output/gpu.json > output/RESULTS_GPU.md
	@mv output/RESULTS_GPU.md benchmarks/RESULTS_GPU.md

clean:
	rm -rf $(VENV) build site reidzoo.egg-info

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || (echo "reidzoo needs Python 3.10 or newer; run: make PYTHON=/path/to/python3.x" && exit 2)
	@$(PYTHON) -m venv $(VENV) || (echo "Could not make $(VENV). On Debian: apt-get install python3-venv" && rm -rf $(VENV) && exit 2)

$(VENV)/demo.installed: pyproject.toml | $(BIN)/python
	@echo "Installing into $(VENV) (PyTorch is large; this takes a few minutes the first time)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	@touch $@

$(VENV)/test.installed: pyproject.toml | $(BIN)/python
	@echo "Installing into $(VENV) (PyTorch is large; this takes a few minutes the first time)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@
