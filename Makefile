# make demo   set-up, build, then quantize the bundled FP8 model, measure what it lost, and let it answer, also over HTTP
# make serve  the same model as a server with a chat page (MODEL=..., PORT=30000), until Ctrl-C
# make test   set-up, build, every test (unit on every SIMD target, end to end, broken input, sanitizers, fuzz)
# make build  set-up and the optimised build: build/tetrad        make help lists the rest
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
JOBS ?= $(shell nproc)
# CI gives every fuzz target a minute; at a desk ten seconds catch what the corpus catches.
FUZZ_SECONDS ?= $(if $(CI),60,10)
PYTHON ?= python3
ifneq ($(shell command -v ccache),)
export CMAKE_CXX_COMPILER_LAUNCHER := ccache
endif

.PHONY: all build demo serve test setup setup-test unit sanitizers tsan fuzz clients lint format bench bench-serve compare-llama clean help
all: build

help:
	@sed -n 's/^# \{0,1\}\(make .*\)/\1/p' Makefile
	@echo "make lint | format | unit | sanitizers | tsan | fuzz | clients | bench | bench-serve | compare-llama | clean"

setup:
	@$(PYTHON) tools/setup.py build

setup-test:
	@$(PYTHON) tools/setup.py build test

build: setup
	@cmake --preset release > build-configure.log 2>&1 || { cat build-configure.log; exit 1; }; rm -f build-configure.log
	@cmake --build --preset release -j $(JOBS)

demo: build
	@$(PYTHON) tools/demo.py

MODEL ?= out/tiny-NVFP4-mse
PORT ?= 30000
serve: build
	@test -e $(MODEL)/config.json || build/tetrad quantize models/tiny-minimax-m2 $(MODEL)
	exec build/tetrad serve $(MODEL) --port $(PORT)

lint:
	$(PYTHON) tools/check_layers.py
	$(PYTHON) tools/check_style.py

format:
	git ls-files '*.h' '*.cpp' | xargs clang-format-19 -i

unit: build
	ctest --preset release -j $(JOBS) --timeout 900

sanitizers: setup-test
	cmake --preset dev
	cmake --build --preset dev -j $(JOBS)
	ctest --preset dev -j $(JOBS) --timeout 1800

tsan: setup-test
	cmake --preset tsan
	cmake --build --preset tsan -j $(JOBS) --target base_test kernels_test quant_test model_test engine_test api_test server_test
	ctest --preset tsan -R '^(base|kernels|quant|model|engine|api|server)_test$$' -j $(JOBS) --timeout 1800

fuzz: setup-test
	cmake --preset fuzz
	cmake --build --preset fuzz -j $(JOBS)
	$(PYTHON) tools/run_fuzz.py build-fuzz --seconds $(FUZZ_SECONDS)

test: setup-test lint unit sanitizers tsan fuzz
	@echo "make test: all passed"

# The official clients and lm_eval against the server; needs PyPI and 3 GB in build-clients/.
clients: build
	@test -x build-clients/bin/python || $(PYTHON) -m venv build-clients
	build-clients/bin/pip install -q -r tests/clients/requirements.txt
	for client in openai anthropic lm_eval; do build-clients/bin/python tests/clients/$${client}_client.py build/tetrad; done

bench: build
	$(PYTHON) bench/quantize.py
	build/bench/kernels_bench

# Load on the server over HTTP: tokens a second and latencies (MODEL=...).
bench-serve: build
	@test -e $(MODEL)/config.json || build/tetrad quantize models/tiny-minimax-m2 $(MODEL)
	$(PYTHON) bench/serve.py $(MODEL)

# Against llama.cpp, built once in build-llama/ (PyPI, many minutes, 2 GB) (MODEL=...).
compare-llama: build
	@test -e $(MODEL)/config.json || build/tetrad quantize models/tiny-minimax-m2 $(MODEL)
	$(PYTHON) bench/compare_llama.py --model $(MODEL) --jobs $(JOBS)

clean:
	rm -rf build build-dev build-tsan build-fuzz build-clients build-llama out
