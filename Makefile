# Two commands need nothing but Python 3.11+:  make demo  and  make test
PYTHON ?= python3
VENV ?= .venv
LOWEST ?= .venv-lowest
FRAMEWORKS ?= .venv-frameworks
BIN := $(VENV)/bin
JOBS ?= 2
# Runs the command behind it, and shows what the command says only if it fails
QUIETLY = sh -c 'said=$$("$$@" 2>&1) || { code=$$?; printf "%s\n" "$$said" >&2; exit $$code; }' quietly
PIP = -m pip install --disable-pip-version-check --no-input

.PHONY: demo test test-frameworks test-lowest check format bench clean

demo: $(VENV)/.torch
	@echo "Explaining what two networks see in drawn scenes"
	@$(BIN)/seewhy demo --out seewhy-demo
	@echo "Picture: seewhy-demo/demo.jpg"

test: $(VENV)/.dev
	$(BIN)/python -m pytest -n $(JOBS)

# What concerns other frameworks, with TensorFlow and JAX, which have an environment of their own; Keras on each of the two
FRAMEWORK_TESTS := tests/models/keras tests/models/jax tests/models/zoo/test_keras.py tests/models/zoo/test_tflite.py \
  tests/models/zoo/test_saved_model.py tests/whole/test_adapters.py tests/whole/test_frameworks.py

test-frameworks: export JAX_DISABLE_MOST_OPTIMIZATIONS = 1
test-frameworks: $(FRAMEWORKS)/.frameworks
	KERAS_BACKEND=tensorflow $(FRAMEWORKS)/bin/python -m pytest -n $(JOBS) $(FRAMEWORK_TESTS)
	KERAS_BACKEND=jax $(FRAMEWORKS)/bin/python -m pytest -n $(JOBS) $(FRAMEWORK_TESTS) -k 'keras or frameworks'

# The same tests with the lowest version of everything that pyproject.toml allows, on the lowest Python
test-lowest: $(LOWEST)/.dev
	$(LOWEST)/bin/python -m pytest -n $(JOBS)

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports --no-cache

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.bench
	$(BIN)/python benchmarks/cam.py
	$(BIN)/python benchmarks/gradients.py
	$(BIN)/python benchmarks/perturbation.py
	$(BIN)/python benchmarks/geometry.py
	$(BIN)/python benchmarks/attention.py
	$(BIN)/python benchmarks/call.py
	$(BIN)/python benchmarks/first_call.py
	$(BIN)/python benchmarks/command_line.py

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "seewhy needs Python 3.11 or newer; try: make PYTHON=python3.12 ...")'
	@echo "Making a Python environment in $(VENV)"
	@$(QUIETLY) $(PYTHON) -m venv $(VENV)

$(VENV)/.torch $(VENV)/.dev $(VENV)/.bench: $(VENV)/.%: $(VENV)/bin/python pyproject.toml
	@echo "Installing seewhy and what it needs ($*) into $(VENV): a few minutes, the first time"
	@$(QUIETLY) $(BIN)/python $(PIP) --editable '.[$*]'
	@touch $@

$(FRAMEWORKS)/.frameworks: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "seewhy needs Python 3.11 or newer; try: make PYTHON=python3.12 ...")'
	@echo "Installing TensorFlow, JAX and what seewhy needs beside them into $(FRAMEWORKS): a few minutes, the first time"
	@$(QUIETLY) $(PYTHON) -m venv $(FRAMEWORKS)
	@$(QUIETLY) $(FRAMEWORKS)/bin/python $(PIP) --editable '.[frameworks]'
	@touch $@

$(LOWEST)/.dev: pyproject.toml tests/lowest.py
	@echo "Installing the lowest versions that pyproject.toml allows into $(LOWEST)"
	@$(PYTHON) tests/lowest.py > /dev/null
	@$(QUIETLY) $(PYTHON) -m venv --clear $(LOWEST)
	@$(LOWEST)/bin/python tests/lowest.py > $(LOWEST)/floors.txt
	@$(QUIETLY) $(LOWEST)/bin/python $(PIP) --editable '.[dev]' --constraint $(LOWEST)/floors.txt
	$(LOWEST)/bin/python -m pip check
	@touch $@

clean:
	rm -rf $(VENV) $(LOWEST) $(FRAMEWORKS) seewhy-demo seewhy-out
