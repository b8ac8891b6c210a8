# make demo    a chip-and-PIN purchase and every decline, on real parts
# make run     the same environment in the foreground
# make test    everything that CI runs
.PHONY: demo run test check lint build deps bench clean

environment := Config/demo/environment.sh

demo: build
	@$(environment) demo

run: build
	@exec $(environment) run

deps:
	@$(environment) install

build: deps
	@swift build -c release

test: deps
	swift build --build-tests --explicit-target-dependency-import-check error
	swift test --skip-build

lint:
	swift format lint --strict --recursive Package.swift Sources Tests Simulators LoadTests

check: lint test

bench: deps
	swift run --package-path LoadTests/Benchmarks --scratch-path .build-benchmarks -c release benchmarks $(BENCH)

clean:
	rm -rf .build .demo
